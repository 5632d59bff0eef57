//! The transactional outbox: an event is written in the transaction that makes it true.

use chrono::{DateTime, Utc};
use plaza_database::{DatabaseError, Transaction, statements};
use plaza_kernel::{Clock, Event, EventId, TenantId};
use plaza_telemetry::trace::{self, TraceContext};

/// The signal that wakes the relay of the service in this process.
pub(crate) const SIGNAL: &str = "outbox";

statements! {
    /// One event. The source is the service whose schema the connection works in.
    static APPEND: (EventId, Option<TenantId>, String, String, i32, String, Option<String>, DateTime<Utc>) => () =
        "INSERT INTO outbox (event_id, tenant_id, key, name, version, source, payload, traceparent, created_at)
         VALUES ($1, $2, $3, $4, $5, current_schema(), $6, $7, $8)";
}

/// Writes an event into the outbox of the transaction's service. The aggregate's row has to be locked or written
/// before, in the same transaction: so the order of ids is the order of commits per key.
///
/// The event carries on the trace of the span it is written in.
///
/// The event belongs to the transaction's tenant, and is consumed in a transaction of that tenant. An event written
/// in a transaction of the platform belongs to no tenant: consumers of this process refuse it.
pub async fn append<E: Event>(tx: &Transaction, clock: &Clock, event: &E) -> Result<EventId, DatabaseError> {
    let id = EventId::generate(clock);
    // Fails for shapes that are no JSON at all (a map whose keys are no strings): any first use of the event shows it.
    let payload =
        serde_json::to_string(event).map_err(|error| DatabaseError::Unavailable(Some(Box::new(error))))?;
    let params = (
        id,
        tx.scope().tenant(),
        event.order_key().as_str().to_owned(),
        E::NAME.to_owned(),
        i32::from(E::VERSION),
        payload,
        trace::current().map(TraceContext::to_traceparent),
        clock.now(),
    );
    tx.execute(&APPEND, params).await?;
    plaza_telemetry::crash::point("outbox.appended");
    tx.signal_on_commit(SIGNAL);
    Ok(id)
}
