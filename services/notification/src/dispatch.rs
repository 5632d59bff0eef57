//! Dispatch: how a message leaves.
//!
//! Due work is rows. A sender is worked by one process at a time (a lease), which claims as many messages as may be
//! in flight, commits, calls the provider, and writes down what came of it together with the next claim. So a crash at
//! any line leaves at most the messages in flight in doubt, and those are `unknown`, not lost: a receipt that carries
//! our reference resolves them, or time does (`sweep.rs`).
//!
//! What may not go out now waits: for its source, which somebody holds (`moving.rs`), for a decent hour, for its turn with
//! its recipient (`pairs.rs`) or its tenant (`limits.rs`). A source whose messages fail is held (`breaker.rs`).
//!
//! Nobody sends at another's cost: senders are looked up in rounds over the tenants (`lease.rs`), and those who claim at
//! the same time are few, with tenants taking turns (`turns.rs`), so that many senders give a tenant no larger share.
//!
//! Read `worker.rs` first, then `verdict.rs` (what an answer of the provider means).

mod attempt;
pub(crate) mod breaker;
mod bucket;
mod claims;
mod doubt;
mod expiry;
mod hold;
mod lease;
mod lessons;
mod limits;
mod moving;
mod pairs;
pub(crate) mod plans;
pub(crate) mod settled;
mod sweep;
mod turns;
mod verdict;
mod worker;
mod working;

use std::time::Duration;

use plaza_contracts::services::NOTIFICATION;
use plaza_database::DatabaseError;
use plaza_messaging::supervised;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::Notification;
pub(crate) use turns::Turns;
use working::{Place, Working};

/// The signal that messages became due.
pub(crate) const DUE: &str = "notification.due";

/// The signal that messages of a source are to be moved.
pub(crate) const MOVED: &str = "notification.moved";

/// The pause before the next senders of a tenant with very many are given workers.
const CROWDED: Duration = Duration::from_millis(100);

/// Starts looking for due messages and for messages in doubt.
pub(crate) fn start(notification: Notification, tasks: &TaskTracker, stop: CancellationToken) {
    let (swept, sweeping) = (notification.clone(), stop.clone());
    tasks.spawn(supervised(NOTIFICATION, "sweep", stop.clone(), move || {
        sweep::run(swept.clone(), sweeping.clone())
    }));
    let (moved, moving) = (notification.clone(), stop.clone());
    tasks.spawn(supervised(NOTIFICATION, "sources", stop.clone(), move || {
        moving::run(moved.clone(), moving.clone())
    }));
    // Known outside of what is started again: nobody is given a second worker by it.
    let (working, workers, discovering) = (Working::default(), tasks.clone(), stop.clone());
    tasks.spawn(supervised(NOTIFICATION, "dispatch", stop, move || {
        discover(
            notification.clone(),
            working.clone(),
            workers.clone(),
            discovering.clone(),
        )
    }));
}

/// Gives every sender with due messages a worker, until told to stop.
async fn discover(
    notification: Notification,
    working: Working,
    workers: TaskTracker,
    stop: CancellationToken,
) {
    let due = notification.inner.database.signal(DUE);
    let poll = notification.inner.config.poll();
    let begin = |key| {
        if let Some(place) = working.begin(key, &due) {
            workers.spawn(work(notification.clone(), place, stop.clone()));
        }
    };
    while !stop.is_cancelled() {
        let pause = match look(&notification, begin).await {
            Ok(true) => poll.min(CROWDED),
            Ok(false) => poll,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "due senders not found");
                poll
            }
        };
        tokio::select! {
            () = due.notified() => {}
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// One round over the tenants; whether one of them may have more due senders.
async fn look(notification: &Notification, begin: impl Fn(working::Key)) -> Result<bool, DatabaseError> {
    let (mut after, mut more) = (Some(Uuid::nil()), false);
    while let Some(tenant) = after {
        let found = lease::due_senders(&notification.inner.database, tenant).await?;
        found.senders.into_iter().for_each(&begin);
        after = found.next;
        more |= found.more;
    }
    Ok(more)
}

/// A failure is not tried again at once: the next look at the queue finds the sender due.
async fn work(notification: Notification, place: Place, stop: CancellationToken) {
    if let Err(error) = worker::run(&notification, &place, stop).await {
        let (_, sender) = place.key();
        tracing::warn!(%sender, error = &error as &dyn std::error::Error, "sender not worked to the end");
    }
}
