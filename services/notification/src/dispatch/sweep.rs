//! Resolves doubt: leases whose holder died, and messages that nobody knows the fate of. Ends what waited too long.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;

use plaza_database::DatabaseError;
use plaza_kernel::TenantId;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::doubt::{self, Swept};
use super::expiry::expire;
use super::{DUE, settled};
use crate::Notification;

/// Sweeps until told to stop.
pub(super) async fn run(notification: Notification, stop: CancellationToken) {
    let pause = notification.inner.config.sweep();
    let mut after = Uuid::nil();
    while !stop.is_cancelled() {
        match sweep(&notification, &mut after).await {
            Ok(true) => continue,
            Ok(false) => {}
            Err(error) => tracing::warn!(error = &error as &dyn Error, "messages in doubt not swept"),
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// Says whether there is more of it. `after` is the last tenant that had its turn.
async fn sweep(notification: &Notification, after: &mut Uuid) -> Result<bool, DatabaseError> {
    let inner = &notification.inner;
    let more_over = expire(notification).await?;
    let tx = inner.database.begin_system();
    let swept = doubt::sweep(&tx, *after, inner.config.unknown_wait()).await?;
    if swept.again > 0 {
        tx.signal_on_commit(DUE);
    }
    tx.commit().await?;
    *after = swept.next;
    if !swept.is_empty() {
        let Swept { doubted, again, .. } = swept;
        tracing::info!(
            doubted,
            again,
            given_up = swept.given_up.len(),
            "messages in doubt"
        );
    }
    let more = swept.is_full() || more_over;
    let mut sources: BTreeMap<TenantId, BTreeSet<String>> = BTreeMap::new();
    for (tenant, source) in swept.given_up {
        sources.entry(tenant).or_default().insert(source);
    }
    for (tenant, sources) in sources {
        settled::announce(notification, tenant, &sources).await?;
    }
    Ok(more)
}
