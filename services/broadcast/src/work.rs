//! Background work: loops that lease a piece of work, do a turn of it, and wait when there is none.

use std::future::Future;
use std::time::Duration;

use plaza_database::DatabaseError;
use plaza_kernel::{Failure, TenantId};
use plaza_rpc::RpcError;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::Broadcast;
use crate::notification::is_transient;

/// Wakes the importers.
pub(crate) const IMPORTS: &str = "broadcast.imports";
/// Wakes the planner.
pub(crate) const CAMPAIGNS: &str = "broadcast.campaigns";

/// A leased row: whose it is, which, and the token that every write of the holder has to show.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lease<I> {
    /// The tenant.
    pub(crate) tenant: TenantId,
    /// The row.
    pub(crate) id: I,
    /// The token.
    pub(crate) token: Uuid,
    /// How often in a row the work was begun without getting any further.
    pub(crate) attempts: i32,
}

/// Why a turn ended before its time.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// Somebody else holds the lease now.
    #[error("the lease was lost")]
    Lost,
    /// The database failed.
    #[error("database failed")]
    Database(#[from] DatabaseError),
    /// Notification failed.
    #[error("notification failed")]
    Notification(#[from] RpcError),
    /// The disk failed.
    #[error("the file cannot be read")]
    Io(#[from] std::io::Error),
    /// A thread ended in a panic.
    #[error("the work panicked")]
    Panicked(#[from] tokio::task::JoinError),
}

impl Fault {
    /// Whether trying again is likely to end the same way.
    pub(crate) fn is_stubborn(&self) -> bool {
        match self {
            Self::Lost => false,
            Self::Database(error) => !is_transient(error.kind()),
            Self::Notification(error) => !is_transient(error.kind()),
            Self::Io(_) | Self::Panicked(_) => true,
        }
    }
}

/// Starts the loops.
pub(crate) fn start(broadcast: &Broadcast, tasks: &TaskTracker, stop: CancellationToken) {
    let this = broadcast.clone();
    tasks.spawn(async move { this.sweep_uploads().await });
    for _ in 0..broadcast.config.import_workers.max(1) {
        let (this, stopped) = (broadcast.clone(), stop.clone());
        tasks.spawn(async move {
            let poll = this.config.poll();
            turns(&this, IMPORTS, poll, &stopped, || this.import_turn(&stopped)).await;
        });
    }
    let (this, stopped) = (broadcast.clone(), stop.clone());
    tasks.spawn(async move {
        let poll = this.config.poll();
        turns(&this, CAMPAIGNS, poll, &stopped, || this.plan_turn(&stopped)).await;
    });
    let (this, stopped) = (broadcast.clone(), stop);
    tasks.spawn(async move {
        // No signal of its own: the event of notification is the fast way, this one only the sure one.
        let pause = this.config.reconcile();
        turns(&this, "broadcast.reconcile", pause, &stopped, || {
            this.reconcile_turn()
        })
        .await;
    });
}

/// Takes turns until told to stop. A turn answers whether there may be more to do at once.
async fn turns<F, Fut>(
    broadcast: &Broadcast,
    signal: &'static str,
    pause: Duration,
    stop: &CancellationToken,
    turn: F,
) where
    F: Fn() -> Fut,
    Fut: Future<Output = Result<bool, Fault>>,
{
    let wake = broadcast.database.signal(signal);
    while !stop.is_cancelled() {
        let woken = wake.notified();
        let more = turn().await.unwrap_or_else(|fault| {
            tracing::error!(
                error = &fault as &dyn std::error::Error,
                work = signal,
                "background work failed"
            );
            false
        });
        if !more {
            tokio::select! {
                () = stop.cancelled() => {}
                () = woken => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }
}
