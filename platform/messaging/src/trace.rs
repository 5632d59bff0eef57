//! The trace that a piece of work belongs to, carried from event to event.

use std::future::Future;

tokio::task_local! {
    static TRACEPARENT: Option<String>;
}

/// Runs work as part of a trace (W3C `traceparent`): events appended inside carry it on.
pub async fn within<F: Future>(traceparent: Option<String>, work: F) -> F::Output {
    TRACEPARENT.scope(traceparent, work).await
}

/// The trace that this task works for.
pub fn current() -> Option<String> {
    TRACEPARENT.try_with(Clone::clone).ok().flatten()
}
