//! Pausing, resuming and calling off: each commits what was decided; `campaigns/moves.rs` tells notification.

use plaza_audit::Action;
use plaza_contracts::ids::CampaignId;
use plaza_database::{DatabaseError, TenantTx};
use plaza_kernel::{Clock, Failure, Kind, TenantId};
use plaza_messaging::outbox;

use super::machine::Transition;
use super::{Campaign, StoredCampaign, WrongState, store};
use crate::{Broadcast, audit, work};

/// Why nothing was decided.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SteerError {
    #[error("there is no such campaign")]
    NotFound,
    #[error(transparent)]
    State(#[from] WrongState),
    #[error("database failed")]
    Database(#[from] DatabaseError),
}

impl Failure for SteerError {
    fn kind(&self) -> Kind {
        match self {
            Self::NotFound => Kind::NotFound,
            Self::State(_) => Kind::Conflict,
            Self::Database(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "CAMPAIGN_NOT_FOUND",
            Self::State(_) => "CAMPAIGN_STATE",
            Self::Database(error) => error.code(),
        }
    }
}

impl Broadcast {
    /// Decides that nothing more leaves until it is resumed.
    pub(crate) async fn pause_campaign(
        &self,
        tenant: TenantId,
        id: CampaignId,
    ) -> Result<Campaign, SteerError> {
        self.steer(tenant, id, &audit::CAMPAIGN_PAUSED, |campaign| {
            campaign.pause(None)
        })
        .await
    }

    /// Decides that a paused campaign goes on.
    pub(crate) async fn resume_campaign(
        &self,
        tenant: TenantId,
        id: CampaignId,
    ) -> Result<Campaign, SteerError> {
        self.steer(tenant, id, &audit::CAMPAIGN_RESUMED, StoredCampaign::resume)
            .await
    }

    /// Decides that nothing more is ever sent.
    pub(crate) async fn cancel_campaign(
        &self,
        tenant: TenantId,
        id: CampaignId,
    ) -> Result<Campaign, SteerError> {
        self.steer(tenant, id, &audit::CAMPAIGN_CANCELLED, StoredCampaign::cancel)
            .await
    }

    async fn steer(
        &self,
        tenant: TenantId,
        id: CampaignId,
        action: &'static Action,
        decide: impl FnOnce(&mut StoredCampaign) -> Transition,
    ) -> Result<Campaign, SteerError> {
        let tx = self.database.begin(tenant);
        let mut campaign = store::lock(&tx, id).await?.ok_or(SteerError::NotFound)?;
        let changed = decide(&mut campaign)?;
        store::save(&tx, &mut campaign, self.now()).await?;
        outbox::append(&tx, &self.clock, &changed).await?;
        audit::campaign(&tx, &self.clock, action, &campaign).await?;
        tx.signal_on_commit(work::MOVES);
        tx.commit().await?;
        plaza_telemetry::crash::point("broadcast.steer.committed");
        Ok(campaign.into())
    }
}

/// Pauses a campaign without anybody's wish, if it is under way; whether it was.
pub(crate) async fn pause_for(
    tx: &TenantTx,
    clock: &Clock,
    id: CampaignId,
    reason: &str,
) -> Result<bool, DatabaseError> {
    let Some(mut campaign) = store::lock(tx, id).await? else {
        return Ok(false);
    };
    let Ok(changed) = campaign.pause(Some(reason)) else {
        return Ok(false);
    };
    store::save(tx, &mut campaign, clock.now()).await?;
    outbox::append(tx, clock, &changed).await?;
    tx.signal_on_commit(work::MOVES);
    Ok(true)
}
