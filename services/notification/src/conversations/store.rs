//! All SQL about conversations and what people write, but for whose a conversation is (`persons.rs`).

use chrono::{DateTime, Utc};
use plaza_contracts::ids::{ConversationId, MessageId, SenderId};
use plaza_database::{Database, DatabaseError, TenantTx, row, statements};
use plaza_kernel::{Page, PageQuery, TenantId};
use uuid::Uuid;

use super::{Conversation, Inbound, Said, WINDOW, source};
use crate::addresses;
use crate::opt_out::Keyword;

row! {
    /// A conversation's row.
    struct Stored {
        id: ConversationId,
        sender_id: SenderId,
        channel: String,
        address: Option<String>,
        provider_user: Option<String>,
        name: Option<String>,
        last_inbound_at: DateTime<Utc>,
        window_until: DateTime<Utc>,
        unread: i32,
        needs_review: bool,
        created_at: DateTime<Utc>,
    }
}

row! {
    /// Something that was said.
    struct StoredSaid {
        id: MessageId,
        is_inbound: bool,
        kind: String,
        body: Option<String>,
        state: Option<String>,
        error_code: Option<String>,
        at: DateTime<Utc>,
    }
}

statements! {
    static KEEP: (TenantId, MessageId, ConversationId, SenderId, String, String, Option<String>, String, Option<String>,
                  DateTime<Utc>, DateTime<Utc>) => () =
        "INSERT INTO notification.inbound_messages
                (tenant_id, id, conversation_id, sender_id, provider_id, kind, body, payload, keyword, at, received_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
         ON CONFLICT (tenant_id, sender_id, provider_id) DO NOTHING";
    // Told late, what was written long ago opens no window.
    static WROTE: (TenantId, ConversationId, DateTime<Utc>, DateTime<Utc>, bool) => () =
        "UPDATE notification.conversations
            SET last_inbound_at = greatest(last_inbound_at, $3), window_until = greatest(window_until, $4),
                unread = unread + 1, needs_review = needs_review OR $5, updated_at = now()
          WHERE tenant_id = $1 AND id = $2";
    static REVIEW: (TenantId, ConversationId) => () =
        "UPDATE notification.conversations SET needs_review = true WHERE tenant_id = $1 AND id = $2";
    static READ: (TenantId, ConversationId) => () =
        "UPDATE notification.conversations SET unread = 0, needs_review = false, updated_at = now()
          WHERE tenant_id = $1 AND id = $2";
    static GET: (TenantId, ConversationId) => Stored =
        "SELECT id, sender_id, channel, address, provider_user, name, last_inbound_at, window_until, unread, needs_review,
                created_at
           FROM notification.conversations WHERE tenant_id = $1 AND id = $2";
    static LOCK: (TenantId, ConversationId) => Stored =
        "SELECT id, sender_id, channel, address, provider_user, name, last_inbound_at, window_until, unread, needs_review,
                created_at
           FROM notification.conversations WHERE tenant_id = $1 AND id = $2 FOR UPDATE";
    // Who wrote last comes first, and the page after a conversation begins where that one is now.
    static LIST: (TenantId, Option<Uuid>, i64, i64) => Stored =
        "SELECT id, sender_id, channel, address, provider_user, name, last_inbound_at, window_until, unread, needs_review,
                created_at
           FROM notification.conversations
          WHERE tenant_id = $1
            AND ($2::uuid IS NULL
                 OR (last_inbound_at, id) < (SELECT p.last_inbound_at, p.id FROM notification.conversations p
                                              WHERE p.tenant_id = $1 AND p.id = $2))
          ORDER BY last_inbound_at DESC, id DESC
          LIMIT $3 OFFSET $4";
    static SAID: (TenantId, ConversationId, String, Uuid, i64, i64) => StoredSaid =
        "SELECT id, is_inbound, kind, body, state, error_code, at
           FROM ((SELECT i.id, true AS is_inbound, i.kind, i.body, i.keyword AS state, NULL::text AS error_code, i.at
                    FROM notification.inbound_messages i
                   WHERE i.tenant_id = $1 AND i.conversation_id = $2 AND i.id < $4
                   ORDER BY i.id DESC LIMIT $5::bigint + $6::bigint)
                 UNION ALL
                 (SELECT m.id, false, m.content::json ->> 'type', m.content::json ->> 'body', m.state, m.error_code,
                         m.created_at
                    FROM notification.messages m
                   WHERE m.tenant_id = $1 AND m.source = $3 AND m.id < $4
                   ORDER BY m.id DESC LIMIT $5::bigint + $6::bigint)) AS said
          ORDER BY id DESC
          LIMIT $5 OFFSET $6";
    static LAST_WRITTEN: (TenantId, ConversationId) => (String,) =
        "SELECT provider_id FROM notification.inbound_messages
          WHERE tenant_id = $1 AND conversation_id = $2 ORDER BY id DESC LIMIT 1";
    static OPEN_TO: (TenantId, SenderId, String, DateTime<Utc>) => (bool,) =
        "SELECT EXISTS (SELECT FROM notification.conversations
                         WHERE tenant_id = $1 AND sender_id = $2 AND address_key = $3 AND window_until > $4)";
}

/// Keeps a message that a person wrote; says whether it is news.
pub(crate) async fn keep(
    tx: &TenantTx,
    id: MessageId,
    conversation: ConversationId,
    sender: SenderId,
    (inbound, asks): (&Inbound, Option<Keyword>),
    (at, now): (DateTime<Utc>, DateTime<Utc>),
) -> Result<bool, DatabaseError> {
    let params = (
        tx.tenant(),
        id,
        conversation,
        sender,
        inbound.provider_id.clone(),
        inbound.kind.clone(),
        inbound.body.clone(),
        inbound.payload.clone(),
        asks.map(|asks| asks.as_str().to_owned()),
        at,
        now,
    );
    Ok(tx.execute(&KEEP, params).await? == 1)
}

/// Notes in the conversation that the person wrote then.
pub(crate) async fn wrote(
    tx: &TenantTx,
    conversation: ConversationId,
    at: DateTime<Utc>,
    needs_review: bool,
) -> Result<(), DatabaseError> {
    let params = (tx.tenant(), conversation, at, at + WINDOW, needs_review);
    tx.execute(&WROTE, params).await.map(drop)
}

/// Somebody has to look at a conversation.
pub(crate) async fn review(tx: &TenantTx, conversation: ConversationId) -> Result<(), DatabaseError> {
    tx.execute(&REVIEW, (tx.tenant(), conversation)).await.map(drop)
}

/// Notes that somebody of the tenant has seen all of it.
pub(crate) async fn seen(tx: &TenantTx, conversation: ConversationId) -> Result<(), DatabaseError> {
    tx.execute(&READ, (tx.tenant(), conversation)).await.map(drop)
}

/// One conversation.
pub(crate) async fn get(
    database: &Database,
    tenant: TenantId,
    id: ConversationId,
) -> Result<Option<Conversation>, DatabaseError> {
    let found = database.read(tenant, &GET, (tenant, id)).await?;
    Ok(found.into_iter().next().map(Conversation::from))
}

/// One conversation, held until the transaction ends.
pub(crate) async fn lock(tx: &TenantTx, id: ConversationId) -> Result<Option<Conversation>, DatabaseError> {
    Ok(tx
        .optional(&LOCK, (tx.tenant(), id))
        .await?
        .map(Conversation::from))
}

/// A page of conversations: who wrote last comes first.
pub(crate) async fn list(
    database: &Database,
    tenant: TenantId,
    page: PageQuery,
    skip: i64,
) -> Result<Page<Conversation>, DatabaseError> {
    let after = page.cursor.map(plaza_kernel::Cursor::last_seen);
    let params = (tenant, after, page.limit.and_one(), skip);
    let found = database.read(tenant, &LIST, params).await?;
    let found = found.into_iter().map(Conversation::from).collect();
    Ok(Page::from_found(
        found,
        page.limit,
        |conversation: &Conversation| conversation.id,
    ))
}

/// A page of what was said in a conversation, newest first.
pub(crate) async fn said(
    database: &Database,
    tenant: TenantId,
    conversation: ConversationId,
    page: PageQuery,
    skip: i64,
) -> Result<Page<Said>, DatabaseError> {
    let before = page.cursor.map_or(Uuid::max(), plaza_kernel::Cursor::last_seen);
    let params = (
        tenant,
        conversation,
        source(conversation),
        before,
        page.limit.and_one(),
        skip,
    );
    let found = database.read(tenant, &SAID, params).await?;
    let found = found.into_iter().map(Said::from).collect();
    Ok(Page::from_found(found, page.limit, |said: &Said| said.id))
}

/// The provider's id of what the person wrote last.
pub(crate) async fn last_written(
    tx: &TenantTx,
    conversation: ConversationId,
) -> Result<Option<String>, DatabaseError> {
    let found = tx.optional(&LAST_WRITTEN, (tx.tenant(), conversation)).await?;
    Ok(found.map(|(id,)| id))
}

/// Whether anything may be written to a person now.
pub(crate) async fn is_open_to(
    tx: &TenantTx,
    sender: SenderId,
    address: &str,
    now: DateTime<Utc>,
) -> Result<bool, DatabaseError> {
    let params = (tx.tenant(), sender, addresses::key(address), now);
    Ok(tx.one(&OPEN_TO, params).await?.0)
}

impl From<Stored> for Conversation {
    fn from(stored: Stored) -> Self {
        Self {
            id: stored.id,
            sender_id: stored.sender_id,
            channel: stored.channel,
            address: stored.address,
            user: stored.provider_user,
            name: stored.name,
            last_inbound_at: stored.last_inbound_at,
            window_until: stored.window_until,
            unread: stored.unread,
            needs_review: stored.needs_review,
            created_at: stored.created_at,
        }
    }
}

impl From<StoredSaid> for Said {
    fn from(stored: StoredSaid) -> Self {
        Self {
            id: stored.id,
            is_inbound: stored.is_inbound,
            kind: stored.kind,
            body: stored.body,
            state: stored.state,
            error_code: stored.error_code,
            at: stored.at,
        }
    }
}
