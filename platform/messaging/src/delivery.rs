//! One delivery: the effect once, in one transaction; everything about trying again outside of it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::join;
use plaza_database::{Database, DatabaseError};
use plaza_kernel::{Clock, Failure as _, Kind, TenantId};
use tokio::time::{Instant, timeout};

use crate::delivery_queue::{self, Claimed};
use crate::subscriptions::Handler;
use crate::{Envelope, MessagingSettings, Unconsumed, error_text, trace};

/// The pause after the database could not be reached; the attempt does not count.
const DATABASE_AWAY: Duration = Duration::from_secs(1);

/// A claimed delivery and the consumer it is for.
pub(crate) struct Delivery {
    pub(crate) database: Database,
    pub(crate) settings: Arc<MessagingSettings>,
    pub(crate) clock: Clock,
    pub(crate) handler: Arc<dyn Handler>,
    pub(crate) consumer: &'static str,
    pub(crate) claimed: Claimed,
}

/// What became of it.
enum Outcome {
    /// The effect is committed.
    Done,
    /// The consumer had consumed the event before.
    Repeated,
    /// Somebody else claimed it meanwhile.
    Lost,
    /// The consumer was not asked: the database was away.
    NotBegun(DatabaseError),
    /// To be tried again, if there are tries left.
    Failed(String),
    /// Never to be tried again.
    Refused(String),
}

impl Outcome {
    const fn label(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Repeated => "repeated",
            Self::Lost => "lost",
            Self::NotBegun(_) => "not_begun",
            Self::Failed(_) => "failed",
            Self::Refused(_) => "refused",
        }
    }
}

impl Delivery {
    /// Makes the delivery and writes down what became of it. Without that (a crash, a dropped task) the claim runs out
    /// and the event is delivered again.
    pub(crate) async fn make(mut self) {
        let began = Instant::now();
        let envelope = self.claimed.take_envelope();
        let outcome = self.outcome(&envelope).await;
        metrics::histogram!("plaza_consumer_seconds", "consumer" => self.consumer, "outcome" => outcome.label())
            .record(began.elapsed().as_secs_f64());
        if let Err(error) = self.record(&envelope, outcome).await {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(consumer = self.consumer, event = %envelope.id, error, "the end of a delivery was not recorded");
        }
    }

    async fn outcome(&self, envelope: &Envelope) -> Outcome {
        if self.claimed.attempts > self.settings.deliveries() {
            return Outcome::Refused(
                "its deliveries came to no end: the process died in the last one".to_owned(),
            );
        }
        let Some(tenant) = envelope.tenant else {
            return Outcome::Refused("it belongs to no tenant".to_owned());
        };
        let work = AssertUnwindSafe(trace::within(
            envelope.traceparent.clone(),
            self.attempt(tenant, envelope),
        ));
        match timeout(self.settings.deadline, work.catch_unwind()).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(panic)) => Outcome::Failed(error_text::panic(&*panic)),
            Err(_) => Outcome::Failed(format!("took longer than {:?}", self.settings.deadline)),
        }
    }

    /// Inbox row, effect and the end of the delivery, in one transaction of the event's tenant.
    async fn attempt(&self, tenant: TenantId, envelope: &Envelope) -> Outcome {
        let tx = self.database.begin(tenant);
        let (ours, fresh) = join(
            delivery_queue::take_away(&tx, &self.claimed),
            delivery_queue::remember(&tx, self.consumer, envelope.id, self.clock.now()),
        )
        .await;
        let fresh = match ours.and_then(|ours| fresh.map(|fresh| (ours, fresh))) {
            Ok((true, fresh)) => fresh,
            Ok((false, _)) => return Outcome::Lost,
            Err(error) if error.kind() == Kind::Unavailable => return Outcome::NotBegun(error),
            Err(error) => return Outcome::Failed(error_text::chain(&error)),
        };
        if fresh && let Err(error) = self.handler.handle(&tx, envelope).await {
            let text = error_text::chain(&error);
            return match error {
                Unconsumed::Retry(_) => Outcome::Failed(text),
                Unconsumed::Permanent(_) => Outcome::Refused(text),
            };
        }
        match tx.commit().await {
            Ok(()) if fresh => Outcome::Done,
            Ok(()) => Outcome::Repeated,
            Err(error) => Outcome::Failed(error_text::chain(&error)),
        }
    }

    async fn record(&self, envelope: &Envelope, outcome: Outcome) -> Result<(), DatabaseError> {
        match outcome {
            Outcome::Done | Outcome::Repeated => Ok(()),
            Outcome::Lost => {
                tracing::debug!(consumer = self.consumer, event = %envelope.id, "another runner has the delivery");
                Ok(())
            }
            Outcome::NotBegun(error) => {
                let error = error_text::chain(&error);
                tracing::warn!(consumer = self.consumer, event = %envelope.id, error, "a delivery could not begin");
                delivery_queue::give_back(&self.database, &self.claimed, DATABASE_AWAY).await
            }
            Outcome::Failed(error) => match self.settings.delay_after(self.claimed.attempts) {
                Some(delay) => {
                    let attempts = self.claimed.attempts;
                    tracing::warn!(consumer = self.consumer, event = %envelope.id, attempts, error, "a delivery failed");
                    delivery_queue::postpone(&self.database, &self.claimed, error, delay).await
                }
                None => self.bury(envelope, error).await,
            },
            Outcome::Refused(error) => self.bury(envelope, error).await,
        }
    }

    async fn bury(&self, envelope: &Envelope, error: String) -> Result<(), DatabaseError> {
        let attempts = self.claimed.attempts;
        if delivery_queue::bury(&self.database, &self.claimed, error.clone(), self.clock.now()).await? {
            metrics::counter!("plaza_dead_letters_total", "consumer" => self.consumer).increment(1);
            tracing::error!(consumer = self.consumer, event = %envelope.id, name = envelope.name, attempts, error, "dead letter");
        }
        Ok(())
    }
}
