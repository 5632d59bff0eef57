//! Background work: loops that lease a piece of work, do a turn of it, and wait when there is none.

use std::future::Future;
use std::io::ErrorKind;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use plaza_contracts::services::BROADCAST;
use plaza_database::DatabaseError;
use plaza_kernel::{Failure, TenantId};
use plaza_messaging::supervised;
use plaza_rpc::RpcError;
use plaza_telemetry::trace::{self, TraceContext};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Span;
use uuid::Uuid;

use crate::Broadcast;
use crate::notification::is_transient;

/// Wakes the importers.
pub(crate) const IMPORTS: &str = "broadcast.imports";
/// Wakes the planner.
pub(crate) const CAMPAIGNS: &str = "broadcast.campaigns";
/// Wakes whoever tells notification what was decided about campaigns.
pub(crate) const MOVES: &str = "broadcast.moves";
/// Wakes whoever looks whether campaigns are over.
pub(crate) const RECONCILE: &str = "broadcast.reconcile";

/// How many of them there are: a campaign that takes long to be called off keeps no other one from being paused.
const MOVERS: usize = 4;

/// A leased row: whose it is, which, and the token that every write of the holder has to show.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lease<I> {
    /// The tenant.
    pub(crate) tenant: TenantId,
    /// The row.
    pub(crate) id: I,
    /// The token.
    pub(crate) token: Uuid,
    /// The trace that the work was asked for in.
    pub(crate) trace: Option<TraceContext>,
}

impl<I> Lease<I> {
    /// What was claimed with this token.
    pub(crate) fn of((tenant, id, traceparent): Claimed<I>, token: Uuid) -> Self {
        let trace = traceparent.as_deref().and_then(TraceContext::parse);
        Self {
            tenant,
            id,
            token,
            trace,
        }
    }

    /// Makes a span that was just made part of that trace.
    pub(crate) fn follow(&self, span: Span) -> Span {
        trace::follow(&span, self.trace);
        span
    }
}

/// What a claim gives: whose row, which, and the trace that it carries.
pub(crate) type Claimed<I> = (TenantId, I, Option<String>);

/// A length of time as statements take it.
pub(crate) fn in_milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// The trace of the work at hand, as rows keep it.
pub(crate) fn traceparent() -> Option<String> {
    trace::current().map(TraceContext::to_traceparent)
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
    /// Whether trying again is likely to end the same way. Only that counts as a failed attempt: what passes (a
    /// database that is away, a full disk) is waited for as long as it takes.
    pub(crate) fn is_stubborn(&self) -> bool {
        match self {
            Self::Lost => false,
            Self::Database(error) => !is_transient(error.kind()),
            Self::Notification(error) => !is_transient(error.kind()),
            Self::Io(error) => matches!(error.kind(), ErrorKind::NotFound | ErrorKind::InvalidData),
            Self::Panicked(_) => true,
        }
    }
}

/// A loop that runs until it is told to stop.
type Work = fn(Broadcast, CancellationToken) -> BoxFuture<'static, ()>;

/// Starts the loops.
pub(crate) fn start(broadcast: &Broadcast, tasks: &TaskTracker, stop: CancellationToken) {
    let begin = |part, work: Work| {
        let (this, stopped) = (broadcast.clone(), stop.clone());
        let run = move || work(this.clone(), stopped.clone());
        tasks.spawn(supervised(BROADCAST, part, stop.clone(), run));
    };
    for _ in 0..broadcast.config.import_workers.max(1) {
        begin("import", |this, stop| {
            async move {
                let poll = this.config.poll();
                turns(&this, IMPORTS, poll, &stop, || this.import_turn(&stop)).await;
            }
            .boxed()
        });
    }
    begin("plan", |this, stop| {
        async move {
            let poll = this.config.poll();
            turns(&this, CAMPAIGNS, poll, &stop, || this.plan_turn(&stop)).await;
        }
        .boxed()
    });
    for _ in 0..MOVERS {
        begin("move", |this, stop| {
            async move {
                let pause = this.config.reconcile();
                turns(&this, MOVES, pause, &stop, || this.move_turn()).await;
            }
            .boxed()
        });
    }
    begin("begin", |this, stop| {
        async move {
            // Nobody signals that a time has come.
            let (signal, pause) = ("broadcast.begin", this.config.reconcile());
            turns(&this, signal, pause, &stop, || this.begin_turn()).await;
        }
        .boxed()
    });
    begin("reconcile", |this, stop| {
        async move {
            // Notification's event wakes it, which is the fast way; looking by itself is the sure one.
            let pause = this.config.reconcile();
            turns(&this, RECONCILE, pause, &stop, || this.reconcile_turn(&stop)).await;
        }
        .boxed()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_passes_and_a_file_that_is_gone_does_not() {
        let stubborn = |kind| Fault::from(std::io::Error::from(kind)).is_stubborn();
        for passing in [
            ErrorKind::StorageFull,
            ErrorKind::Interrupted,
            ErrorKind::PermissionDenied,
            ErrorKind::Other,
        ] {
            assert!(!stubborn(passing), "{passing:?}");
        }
        assert!(stubborn(ErrorKind::NotFound) && stubborn(ErrorKind::InvalidData));
    }
}
