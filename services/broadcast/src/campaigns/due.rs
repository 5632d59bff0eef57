//! Campaigns that begin by themselves when their time has come.

use std::time::Duration;

use plaza_contracts::ids::{CampaignId, SenderId};
use plaza_kernel::Failure;
use plaza_messaging::outbox;
use tracing::Instrument as _;

use super::claims::{self, Task};
use super::send::SendError;
use super::{CampaignState, StoredCampaign, store};
use crate::Broadcast;
use crate::notification::is_transient;
use crate::work::{self, Fault, Lease};

/// After how long another process tries what this one did not begin.
const LEASE: Duration = Duration::from_secs(10);

impl Broadcast {
    /// Begins one campaign whose time has come; whether there may be more of them.
    pub(crate) async fn begin_turn(&self) -> Result<bool, Fault> {
        let Some(lease) = self.take_up(Task::Begin, LEASE).await? else {
            return Ok(false);
        };
        let span = tracing::info_span!(parent: None, "begin campaign", campaign.id = %lease.id);
        let found = store::get(&self.database, lease.tenant, lease.id).await?;
        let Some(scheduled) = found.filter(|found| found.state == CampaignState::Scheduled) else {
            return Ok(true);
        };
        let begun = self.begin_scheduled(lease, &scheduled);
        match begun.instrument(lease.follow(span)).await {
            Ok(()) => Ok(true),
            Err(error) if is_transient(error.kind()) => {
                // The lease runs out by itself, which is the pause before the next attempt.
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "a scheduled campaign has to wait"
                );
                Ok(true)
            }
            Err(error) => {
                tracing::warn!(code = error.code(), campaign.id = %lease.id, "a scheduled campaign cannot begin");
                self.back_to_draft(lease, scheduled.version, error.code()).await?;
                Ok(true)
            }
        }
    }

    async fn begin_scheduled(
        &self,
        lease: Lease<CampaignId>,
        scheduled: &StoredCampaign,
    ) -> Result<(), SendError> {
        let sender = self.sender_of(lease.tenant, scheduled).await?;
        self.begin_from(lease, scheduled.version, sender).await
    }

    async fn begin_from(
        &self,
        lease: Lease<CampaignId>,
        version: i64,
        sender: SenderId,
    ) -> Result<(), SendError> {
        let tx = self.database.begin(lease.tenant);
        let Some(mut campaign) = claims::lock_moving(&tx, lease.id, lease.token).await? else {
            return Ok(());
        };
        claims::end_move(&tx, lease.id, lease.token).await?;
        // Whatever was changed meanwhile is looked at anew.
        if campaign.version == version {
            let changed = self.hand_to_planner(&tx, &mut campaign, sender).await?;
            store::save(&tx, &mut campaign, self.now()).await?;
            outbox::append(&tx, &self.clock, &changed).await?;
            tx.signal_on_commit(work::CAMPAIGNS);
        }
        Ok(tx.commit().await?)
    }

    /// Somebody has to look at it; the reason is written at it. Not if somebody has changed it meanwhile, perhaps because of
    /// that very reason.
    async fn back_to_draft(&self, lease: Lease<CampaignId>, version: i64, reason: &str) -> Result<(), Fault> {
        let tx = self.database.begin(lease.tenant);
        let Some(mut campaign) = claims::lock_moving(&tx, lease.id, lease.token).await? else {
            return Ok(());
        };
        claims::end_move(&tx, lease.id, lease.token).await?;
        if campaign.version == version
            && let Ok(changed) = campaign.unschedule(Some(reason))
        {
            store::save(&tx, &mut campaign, self.now()).await?;
            outbox::append(&tx, &self.clock, &changed).await?;
        }
        Ok(tx.commit().await?)
    }
}
