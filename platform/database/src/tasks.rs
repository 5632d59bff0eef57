//! The one home of this crate's tasks.
//!
//! They are not on the process's `TaskTracker`: a task here either drives a connection and ends with it, or carries
//! one flight and ends with the server's answer. Whoever waits for verbs to finish has waited for these too.

use std::future::Future;

use tokio::task::JoinHandle;

#[expect(
    clippy::disallowed_methods,
    reason = "a flight outlives its caller, and a connection its borrowers"
)]
pub(crate) fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tokio::spawn(future)
}
