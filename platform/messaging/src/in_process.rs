//! The in-process transport: a durable queue table per consuming service, so that a crash loses nothing.
//!
//! To publish is to insert into `deliveries` of every hosted service with a consumer of the event: one row per
//! consumer and event, none if the consumer has it already. An event that nobody here consumes is acknowledged and
//! gone: this transport is for processes that host all services. A topology that spreads services over processes
//! needs a broker.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, Utc};
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, join_all};
use plaza_database::{Database, DatabaseError, statements};
use plaza_kernel::{EventId, Failure as _, TenantId};
use tokio::time::Instant;

use crate::{Envelope, Publish, Subscriptions, Taken, Transport, TransportError, runner};

statements! {
    /// Queues events for consumers, in the order given.
    system static DELIVER: (
        Vec<String>, Vec<EventId>, Vec<Option<TenantId>>, Vec<String>, Vec<String>,
        Vec<i32>, Vec<String>, Vec<String>, Vec<Option<String>>, Vec<DateTime<Utc>>,
    ) => () =
        "INSERT INTO deliveries
                (consumer, event_id, tenant_id, key, name, version, source, payload, traceparent, created_at)
         SELECT e.consumer, e.event_id, e.tenant_id, e.key, e.name, e.version, e.source, e.payload, e.traceparent,
                e.created_at
           FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::text[], $5::text[],
                       $6::int4[], $7::text[], $8::text[], $9::text[], $10::timestamptz[])
                WITH ORDINALITY AS e (consumer, event_id, tenant_id, key, name,
                                      version, source, payload, traceparent, created_at, place)
          WHERE NOT EXISTS (SELECT FROM inbox i WHERE i.consumer = e.consumer AND i.event_id = e.event_id)
            AND NOT EXISTS (SELECT FROM dead_letters d
                             WHERE d.consumer = e.consumer AND d.event_id = e.event_id AND d.state = 'dead')
          ORDER BY e.place
             ON CONFLICT DO NOTHING";
}

/// Hands events to the consumers that are hosted in the same process.
#[derive(Default)]
pub struct InProcess {
    routes: RwLock<Vec<Arc<Route>>>,
}

/// A hosted service and who in it listens to what.
struct Route {
    database: Database,
    listeners: Vec<(&'static str, &'static str)>,
}

impl InProcess {
    /// Nobody listens yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on these consumers of a service are served.
    pub fn serve(&self, database: Database, subscriptions: &Subscriptions) {
        let route = Route {
            database,
            listeners: subscriptions.names().collect(),
        };
        self.routes
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Arc::new(route));
    }
}

impl Transport for InProcess {
    /// One flight for each service: in time, or not at all.
    fn publish<'a>(&'a self, batch: &'a [Envelope], _until: Instant) -> BoxFuture<'a, Publish> {
        async move {
            let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner).clone();
            let refused: Vec<Refusal> = join_all(routes.iter().map(|route| route.queue(batch)))
                .await
                .into_iter()
                .flatten()
                .collect();
            let heard = |envelope: &Envelope| routes.iter().any(|route| route.hears(&envelope.name));
            batch
                .iter()
                .map(|envelope| answer(&refused, envelope.id, heard(envelope)))
                .collect()
        }
        .boxed()
    }
}

/// A service did not take these events, because of this.
struct Refusal {
    events: HashSet<EventId>,
    error: Arc<DatabaseError>,
}

fn answer(refused: &[Refusal], event: EventId, heard: bool) -> Result<Taken, TransportError> {
    match refused.iter().find(|refusal| refusal.events.contains(&event)) {
        Some(refusal) => Err(TransportError::new(
            refusal.error.kind(),
            Arc::clone(&refusal.error),
        )),
        None if heard => Ok(Taken::Kept),
        None => Ok(Taken::Unheard),
    }
}

impl Route {
    fn hears(&self, event: &str) -> bool {
        self.listeners.iter().any(|(_, heard)| *heard == event)
    }

    /// All of the batch that concerns this service, or nothing of it.
    async fn queue(&self, batch: &[Envelope]) -> Option<Refusal> {
        let rows: Vec<(&str, &Envelope)> = batch
            .iter()
            .flat_map(|envelope| {
                let listeners = self.listeners.iter().filter(|(_, event)| *event == envelope.name);
                listeners.map(move |(consumer, _)| (*consumer, envelope))
            })
            .collect();
        if rows.is_empty() {
            return None;
        }
        let error = Arc::new(self.insert(&rows).await.err()?);
        Some(Refusal {
            events: rows.iter().map(|(_, envelope)| envelope.id).collect(),
            error,
        })
    }

    async fn insert(&self, rows: &[(&str, &Envelope)]) -> Result<(), DatabaseError> {
        let tx = self.database.begin_system();
        let params = (
            rows.iter().map(|(consumer, _)| (*consumer).to_owned()).collect(),
            rows.iter().map(|(_, e)| e.id).collect(),
            rows.iter().map(|(_, e)| e.tenant).collect(),
            rows.iter().map(|(_, e)| e.key.clone()).collect(),
            rows.iter().map(|(_, e)| e.name.clone()).collect(),
            rows.iter().map(|(_, e)| i32::from(e.version)).collect(),
            rows.iter().map(|(_, e)| e.source.clone()).collect(),
            rows.iter().map(|(_, e)| e.payload.clone()).collect(),
            rows.iter().map(|(_, e)| e.traceparent.clone()).collect(),
            rows.iter().map(|(_, e)| e.at).collect(),
        );
        tx.signal_on_commit(runner::SIGNAL);
        tx.execute_and_commit(&DELIVER, params).await?;
        Ok(())
    }
}
