//! Brings the messages of a source to where the source wants them, after it was held, released or called off.
//!
//! Whoever changed a source has been answered by then; a crash costs nothing, because the row says that there is something
//! to do. Sources take turns, a few thousand messages each.

use std::collections::{BTreeSet, HashMap};
use std::error::Error;

use plaza_database::DatabaseError;
use plaza_kernel::TenantId;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{DUE, MOVED, plans, settled};
use crate::Notification;
use crate::sources::{Standing, store};

type Key = (TenantId, String);

/// How far this process is through the messages of a source, and what it moved on the way.
#[derive(Default)]
struct Progress {
    after: Uuid,
    moved: u64,
}

/// Moves until told to stop.
pub(super) async fn run(notification: Notification, stop: CancellationToken) {
    let changed = notification.inner.database.signal(MOVED);
    let poll = notification.inner.config.poll();
    let mut progress = HashMap::new();
    while !stop.is_cancelled() {
        match round(&notification, &mut progress, &stop).await {
            Ok(true) => continue,
            Ok(false) => {}
            Err(error) => tracing::warn!(error = &error as &dyn Error, "messages of sources not moved"),
        }
        tokio::select! {
            () = changed.notified() => {}
            () = tokio::time::sleep(poll) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// One part of every source that has something to be moved; whether there is more to be moved at once.
async fn round(
    notification: &Notification,
    progress: &mut HashMap<Key, Progress>,
    stop: &CancellationToken,
) -> Result<bool, DatabaseError> {
    let (mut place, mut more) = ((Uuid::nil(), String::new()), false);
    let mut seen = BTreeSet::new();
    loop {
        let (found, full) = store::to_move(&notification.inner.database, place.clone()).await?;
        for key in &found {
            if stop.is_cancelled() {
                return Ok(false);
            }
            let made = progress.entry(key.clone()).or_default();
            more |= step(notification, key, made).await?;
            seen.insert(key.clone());
        }
        match found.into_iter().next_back() {
            Some((tenant, source)) if full => place = (tenant.as_uuid(), source),
            _ => break,
        }
    }
    progress.retain(|key, _| seen.contains(key));
    Ok(more)
}

/// The next part of one source; whether there is more of it to be moved at once. A pass that moved something is followed by
/// another one, and one that moved nothing by the question whether that is all.
async fn step(
    notification: &Notification,
    (tenant, source): &Key,
    progress: &mut Progress,
) -> Result<bool, DatabaseError> {
    let tx = notification.inner.database.begin(*tenant);
    let (planned, part) = tokio::join!(
        biased;
        plans::anew(&tx),
        store::move_some(&tx, source, progress.after)
    );
    planned?;
    let Some(part) = part? else { return Ok(false) };
    if part.standing == Standing::Active && part.moved > 0 {
        tx.signal_on_commit(DUE);
    }
    if let Some(last) = part.last {
        tx.commit().await?;
        plaza_telemetry::crash::point("sources.moved");
        progress.after = last;
        progress.moved += part.moved;
        return Ok(true);
    }
    let arrived = progress.moved == 0 && store::arrived(&tx, source, part.epoch).await?;
    tx.commit().await?;
    if arrived && part.standing == Standing::Cancelled {
        announce(notification, *tenant, source).await;
    }
    Ok(std::mem::take(progress).moved > 0)
}

/// Whoever waits for an announcement that is lost here asks for the counts now and then.
async fn announce(notification: &Notification, tenant: TenantId, source: &str) {
    let source = BTreeSet::from([source.to_owned()]);
    if let Err(error) = settled::announce(notification, tenant, &source).await {
        tracing::warn!(
            error = &error as &dyn Error,
            "a source that was called off is not announced"
        );
    }
}
