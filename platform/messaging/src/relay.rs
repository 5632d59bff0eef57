//! The relay: carries a service's outbox to the transport, in order per key, tenants in turn.
//!
//! One round is: take the lease and read what is due (one transaction), publish, delete what was acknowledged and
//! give the lease back (one transaction). A crash between the last two publishes again, which consumers recognise.
//! Whoever lost the lease stops: shortly before the lease runs out the transport says what was kept by then, and when it
//! runs out the publication is dropped.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join;
use plaza_database::{Database, DatabaseError};
use plaza_kernel::{Clock, Kind, TenantId};
use plaza_telemetry::trace::{self, TraceContext};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::Span;
use uuid::Uuid;

use crate::outbox_queue::{self, Failed, Postponed};
use crate::{Envelope, MessagingSettings, Publish, Taken, Transport, lease, outbox};

/// A row is parked only if something else was kept not longer ago than this: when the transport is away, nothing is
/// given up, whether or not it says that it is away.
const TRANSPORT_WORKS: Duration = Duration::from_secs(300);
/// The share of a lease that is left for writing down what was published.
const WRITING: u32 = 10;

/// Relays the outbox of one service.
pub(crate) struct Relay {
    database: Database,
    transport: Arc<dyn Transport>,
    settings: Arc<MessagingSettings>,
    holder: Uuid,
    got_through: Mutex<Option<Instant>>,
    /// The tenant that was served last.
    served: Mutex<Uuid>,
}

/// What a round came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Round {
    /// Something was published: there may be more.
    Published,
    /// Nothing is due, another process relays, or the transport took nothing.
    Idle,
}

impl Relay {
    pub(crate) fn new(
        database: Database,
        transport: Arc<dyn Transport>,
        settings: Arc<MessagingSettings>,
        clock: &Clock,
    ) -> Self {
        Self {
            database,
            transport,
            settings,
            holder: clock.uuid(),
            got_through: Mutex::new(None),
            served: Mutex::default(),
        }
    }

    /// Relays until told to stop; a round that began is finished.
    pub(crate) async fn run(&self, stop: &CancellationToken) {
        let wake = self.database.signal(outbox::SIGNAL);
        while !stop.is_cancelled() {
            let woken = wake.notified();
            tokio::pin!(woken);
            // Registered before the round reads: what is committed during the round wakes the next one.
            woken.as_mut().enable();
            match self.round().await {
                Ok(Round::Published) => continue,
                Ok(Round::Idle) => {}
                Err(error) => {
                    let error: &dyn std::error::Error = &error;
                    tracing::warn!(service = %self.database.service(), error, "relaying the outbox failed");
                }
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = woken => {}
            }
        }
    }

    /// One batch.
    pub(crate) async fn round(&self) -> Result<Round, DatabaseError> {
        let lease_ends = Instant::now() + self.settings.lease;
        let tx = self.database.begin_system();
        let (epoch, due) = join(
            lease::take(&tx, self.holder, self.settings.lease),
            outbox_queue::due(&tx, self.holder, self.settings.batch, self.served()),
        )
        .await;
        let (epoch, due) = (epoch?, due?);
        tx.commit().await?;
        let Some(epoch) = epoch else {
            return Ok(Round::Idle);
        };
        if let Some(last) = due.iter().max_by_key(|waiting| waiting.step) {
            *self.served.lock().unwrap_or_else(PoisonError::into_inner) = last.turn();
        }
        let (ids, mut batch): (Vec<i64>, Vec<Envelope>) = due
            .into_iter()
            .map(|waiting| (waiting.id, waiting.into_envelope()))
            .unzip();
        // They last as long as the publication.
        let spans: Vec<Span> = batch.iter_mut().filter_map(publishing).collect();
        let answers = self.publish(&batch, lease_ends).await;
        if !batch.is_empty() {
            plaza_telemetry::crash::point("relay.published");
        }
        drop(spans);
        self.settle(epoch, Settlement::of(&ids, &batch, answers)).await
    }

    fn served(&self) -> Uuid {
        *self.served.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Publishes while the lease lasts. A transport that does not answer until then has kept nothing that is known: the
    /// batch is offered again.
    async fn publish(&self, batch: &[Envelope], lease_ends: Instant) -> Option<Publish> {
        if batch.is_empty() {
            return Some(Vec::new());
        }
        let until = lease_ends - self.settings.lease / WRITING;
        let answers = timeout_at(lease_ends, self.transport.publish(batch, until))
            .await
            .ok();
        if answers.is_none() {
            tracing::warn!(service = %self.database.service(), events = batch.len(), "the lease ran out while publishing");
        }
        answers
    }

    async fn settle(&self, epoch: i64, settlement: Settlement) -> Result<Round, DatabaseError> {
        let count = settlement.acknowledged.len();
        let may_park = self.transport_works(settlement.kept);
        let tx = self.database.begin_system();
        let postponed = outbox_queue::postpone(&tx, settlement.failed, &self.settings, may_park).await?;
        lease::finish(tx, settlement.acknowledged, self.holder, epoch).await?;
        self.report(count, &postponed);
        Ok(if count > 0 { Round::Published } else { Round::Idle })
    }

    fn transport_works(&self, kept: bool) -> bool {
        let mut got_through = self.got_through.lock().unwrap_or_else(PoisonError::into_inner);
        if kept {
            *got_through = Some(Instant::now());
        }
        got_through.is_some_and(|at| at.elapsed() < TRANSPORT_WORKS)
    }

    fn report(&self, relayed: usize, postponed: &[Postponed]) {
        let service = self.database.service();
        metrics::counter!("plaza_outbox_relayed_total", "service" => service.as_str())
            .increment(relayed as u64);
        for failed in postponed {
            let (event, name, attempts) = (failed.event_id, &failed.name, failed.attempts);
            if failed.parked {
                metrics::counter!("plaza_outbox_parked_total", "service" => service.as_str()).increment(1);
                tracing::error!(%service, %event, name, attempts, "an event cannot be published and was parked");
            } else {
                tracing::warn!(%service, %event, name, attempts, "an event could not be published");
            }
        }
    }
}

/// The publication of an event, in the trace that it was written in; the event carries it on from there.
fn publishing(envelope: &mut Envelope) -> Option<Span> {
    let written = TraceContext::parse(envelope.traceparent.as_deref()?)?;
    let span = tracing::info_span!(
        "publish",
        otel.name = format!("publish {}", envelope.name),
        otel.kind = "producer",
        event = %envelope.id,
    );
    trace::follow(&span, Some(written));
    if let Some(here) = span.in_scope(trace::current) {
        envelope.traceparent = Some(here.to_traceparent());
    }
    Some(span)
}

/// The answers to a batch, sorted.
#[derive(Default)]
struct Settlement {
    acknowledged: Vec<i64>,
    failed: Vec<Failed>,
    /// Whether the transport kept something: it works.
    kept: bool,
}

impl Settlement {
    /// What stands behind a failed row of its key is neither: it is offered again, after the failed one.
    fn of(ids: &[i64], batch: &[Envelope], answers: Option<Publish>) -> Self {
        let mut blocked: HashSet<(Option<TenantId>, &str)> = HashSet::new();
        let mut settlement = Self::default();
        for ((id, envelope), answer) in ids.iter().zip(batch).zip(answers.unwrap_or_default()) {
            if blocked.contains(&envelope.lane()) {
                continue;
            }
            match answer {
                Ok(taken) => {
                    settlement.acknowledged.push(*id);
                    settlement.kept |= taken == Taken::Kept;
                }
                Err(error) => {
                    blocked.insert(envelope.lane());
                    settlement.failed.push(Failed {
                        id: *id,
                        error: crate::error_text::chain(&error),
                        counts: !error.passes(),
                        throttled: error.kind() == Kind::Throttled,
                    });
                }
            }
        }
        settlement
    }
}
