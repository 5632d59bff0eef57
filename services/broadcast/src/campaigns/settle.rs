//! Completing campaigns: fast by notification's event, surely by asking it every few seconds.

use std::collections::BTreeMap;
use std::time::Duration;

use plaza_contracts::ids::CampaignId;
use plaza_database::{DatabaseError, TenantTx};
use plaza_kernel::{Clock, Failure, TenantId};
use plaza_messaging::outbox;

use super::store;
use crate::Broadcast;
use crate::work::Fault;

/// Completes a campaign if these counts of notification say so.
pub(crate) async fn settle(
    tx: &TenantTx,
    clock: &Clock,
    id: CampaignId,
    by_state: &BTreeMap<String, u64>,
) -> Result<bool, DatabaseError> {
    let Some(mut campaign) = store::lock(tx, id).await? else {
        return Ok(false);
    };
    // Not settled: planning goes on, or notification does not know every message yet. The reconciler will see it.
    let Some(changed) = campaign.settle(by_state) else {
        return Ok(false);
    };
    store::save(tx, &campaign, clock.now()).await?;
    outbox::append(tx, clock, &changed).await?;
    Ok(true)
}

impl Broadcast {
    /// Compares running campaigns with notification's counts. Never more to do at once.
    pub(crate) async fn reconcile_turn(&self) -> Result<bool, Fault> {
        let now = self.now();
        let tx = self.database.begin_system();
        let running = store::unsettled(&tx, now, now - self.config.reconcile()).await?;
        tx.commit().await?;
        for (tenant, id) in running {
            let Some(counts) = self.live_counts(tenant, id).await else {
                continue;
            };
            let tx = self.database.begin(tenant);
            settle(&tx, &self.clock, id, &counts).await?;
            tx.commit().await?;
        }
        Ok(false)
    }

    /// Notification's counts, unless it is away or slow.
    pub(crate) async fn live_counts(
        &self,
        tenant: TenantId,
        id: CampaignId,
    ) -> Option<BTreeMap<String, u64>> {
        let patience = Duration::from_millis(self.config.counts_milliseconds);
        match tokio::time::timeout(patience, self.notification.counts(tenant, id)).await {
            Ok(Ok(counts)) => Some(counts),
            Ok(Err(error)) => {
                tracing::warn!(code = error.code(), "notification gave no counts");
                None
            }
            Err(_) => {
                tracing::warn!("notification gave no counts in time");
                None
            }
        }
    }
}
