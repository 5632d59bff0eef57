//! Finding a campaign.

use plaza_contracts::ids::CampaignId;
use plaza_database::DatabaseError;
use plaza_kernel::{Failure, Kind, TenantId};

use super::{Campaign, CampaignState, StoredCampaign, store};
use crate::Broadcast;

/// Why no campaign was found.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GetError {
    #[error("there is no such campaign")]
    NotFound,
    #[error("database failed")]
    Database(#[from] DatabaseError),
}

impl Failure for GetError {
    fn kind(&self) -> Kind {
        match self {
            Self::NotFound => Kind::NotFound,
            Self::Database(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "CAMPAIGN_NOT_FOUND",
            Self::Database(error) => error.code(),
        }
    }
}

impl Broadcast {
    /// One campaign.
    pub(crate) async fn campaign(
        &self,
        tenant: TenantId,
        id: CampaignId,
    ) -> Result<StoredCampaign, GetError> {
        store::get(&self.database, tenant, id)
            .await?
            .ok_or(GetError::NotFound)
    }

    /// One campaign, with the messages by state as notification knows them now.
    pub(crate) async fn campaign_with_counts(
        &self,
        tenant: TenantId,
        id: CampaignId,
    ) -> Result<Campaign, GetError> {
        let mut campaign = Campaign::from(self.campaign(tenant, id).await?);
        if !matches!(campaign.state, CampaignState::Draft | CampaignState::Scheduled) {
            campaign.counts = self.live_counts(tenant, id).await;
            campaign.counts_unavailable = campaign.counts.is_none();
        }
        Ok(campaign)
    }
}
