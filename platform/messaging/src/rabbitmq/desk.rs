//! Where the messages of one queue are worked on.

use std::sync::Arc;

use lapin::message::Delivery;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::headers::Read;
use super::held::{Held, Interrupted};
use super::publisher::Publisher;
use crate::attempt::Attempt;

/// What the messages of one queue are worked on with.
pub(crate) struct Desk {
    pub(crate) queue: &'static str,
    pub(crate) attempt: Attempt,
    pub(crate) publisher: Arc<Publisher>,
    /// Shared by the consumers of the service: each place holds a connection to the database while it works.
    pub(crate) places: Arc<Semaphore>,
}

/// How the work on a message ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// It is acknowledged.
    Settled,
    /// It is with the broker again.
    Back,
    /// It is with the broker again, and was tried without being counted.
    Uncounted,
    /// The database has been away for too long: everything that is held goes back to the broker.
    DatabaseAway,
}

impl Desk {
    /// Works on a message until it is settled. One that was delivered before may have been tried so often uncounted.
    pub(crate) async fn work(
        &self,
        message: &Delivery,
        read: Result<Read, String>,
        uncounted: i32,
        stop: &CancellationToken,
    ) -> End {
        let held = Held::new(self, message, uncounted, stop);
        let counted = read.as_ref().is_ok_and(|read| read.again);
        let ended = match read {
            Ok(read) => held.event(&read).await,
            Err(reason) => held.unreadable(&reason).await.map(|()| End::Settled),
        };
        ended.unwrap_or_else(|Interrupted| {
            tracing::debug!(
                queue = self.queue,
                tag = message.delivery_tag,
                "a message goes back to the broker"
            );
            if held.was_tried() && !counted {
                End::Uncounted
            } else {
                End::Back
            }
        })
    }
}
