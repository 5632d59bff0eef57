//! Completing campaigns: fast by notification's event, surely by asking it every few seconds.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use plaza_contracts::ids::CampaignId;
use plaza_database::{DatabaseError, TenantTx};
use plaza_kernel::{Clock, Failure, TenantId};
use plaza_messaging::outbox;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{claims, store};
use crate::Broadcast;
use crate::work::Fault;

/// How long the counts of a campaign that is over may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many campaigns are looked at together: one that takes long to be counted keeps the others waiting no longer than that.
const AT_ONCE: usize = 4;

/// Completes a campaign if these counts of notification say so, which were asked for when it had this version.
async fn settle(
    tx: &TenantTx,
    clock: &Clock,
    (id, version): (CampaignId, i64),
    by_state: &BTreeMap<String, u64>,
) -> Result<bool, DatabaseError> {
    let Some(mut campaign) = store::lock(tx, id).await? else {
        return Ok(false);
    };
    // Something was decided meanwhile, perhaps to send once more what failed: the counts are of before.
    if campaign.version != version {
        return Ok(false);
    }
    // Not settled: planning goes on, or notification does not know every message yet. The reconciler will see it.
    let Some(changed) = campaign.settle(by_state) else {
        return Ok(false);
    };
    store::save(tx, &mut campaign, clock.now()).await?;
    outbox::append(tx, clock, &changed).await?;
    Ok(true)
}

impl Broadcast {
    /// Completes running campaigns of which notification has nothing left to do; whether there may be more of which it says
    /// so.
    pub(crate) async fn reconcile_turn(&self, stop: &CancellationToken) -> Result<bool, Fault> {
        let tx = self.database.begin_system();
        let unseen = claims::unseen(&tx).await?;
        tx.commit().await?;
        let more = !unseen.is_empty();
        let running = if more { unseen } else { self.unsettled().await? };
        let mut looks = stream::iter(running)
            .map(|running| self.look_at(running))
            .buffer_unordered(AT_ONCE);
        while let Some(looked) = tokio::select! {
            biased;
            () = stop.cancelled() => None,
            looked = looks.next() => looked,
        } {
            looked?;
        }
        Ok(more)
    }

    async fn look_at(&self, (tenant, id, version): claims::Running) -> Result<(), Fault> {
        let Some(counts) = self.final_counts(tenant, id).await else {
            return Ok(());
        };
        let tx = self.database.begin(tenant);
        settle(&tx, &self.clock, (id, version), &counts).await?;
        Ok(tx.commit().await?)
    }

    /// Running campaigns to be looked at, a few of each tenant. At the end of a round the next one begins.
    async fn unsettled(&self) -> Result<Vec<claims::Running>, Fault> {
        let round = &self.rotations.running;
        let (after, pause) = (round.after(), self.config.reconcile());
        let tx = self.database.begin_system();
        let mut running = claims::unsettled(&tx, pause, after).await?;
        if running.is_empty() && !after.is_nil() {
            running = claims::unsettled(&tx, pause, Uuid::nil()).await?;
        }
        tx.commit().await?;
        round.had(running.iter().map(|(tenant, ..)| *tenant).max());
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
