//! All SQL that queues messages or counts them. Lists are in `listing.rs`; claiming and settling in `dispatch/claims.rs`.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use plaza_contracts::ids::SenderId;
use plaza_database::{Database, DatabaseError, TenantTx, statements};
use plaza_kernel::TenantId;
use plaza_telemetry::trace::{self, TraceContext};
use uuid::Uuid;

use super::queue::{Batch, Queued};
use crate::sources::Standing;

/// How long counting the messages of a source may take.
const COUNTING: Duration = Duration::from_secs(10);

statements! {
    // Due by the database's clock, by which it is claimed. What is held is due a thousand years later, as are those that
    // were there when it was.
    static QUEUE: (TenantId, String, SenderId, Vec<Uuid>, Vec<String>, Vec<String>, Vec<String>, Vec<Option<String>>,
                   Vec<Option<String>>, Vec<Option<DateTime<Utc>>>, Vec<Option<DateTime<Utc>>>, Vec<Option<i32>>,
                   Option<String>, DateTime<Utc>, String, Vec<Option<String>>) => () =
        "INSERT INTO notification.messages
                (tenant_id, id, source, sender_id, channel, address, content, class, zone, expires_at, segments, state,
                 error_code, error_text, due_at, traceparent, created_at, updated_at)
         SELECT $1, m.id, $2, $3, m.channel, m.address, m.content, m.class, m.zone, m.expires_at, m.segments,
                CASE WHEN m.problem IS NOT NULL THEN 'failed'
                     WHEN $15 = 'cancelled' THEN 'cancelled' ELSE 'queued' END,
                CASE WHEN m.problem IS NOT NULL THEN 'UNACCEPTABLE' END, m.problem,
                greatest(now(), m.not_before) + CASE WHEN $15 = 'held' THEN interval '1000 years'
                                                     ELSE interval '0' END,
                $13, $14, $14
           FROM unnest($4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::timestamptz[],
                       $11::timestamptz[], $12::int[], $16::text[])
                AS m (id, channel, address, content, class, zone, expires_at, not_before, segments, problem)
         ON CONFLICT (tenant_id, id) DO NOTHING";
    static OF_OTHER_SOURCE: (TenantId, Vec<Uuid>, String) => (bool,) =
        "SELECT EXISTS (SELECT FROM notification.messages WHERE tenant_id = $1 AND id = ANY ($2) AND source <> $3)";
    // For the rest of the transaction: counting a large source takes longer than a statement may otherwise.
    static PATIENTLY: (String,) => (String,) = "SELECT set_config('statement_timeout', $1, true)";
    static COUNTS: (TenantId, String) => (String, i64) =
        "SELECT state, count(*) FROM notification.messages WHERE tenant_id = $1 AND source = $2 GROUP BY state";
    static OPEN: (TenantId, String) => (bool,) =
        "SELECT EXISTS (SELECT FROM notification.messages
                         WHERE tenant_id = $1 AND source = $2 AND state IN ('queued', 'leased', 'unknown'))";
}

/// Parallel arrays, one element a message: id, channel, address, content, class, zone, end, not before, segments, problem.
type Arrays = (
    Vec<Uuid>,
    Vec<String>,
    Vec<String>,
    Vec<String>,
    Vec<Option<String>>,
    Vec<Option<String>>,
    Vec<Option<DateTime<Utc>>>,
    Vec<Option<DateTime<Utc>>>,
    Vec<Option<i32>>,
    Vec<Option<String>>,
);

/// Writes messages as queued, in the trace of the work at hand; those that are there already stay as they are. How many are
/// new.
pub(crate) async fn queue(
    tx: &TenantTx,
    (source, sender, standing): (&str, SenderId, Standing),
    messages: Vec<Queued>,
    at: DateTime<Utc>,
) -> Result<u64, DatabaseError> {
    let (ids, channels, addresses, contents, classes, zones, ends, not_before, segments, problems) =
        arrays(messages);
    let params = (
        tx.tenant(),
        source.to_owned(),
        sender,
        ids,
        channels,
        addresses,
        contents,
        classes,
        zones,
        ends,
        not_before,
        segments,
        trace::current().map(TraceContext::to_traceparent),
        at,
        standing.as_str().to_owned(),
        problems,
    );
    tx.execute(&QUEUE, params).await
}

fn arrays(messages: Vec<Queued>) -> Arrays {
    let mut arrays = Arrays::default();
    for message in messages {
        arrays.0.push(message.id.as_uuid());
        arrays.1.push(message.channel);
        arrays.2.push(message.address);
        arrays.3.push(message.content);
        arrays.4.push(message.class);
        arrays.5.push(message.zone);
        arrays.6.push(message.expires_at);
        arrays.7.push(message.not_before);
        arrays.8.push(message.segments);
        arrays.9.push(message.problem);
    }
    arrays
}

/// Whether one of these ids belongs to a message of another source.
pub(crate) async fn is_of_other_source(tx: &TenantTx, batch: &Batch) -> Result<bool, DatabaseError> {
    let params = (tx.tenant(), ids(batch), batch.source.clone());
    Ok(tx.one(&OF_OTHER_SOURCE, params).await?.0)
}

fn ids(batch: &Batch) -> Vec<Uuid> {
    batch
        .messages
        .iter()
        .map(|message| message.message_id.as_uuid())
        .collect()
}

/// Lets the statements of this transaction that come after it take longer than one may otherwise.
pub(crate) async fn patiently(tx: &TenantTx, patience: Duration) -> Result<(), DatabaseError> {
    tx.one(&PATIENTLY, (patience.as_millis().max(1).to_string(),))
        .await
        .map(drop)
}

/// How many messages of a source are in each state. Looks at every one of them: takes long where there are many, and
/// whoever waits for the end asks first whether anything is open.
pub(crate) async fn counts(tx: &TenantTx, source: &str) -> Result<BTreeMap<String, u64>, DatabaseError> {
    let (patient, counted) = tokio::join!(
        biased;
        patiently(tx, COUNTING),
        tx.all(&COUNTS, (tx.tenant(), source.to_owned())),
    );
    patient?;
    Ok(counted?
        .into_iter()
        .map(|(state, count)| (state, u64::try_from(count).unwrap_or_default()))
        .collect())
}

/// Whether something of this source may still be sent.
pub(crate) async fn is_open(tx: &TenantTx, source: &str) -> Result<bool, DatabaseError> {
    Ok(tx.one(&OPEN, (tx.tenant(), source.to_owned())).await?.0)
}

/// The same for whoever has no transaction, in one round trip.
pub(crate) async fn open(
    database: &Database,
    tenant: TenantId,
    source: String,
) -> Result<bool, DatabaseError> {
    let found = database.read(tenant, &OPEN, (tenant, source)).await?;
    found
        .into_iter()
        .next()
        .map(|(open,)| open)
        .ok_or(DatabaseError::MissingRow)
}
