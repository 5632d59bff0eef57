//! Consumers: what a service does when it hears of a fact.

use std::error::Error;
use std::future::Future;

use plaza_database::TenantTx;
use plaza_kernel::Event;

/// Why an event could not be consumed, and whether trying again makes sense.
#[derive(Debug, thiserror::Error)]
pub enum Unconsumed {
    /// Try again after the usual delays; after the last one it becomes a dead letter.
    #[error("not consumed for now")]
    Retry(#[source] Box<dyn Error + Send + Sync>),
    /// Trying again cannot help: a dead letter at once.
    #[error("cannot be consumed")]
    Permanent(#[source] Box<dyn Error + Send + Sync>),
}

impl Unconsumed {
    /// Try again later.
    pub fn retry(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Retry(error.into())
    }

    /// Never try again.
    pub fn permanent(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Permanent(error.into())
    }
}

/// Does the work of one event, and nothing else: the runner owns the transaction, the inbox row
/// `(consumer, event id)`, retries and dead letters. So delivery is at least once and the effect once.
///
/// Everything the effect consists of goes through `tx`; what it has to cause elsewhere is an event appended to the
/// outbox in `tx`.
pub trait Consumer: Send + Sync + 'static {
    /// What it consumes.
    type Event: Event;
    /// Its name, unique in Plaza: `<service>.<what it does>`. Never changed: the inbox remembers it.
    const NAME: &'static str;

    /// The effect, inside the runner's transaction of the event's tenant.
    fn consume(
        &self,
        tx: &TenantTx,
        event: &Self::Event,
    ) -> impl Future<Output = Result<(), Unconsumed>> + Send;
}
