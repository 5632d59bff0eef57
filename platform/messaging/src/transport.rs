//! The narrow seam between the relay and whatever carries messages.

use futures_util::future::BoxFuture;

use crate::Envelope;

/// A message could not be handed over.
#[derive(Debug, thiserror::Error)]
#[error("the transport did not take the message")]
pub struct TransportError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// The answers to one batch: one per message, in order. `Ok` means the transport keeps it durably.
pub type Publish = Vec<Result<(), TransportError>>;

/// Carries messages from the relay to the consumers' runners. In process here; RabbitMQ and Kafka are further
/// implementations of the same trait.
pub trait Transport: Send + Sync + 'static {
    /// Hands over a batch, in order per key, and says for each whether it is kept.
    ///
    /// After a message that could not be handed over, no later one of the same key may be taken; the relay offers
    /// them again, the failed one first. The call may be dropped half-way and a message may be offered again
    /// although it was taken: consumers recognise a repetition by its id.
    fn publish<'a>(&'a self, batch: &'a [Envelope]) -> BoxFuture<'a, Publish>;
}
