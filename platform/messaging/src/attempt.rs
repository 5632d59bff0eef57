//! One attempt at an event, whatever brought it: inbox row, effect and the end of its waiting in one transaction.
//!
//! What to do about an attempt that came to nothing is for whoever brought the event: `delivery.rs` in process,
//! `rabbitmq/held.rs` over RabbitMQ.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::FutureExt as _;
use futures_util::future::join;
use plaza_database::{Database, DatabaseError, TenantTx, statements};
use plaza_kernel::{Clock, EventId, Failure as _, Kind, TenantId};
use plaza_telemetry::trace::{self, TraceContext};
use tokio::time::{Instant, timeout};
use tracing::Instrument as _;

use crate::subscriptions::Handler;
use crate::{Envelope, MessagingSettings, Unconsumed, error_text};

statements! {
    /// Remembers that a consumer has consumed an event; no row if it had before.
    static REMEMBER: (String, EventId, DateTime<Utc>) => () =
        "INSERT INTO inbox (consumer, event_id, done_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
}

/// A consumer with all that its attempts need.
#[derive(Clone)]
pub(crate) struct Attempt {
    pub(crate) database: Database,
    pub(crate) settings: Arc<MessagingSettings>,
    pub(crate) clock: Clock,
    pub(crate) handler: Arc<dyn Handler>,
    pub(crate) consumer: &'static str,
}

/// The way an event came.
pub(crate) trait Claim: Sync {
    /// Why it may not be consumed now.
    type Obstacle: Send;

    /// Ends the event's waiting in the transaction of its effect, unless it may not be consumed now.
    fn take(
        &self,
        tx: &TenantTx,
    ) -> impl Future<Output = Result<Option<Self::Obstacle>, DatabaseError>> + Send;
}

/// What became of an attempt.
pub(crate) enum Outcome<O> {
    /// The effect is committed.
    Done,
    /// The consumer had consumed the event before.
    Repeated,
    /// It may not be consumed now.
    NotNow(O),
    /// The consumer was not asked: the database was away.
    NotBegun(DatabaseError),
    /// To be tried again, if there are tries left.
    Failed(String),
    /// Never to be tried again.
    Refused(String),
}

impl<O> Outcome<O> {
    const fn label(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Repeated => "repeated",
            Self::NotNow(_) => "not_now",
            Self::NotBegun(_) => "not_begun",
            Self::Failed(_) => "failed",
            Self::Refused(_) => "refused",
        }
    }
}

impl Attempt {
    /// Makes the delivery of this number, counted from 1, in the trace that the event came from.
    pub(crate) async fn make<C: Claim>(
        &self,
        envelope: &Envelope,
        claim: &C,
        number: i32,
    ) -> Outcome<C::Obstacle> {
        let began = Instant::now();
        let span = tracing::info_span!(
            "consume",
            otel.name = format!("consume {}", envelope.name),
            otel.kind = "consumer",
            consumer = self.consumer,
            event = %envelope.id,
            number,
        );
        trace::follow(
            &span,
            envelope.traceparent.as_deref().and_then(TraceContext::parse),
        );
        let outcome = self.outcome(envelope, claim, number).instrument(span).await;
        metrics::histogram!("plaza_consumer_seconds", "consumer" => self.consumer, "outcome" => outcome.label())
            .record(began.elapsed().as_secs_f64());
        outcome
    }

    async fn outcome<C: Claim>(&self, envelope: &Envelope, claim: &C, number: i32) -> Outcome<C::Obstacle> {
        if number > self.settings.deliveries() {
            return Outcome::Refused("its tries came to no end: the process died in the last one".to_owned());
        }
        let Some(tenant) = envelope.tenant else {
            return Outcome::Refused("it belongs to no tenant".to_owned());
        };
        let work = AssertUnwindSafe(self.in_transaction(tenant, envelope, claim));
        match timeout(self.settings.deadline, work.catch_unwind()).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(panic)) => Outcome::Failed(error_text::panic(&*panic)),
            Err(_) => Outcome::Failed(format!("took longer than {:?}", self.settings.deadline)),
        }
    }

    async fn in_transaction<C: Claim>(
        &self,
        tenant: TenantId,
        envelope: &Envelope,
        claim: &C,
    ) -> Outcome<C::Obstacle> {
        let tx = self.database.begin(tenant);
        let (obstacle, fresh) = join(claim.take(&tx), self.remember(&tx, envelope.id)).await;
        let fresh = match obstacle.and_then(|obstacle| fresh.map(|fresh| (obstacle, fresh))) {
            Ok((Some(obstacle), true)) => return Outcome::NotNow(obstacle),
            Ok((_, fresh)) => fresh,
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
        plaza_telemetry::crash::point("consumer.applied");
        let committed = tx.commit().await;
        plaza_telemetry::crash::point("consumer.committed");
        match committed {
            Ok(()) if fresh => Outcome::Done,
            Ok(()) => Outcome::Repeated,
            Err(error) => Outcome::Failed(error_text::chain(&error)),
        }
    }

    /// Whether the event is new to the consumer, remembering it.
    async fn remember(&self, tx: &TenantTx, event: EventId) -> Result<bool, DatabaseError> {
        let params = (self.consumer.to_owned(), event, self.clock.now());
        Ok(tx.execute(&REMEMBER, params).await? > 0)
    }

    /// Counts a dead letter and says why it is one.
    pub(crate) fn buried(&self, envelope: &Envelope, attempts: i32, error: &str) {
        metrics::counter!("plaza_dead_letters_total", "consumer" => self.consumer).increment(1);
        tracing::error!(consumer = self.consumer, event = %envelope.id, name = envelope.name, attempts, error, "dead letter");
    }
}
