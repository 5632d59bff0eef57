//! Putting a campaign away.

use plaza_contracts::ids::CampaignId;
use plaza_kernel::TenantId;

use super::steer::SteerError;
use super::store;
use crate::{Broadcast, audit};

impl Broadcast {
    /// Puts a campaign away of which nothing is under way. What was decided and sent stays written down.
    pub(crate) async fn delete_campaign(&self, tenant: TenantId, id: CampaignId) -> Result<(), SteerError> {
        let tx = self.database.begin(tenant);
        let campaign = store::lock(&tx, id).await?.ok_or(SteerError::NotFound)?;
        campaign.may_go()?;
        store::put_away(&tx, id, self.now()).await?;
        audit::campaign(&tx, &self.clock, &audit::CAMPAIGN_DELETED, &campaign).await?;
        Ok(tx.commit().await?)
    }
}
