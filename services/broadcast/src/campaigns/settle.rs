//! Completing campaigns: fast by notification's event, surely by asking it every few seconds.

use std::collections::BTreeMap;
use std::time::Duration;

use plaza_contracts::ids::CampaignId;
use plaza_database::{DatabaseError, TenantTx};
use plaza_kernel::{Clock, Failure, TenantId};
use plaza_messaging::outbox;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::store;
use crate::Broadcast;
use crate::work::Fault;

/// How long the counts of a campaign that is over may take.
const PATIENCE: Duration = Duration::from_secs(10);

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
    /// Completes running campaigns of which notification has nothing left to do. Never more to do at once.
    pub(crate) async fn reconcile_turn(&self, stop: &CancellationToken) -> Result<bool, Fault> {
        let running = self.unsettled().await?;
        for (tenant, id) in running {
            let counts = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                counts = self.final_counts(tenant, id) => counts,
            };
            let Some(counts) = counts else { continue };
            let tx = self.database.begin(tenant);
            settle(&tx, &self.clock, id, &counts).await?;
            tx.commit().await?;
        }
        Ok(false)
    }

    /// Running campaigns to be looked at, a few of each tenant. At the end of a round the next one begins.
    async fn unsettled(&self) -> Result<Vec<(TenantId, CampaignId)>, Fault> {
        let round = &self.rotations.running;
        let (after, pause) = (round.after(), self.config.reconcile());
        let tx = self.database.begin_system();
        let mut running = store::unsettled(&tx, pause, after).await?;
        if running.is_empty() && !after.is_nil() {
            running = store::unsettled(&tx, pause, Uuid::nil()).await?;
        }
        tx.commit().await?;
        round.had(running.iter().map(|(tenant, _)| *tenant).max());
        Ok(running)
    }

    /// Notification's counts, once nothing is open. Counting a large campaign takes long, so it is not done as long as
    /// the answer can only be "not yet", and it is waited for longer than a page would.
    async fn final_counts(&self, tenant: TenantId, id: CampaignId) -> Option<BTreeMap<String, u64>> {
        match self.notification.open(tenant, id).await {
            Ok(false) => self.counts_within(PATIENCE, tenant, id).await,
            Ok(true) => None,
            Err(error) => {
                tracing::warn!(code = error.code(), "notification does not say what is open");
                None
            }
        }
    }

    /// Notification's counts for a page, unless it is away or slow.
    pub(crate) async fn live_counts(
        &self,
        tenant: TenantId,
        id: CampaignId,
    ) -> Option<BTreeMap<String, u64>> {
        let patience = Duration::from_millis(self.config.counts_milliseconds);
        self.counts_within(patience, tenant, id).await
    }

    async fn counts_within(
        &self,
        patience: Duration,
        tenant: TenantId,
        id: CampaignId,
    ) -> Option<BTreeMap<String, u64>> {
        match tokio::time::timeout(patience, self.notification.counts(tenant, id, patience)).await {
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
