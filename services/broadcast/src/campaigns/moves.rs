//! Telling notification what was decided: to hold the messages of a campaign, to let them go, or never to send them. The
//! decision is committed before, and taken up here, by this process or another one, until notification has said yes; only
//! then the campaign is `paused`, goes on, or is `cancelled`.
//!
//! One thing is told at a time: the lease of the campaign outlasts the call, so that a late answer to the last decision
//! never undoes the next one.

use std::time::Duration;

use plaza_contracts::ids::CampaignId;
use plaza_messaging::outbox;
use plaza_rpc::RpcError;
use tracing::Instrument as _;

use super::claims::{self, Task};
use super::{CampaignState, StoredCampaign, store};
use crate::Broadcast;
use crate::work::{self, Fault, Lease};

/// How long notification may take to be told.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long nobody else tells it anything about the same campaign.
const LEASE: Duration = Duration::from_secs(4);
/// What notification keeps as the reason of a hold that a person asked for.
const PAUSED: &str = "PAUSED";

impl Broadcast {
    /// One decision; whether there may be more of them.
    pub(crate) async fn move_turn(&self) -> Result<bool, Fault> {
        let Some(lease) = self.take_up(Task::Move, LEASE).await? else {
            return Ok(false);
        };
        let span = tracing::info_span!(parent: None, "tell notification", campaign.id = %lease.id);
        let told = self.tell(lease).instrument(lease.follow(span)).await;
        match told {
            Err(Fault::Notification(error)) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "notification was not told what was decided about a campaign"
                );
                self.end_move(lease).await?;
                // A pause before the next attempt, at this one or another.
                Ok(false)
            }
            Ok(()) | Err(Fault::Lost) => Ok(true),
            Err(fault) => Err(fault),
        }
    }

    async fn tell(&self, lease: Lease<CampaignId>) -> Result<(), Fault> {
        let Some(decided) = store::get(&self.database, lease.tenant, lease.id).await? else {
            return Ok(());
        };
        let more = self.ask(lease, &decided).await?;
        if more {
            return self.end_move(lease).await;
        }
        let tx = self.database.begin(lease.tenant);
        let Some(mut campaign) = claims::lock_moving(&tx, lease.id, lease.token).await? else {
            return Err(Fault::Lost);
        };
        claims::end_move(&tx, lease.id, lease.token).await?;
        if campaign.state != decided.state {
            // Something else was decided meanwhile: it is told next.
            tx.signal_on_commit(work::MOVES);
        } else if let Ok(changed) = campaign.told() {
            store::save(&tx, &mut campaign, self.now()).await?;
            outbox::append(&tx, &self.clock, &changed).await?;
            if campaign.state == CampaignState::Planning {
                claims::free(&tx, lease.id).await?;
                tx.signal_on_commit(work::CAMPAIGNS);
            }
        }
        Ok(tx.commit().await?)
    }

    /// Tells notification; whether it has to be told again before all of it is done.
    async fn ask(&self, lease: Lease<CampaignId>, decided: &StoredCampaign) -> Result<bool, RpcError> {
        let (tenant, id) = (lease.tenant, lease.id);
        match decided.state {
            CampaignState::Pausing => {
                let reason = decided.state_reason.as_deref().unwrap_or(PAUSED);
                self.notification.hold(tenant, id, reason, PATIENCE).await?;
                Ok(false)
            }
            CampaignState::Resuming => {
                self.notification.release(tenant, id, PATIENCE).await?;
                Ok(false)
            }
            CampaignState::Cancelling => self.notification.cancel(tenant, id, PATIENCE).await,
            _ => Ok(false),
        }
    }

    /// Lets others tell notification something about the campaign.
    async fn end_move(&self, lease: Lease<CampaignId>) -> Result<(), Fault> {
        let tx = self.database.begin(lease.tenant);
        claims::end_move(&tx, lease.id, lease.token).await?;
        Ok(tx.commit().await?)
    }
}
