//! The consumers of one service, their event types forgotten.

use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use plaza_database::TenantTx;
use plaza_kernel::Event;

use crate::{Consumer, Envelope, Unconsumed};

/// The consumers of one service.
#[derive(Default, Clone)]
pub struct Subscriptions {
    all: Vec<Subscription>,
}

/// One consumer and what it listens to.
#[derive(Clone)]
pub(crate) struct Subscription {
    pub(crate) consumer: &'static str,
    pub(crate) event: &'static str,
    pub(crate) handler: Arc<dyn Handler>,
}

/// A consumer of any event: it reads the body itself.
pub(crate) trait Handler: Send + Sync {
    /// Decodes and consumes. Another event, another version, or a body that cannot be read is refused for good: somebody
    /// else may have bound the consumer's queue to more than its event.
    fn handle<'a>(
        &'a self,
        tx: &'a TenantTx,
        envelope: &'a Envelope,
    ) -> BoxFuture<'a, Result<(), Unconsumed>>;
}

impl<C: Consumer> Handler for C {
    fn handle<'a>(
        &'a self,
        tx: &'a TenantTx,
        envelope: &'a Envelope,
    ) -> BoxFuture<'a, Result<(), Unconsumed>> {
        async move {
            if envelope.name != C::Event::NAME {
                let known = C::Event::NAME;
                return Err(Unconsumed::permanent(format!("it is no {known}")));
            }
            if envelope.version != C::Event::VERSION {
                let known = C::Event::VERSION;
                return Err(Unconsumed::permanent(format!(
                    "version {} is not {known}",
                    envelope.version
                )));
            }
            let event = serde_json::from_str(&envelope.payload).map_err(Unconsumed::permanent)?;
            self.consume(tx, &event).await
        }
        .boxed()
    }
}

impl Subscriptions {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// One more.
    ///
    /// # Panics
    /// When a consumer of the same name is there already: the inbox could not tell them apart.
    #[must_use]
    pub fn with<C: Consumer>(mut self, consumer: C) -> Self {
        assert!(
            self.find(C::NAME).is_none(),
            "two consumers are named {}",
            C::NAME
        );
        let event = C::Event::NAME;
        self.all.push(Subscription {
            consumer: C::NAME,
            event,
            handler: Arc::new(consumer),
        });
        self
    }

    /// Each consumer's name and the name of the event it listens to.
    pub fn names(&self) -> impl Iterator<Item = (&'static str, &'static str)> + '_ {
        self.all.iter().map(|one| (one.consumer, one.event))
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Subscription> {
        self.all.iter()
    }

    pub(crate) fn find(&self, consumer: &str) -> Option<&Subscription> {
        self.all.iter().find(|one| one.consumer == consumer)
    }
}

impl std::fmt::Debug for Subscriptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.names()).finish()
    }
}
