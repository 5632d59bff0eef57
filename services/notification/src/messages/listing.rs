//! All SQL that lists messages.

use chrono::{DateTime, Utc};
use plaza_contracts::ids::{MessageId, SenderId};
use plaza_database::{Database, DatabaseError, Params, Query, row, statements};
use plaza_kernel::TenantId;
use uuid::Uuid;

use super::Message;
use super::filter::Filter;
use crate::addresses;

row! {
    /// A message's row.
    struct Stored {
        id: MessageId,
        source: String,
        sender_id: SenderId,
        channel: String,
        address: String,
        class: Option<String>,
        segments: Option<i32>,
        state: String,
        provider_id: Option<String>,
        error_code: Option<String>,
        error_text: Option<String>,
        attempts: i32,
        created_at: DateTime<Utc>,
        updated_at: DateTime<Utc>,
    }
}

/// What is read of a message.
macro_rules! messages {
    ($which:literal) => {
        concat!(
            "SELECT id, source, sender_id, channel, address, class, segments, state, provider_id, error_code, error_text,
                    attempts, created_at, updated_at
               FROM notification.messages WHERE tenant_id = $1 AND ",
            $which
        )
    };
}

statements! {
    static GET: (TenantId, MessageId) => Stored = messages!("id = $2");
    // A statement for each combination, because a plan for "any source" or "any state" would use no index of sources
    // or states, and would look for a rare state among all messages of the tenant. The ids between which they are give
    // a range of the index, with a cursor and times and without.
    static LIST: (TenantId, Uuid, Uuid, i64, i64) => Stored =
        messages!("id >= $2 AND id < $3 ORDER BY id DESC LIMIT $4 OFFSET $5");
    static LIST_IN_STATE: (TenantId, String, Uuid, Uuid, i64, i64) => Stored =
        messages!("state = $2 AND id >= $3 AND id < $4 ORDER BY id DESC LIMIT $5 OFFSET $6");
    static LIST_OF_SOURCE: (TenantId, String, Uuid, Uuid, i64, i64) => Stored =
        messages!("source = $2 AND id >= $3 AND id < $4 ORDER BY id DESC LIMIT $5 OFFSET $6");
    static LIST_OF_SOURCE_IN_STATE: (TenantId, String, String, Uuid, Uuid, i64, i64) => Stored =
        messages!("source = $2 AND state = $3 AND id >= $4 AND id < $5 ORDER BY id DESC LIMIT $6 OFFSET $7");
    // No index leads to addresses: it would cost each of the five writes of a message about half as much again (measured),
    // for a question that is asked now and then. So those of a time are looked through, or those of a source. Nor to
    // channels: most tenants have one.
    static LIST_SOUGHT: (TenantId, Option<Vec<String>>, Option<String>, Option<String>, Option<String>, Uuid, Uuid, i64,
                         i64) => Stored =
        messages!("($2::text[] IS NULL OR address = ANY ($2)) AND ($3::text IS NULL OR channel = $3)
                   AND ($4::text IS NULL OR state = $4) AND ($5::text IS NULL OR error_code = $5)
                   AND id >= $6 AND id < $7 ORDER BY id DESC LIMIT $8 OFFSET $9");
    static LIST_SOUGHT_OF_SOURCE: (TenantId, String, Option<Vec<String>>, Option<String>, Option<String>, Option<String>,
                                   Uuid, Uuid, i64, i64) => Stored =
        messages!("source = $2
                   AND ($3::text[] IS NULL OR address = ANY ($3)) AND ($4::text IS NULL OR channel = $4)
                   AND ($5::text IS NULL OR state = $5) AND ($6::text IS NULL OR error_code = $6)
                   AND id >= $7 AND id < $8 ORDER BY id DESC LIMIT $9 OFFSET $10");
    // Most met no failure: what is asked for besides is looked for among those.
    static LIST_WITH_ERROR: (TenantId, String, Option<String>, Option<String>, Option<String>, Uuid, Uuid, i64, i64) => Stored =
        messages!("error_code = $2
                   AND ($3::text IS NULL OR source = $3) AND ($4::text IS NULL OR channel = $4)
                   AND ($5::text IS NULL OR state = $5)
                   AND id >= $6 AND id < $7 ORDER BY id DESC LIMIT $8 OFFSET $9");
    static LIST_AMONG: (TenantId, Vec<Uuid>, Option<String>, Option<Vec<String>>, Option<String>, Option<String>,
                        Option<String>, Uuid, Uuid, i64, i64) => Stored =
        messages!("id = ANY ($2) AND ($3::text IS NULL OR source = $3)
                   AND ($4::text[] IS NULL OR address = ANY ($4)) AND ($5::text IS NULL OR channel = $5)
                   AND ($6::text IS NULL OR state = $6) AND ($7::text IS NULL OR error_code = $7)
                   AND id >= $8 AND id < $9 ORDER BY id DESC LIMIT $10 OFFSET $11");
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
    let (from, to) = filter.range();
    let state = filter.state.map(|state| state.as_str().to_owned());
    let spellings = filter.address.as_deref().map(addresses::variants);
    let is_sought = spellings.is_some() || filter.channel.is_some();
    let (source, code, channel, skip) = (filter.source, filter.error_code, filter.channel, filter.skip);
    if let Some(ids) = filter.among {
        let params = (
            tenant, ids, source, spellings, channel, state, code, from, to, limit, skip,
        );
        return read(database, tenant, &LIST_AMONG, params).await;
    }
    match (code, source, state) {
        (Some(code), source, state) if spellings.is_none() => {
            let params = (tenant, code, source, channel, state, from, to, limit, skip);
            read(database, tenant, &LIST_WITH_ERROR, params).await
        }
        (code, None, state) if is_sought => {
            let params = (tenant, spellings, channel, state, code, from, to, limit, skip);
            read(database, tenant, &LIST_SOUGHT, params).await
        }
        (code, Some(source), state) if is_sought => {
            let params = (
                tenant, source, spellings, channel, state, code, from, to, limit, skip,
            );
            read(database, tenant, &LIST_SOUGHT_OF_SOURCE, params).await
        }
        (_, None, None) => read(database, tenant, &LIST, (tenant, from, to, limit, skip)).await,
        (_, None, Some(state)) => {
            let params = (tenant, state, from, to, limit, skip);
            read(database, tenant, &LIST_IN_STATE, params).await
        }
        (_, Some(source), None) => {
            let params = (tenant, source, from, to, limit, skip);
            read(database, tenant, &LIST_OF_SOURCE, params).await
        }
        (_, Some(source), Some(state)) => {
            let params = (tenant, source, state, from, to, limit, skip);
            read(database, tenant, &LIST_OF_SOURCE_IN_STATE, params).await
        }
    }
}

async fn read<P: Params>(
    database: &Database,
    tenant: TenantId,
    query: &'static Query<P, Stored>,
    params: P,
) -> Result<Vec<Message>, DatabaseError> {
    let rows = database.read(tenant, query, params).await?;
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
            class: self.class,
            segments: self.segments,
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
