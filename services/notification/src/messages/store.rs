//! All SQL that looks at messages or queues them. Claiming and settling are in `dispatch/claims.rs`.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use plaza_contracts::ids::{MessageId, SenderId};
use plaza_database::{Database, DatabaseError, TenantTx, row, statements};
use plaza_kernel::TenantId;
use plaza_telemetry::trace::{self, TraceContext};
use uuid::Uuid;

use super::queue::{Batch, QueueError};
use super::{Message, State};

/// How long counting the messages of a source may take.
const COUNTING: Duration = Duration::from_secs(10);

row! {
    /// A message's row.
    struct Stored {
        id: MessageId,
        source: String,
        sender_id: SenderId,
        channel: String,
        address: String,
        state: String,
        provider_id: Option<String>,
        error_code: Option<String>,
        error_text: Option<String>,
        attempts: i32,
        created_at: DateTime<Utc>,
        updated_at: DateTime<Utc>,
    }
}

statements! {
    // Due by the database's clock, by which it is claimed.
    static QUEUE: (TenantId, String, SenderId, Vec<Uuid>, Vec<String>, Vec<String>, Vec<String>, Option<String>,
                   DateTime<Utc>) => () =
        "INSERT INTO notification.messages
                (tenant_id, id, source, sender_id, channel, address, content, state, due_at, traceparent, created_at,
                 updated_at)
         SELECT $1, m.id, $2, $3, m.channel, m.address, m.content, 'queued', now(), $8, $9, $9
           FROM unnest($4::uuid[], $5::text[], $6::text[], $7::text[]) AS m (id, channel, address, content)
         ON CONFLICT (tenant_id, id) DO NOTHING";
    static OF_OTHER_SOURCE: (TenantId, Vec<Uuid>, String) => (bool,) =
        "SELECT EXISTS (SELECT FROM notification.messages WHERE tenant_id = $1 AND id = ANY ($2) AND source <> $3)";
    // For the rest of the transaction: counting a large source takes longer than a statement may otherwise.
    static PATIENTLY: (String,) => (String,) = "SELECT set_config('statement_timeout', $1, true)";
    static COUNTS: (TenantId, String) => (String, i64) =
        "SELECT state, count(*) FROM notification.messages WHERE tenant_id = $1 AND source = $2 GROUP BY state";
    static GET: (TenantId, MessageId) => Stored =
        "SELECT id, source, sender_id, channel, address, state, provider_id, error_code, error_text, attempts,
                created_at, updated_at
           FROM notification.messages WHERE tenant_id = $1 AND id = $2";
    // A statement for each combination, because a plan for "any source" or "any state" would use no index of sources
    // or states, and would look for a rare state among all messages of the tenant. No id is greater than the last one
    // there can be, so the order of ids is a range of the index with a cursor and without.
    static LIST: (TenantId, Option<Uuid>, i64, i64) => Stored =
        "SELECT id, source, sender_id, channel, address, state, provider_id, error_code, error_text, attempts,
                created_at, updated_at
           FROM notification.messages
          WHERE tenant_id = $1
            AND id < coalesce($2, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)
          ORDER BY id DESC
          LIMIT $3 OFFSET $4";
    static LIST_IN_STATE: (TenantId, String, Option<Uuid>, i64, i64) => Stored =
        "SELECT id, source, sender_id, channel, address, state, provider_id, error_code, error_text, attempts,
                created_at, updated_at
           FROM notification.messages
          WHERE tenant_id = $1 AND state = $2
            AND id < coalesce($3, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)
          ORDER BY id DESC
          LIMIT $4 OFFSET $5";
    static LIST_OF_SOURCE: (TenantId, String, Option<Uuid>, i64, i64) => Stored =
        "SELECT id, source, sender_id, channel, address, state, provider_id, error_code, error_text, attempts,
                created_at, updated_at
           FROM notification.messages
          WHERE tenant_id = $1 AND source = $2
            AND id < coalesce($3, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)
          ORDER BY id DESC
          LIMIT $4 OFFSET $5";
    static LIST_OF_SOURCE_IN_STATE: (TenantId, String, String, Option<Uuid>, i64, i64) => Stored =
        "SELECT id, source, sender_id, channel, address, state, provider_id, error_code, error_text, attempts,
                created_at, updated_at
           FROM notification.messages
          WHERE tenant_id = $1 AND source = $2 AND state = $3
            AND id < coalesce($4, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)
          ORDER BY id DESC
          LIMIT $5 OFFSET $6";
    static OPEN: (TenantId, String) => (bool,) =
        "SELECT EXISTS (SELECT FROM notification.messages
                         WHERE tenant_id = $1 AND source = $2 AND state IN ('queued', 'leased', 'unknown'))";
}

/// Which messages somebody wants to see.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    pub(crate) source: Option<String>,
    pub(crate) state: Option<State>,
    pub(crate) after: Option<Uuid>,
    /// How many to pass over.
    pub(crate) skip: i64,
}

/// Writes the messages of a batch as queued, in the trace of the work at hand; those that are there already stay as they
/// are. How many are new.
pub(crate) async fn queue(tx: &TenantTx, batch: &Batch, at: DateTime<Utc>) -> Result<u64, QueueError> {
    let mut contents = Vec::with_capacity(batch.messages.len());
    for message in &batch.messages {
        contents.push(serde_json::to_string(&message.content)?);
    }
    let messages = batch.messages.iter();
    let params = (
        tx.tenant(),
        batch.source.clone(),
        batch.sender,
        ids(batch),
        messages.clone().map(|message| message.channel.clone()).collect(),
        messages.map(|message| message.to.clone()).collect(),
        contents,
        trace::current().map(TraceContext::to_traceparent),
        at,
    );
    Ok(tx.execute(&QUEUE, params).await?)
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

/// How many messages of a source are in each state. Looks at every one of them: takes long where there are many, and
/// whoever waits for the end asks first whether anything is open.
pub(crate) async fn counts(tx: &TenantTx, source: &str) -> Result<BTreeMap<String, u64>, DatabaseError> {
    let (patient, counted) = tokio::join!(
        biased;
        tx.one(&PATIENTLY, (COUNTING.as_millis().to_string(),)),
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

/// One message.
pub(crate) async fn get(
    database: &Database,
    tenant: TenantId,
    id: MessageId,
) -> Result<Option<Message>, DatabaseError> {
    Ok(database
        .read(tenant, &GET, (tenant, id))
        .await?
        .into_iter()
        .next()
        .and_then(Stored::into_message))
}

/// Messages, newest first: at most `limit`.
pub(crate) async fn list(
    database: &Database,
    tenant: TenantId,
    filter: Filter,
    limit: i64,
) -> Result<Vec<Message>, DatabaseError> {
    let state = filter.state.map(|state| state.as_str().to_owned());
    let Filter {
        source, after, skip, ..
    } = filter;
    let rows = match (source, state) {
        (None, None) => database.read(tenant, &LIST, (tenant, after, limit, skip)).await?,
        (None, Some(state)) => {
            let params = (tenant, state, after, limit, skip);
            database.read(tenant, &LIST_IN_STATE, params).await?
        }
        (Some(source), None) => {
            let params = (tenant, source, after, limit, skip);
            database.read(tenant, &LIST_OF_SOURCE, params).await?
        }
        (Some(source), Some(state)) => {
            let params = (tenant, source, state, after, limit, skip);
            database.read(tenant, &LIST_OF_SOURCE_IN_STATE, params).await?
        }
    };
    Ok(rows.into_iter().filter_map(Stored::into_message).collect())
}

impl Stored {
    /// The check constraint of the table admits no state that does not parse.
    fn into_message(self) -> Option<Message> {
        Some(Message {
            id: self.id,
            source: self.source,
            sender_id: self.sender_id,
            channel: self.channel,
            address: self.address,
            state: self.state.parse().ok()?,
            provider_id: self.provider_id,
            error_code: self.error_code,
            error_text: self.error_text,
            attempts: self.attempts,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}
