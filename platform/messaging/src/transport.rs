//! The narrow seam between the relay and whatever carries messages.

use std::error::Error;

use futures_util::future::BoxFuture;
use plaza_kernel::Kind;
use tokio::time::Instant;

use crate::Envelope;

/// A message could not be handed over.
#[derive(Debug, thiserror::Error)]
#[error("the transport did not take the message")]
pub struct TransportError {
    kind: Kind,
    #[source]
    source: Box<dyn Error + Send + Sync>,
}

impl TransportError {
    /// An error of this kind. The kind decides whether the failure is held against the message.
    pub fn new(kind: Kind, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            kind,
            source: source.into(),
        }
    }

    /// The transport is away or busy: that says nothing about the message.
    pub fn away(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(Kind::Unavailable, source)
    }

    /// The transport does not take this message.
    pub fn refused(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(Kind::Internal, source)
    }

    /// What sort of failure it is.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether it passes without anybody doing anything about the message.
    pub const fn passes(&self) -> bool {
        matches!(
            self.kind,
            Kind::Unavailable | Kind::Throttled | Kind::DeadlineExceeded
        )
    }
}

/// What became of a message that the transport took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// The transport keeps it durably.
    Kept,
    /// Nobody listens to it, so there was nothing to keep: no proof that the transport works.
    Unheard,
}

/// The answers to one batch: one per message, in order. `Ok` means that the relay may forget the message.
pub type Publish = Vec<Result<Taken, TransportError>>;

/// Carries messages from the relay to the consumers: [`InProcess`](crate::InProcess), [`RabbitMq`](crate::RabbitMq).
pub trait Transport: Send + Sync + 'static {
    /// Hands over a batch, in order per key, and says for each whether it is kept.
    ///
    /// After a message that could not be handed over, no later one of the same key may be taken; the relay offers
    /// them again, the failed one first. A message may be offered again although it was taken: consumers recognise a
    /// repetition by its id.
    ///
    /// A transport that takes long answers by `until` with what is known then, and for the rest with an error that
    /// passes: so much is done. Soon after that the call is dropped, and all of it is offered again.
    fn publish<'a>(&'a self, batch: &'a [Envelope], until: Instant) -> BoxFuture<'a, Publish>;
}
