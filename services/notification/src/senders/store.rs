//! All SQL about senders, but for whose their accounts are (`holders.rs`).

use chrono::{DateTime, Utc};
use plaza_contracts::ids::SenderId;
use plaza_database::{Database, DatabaseError, TenantTx, row, statements};
use plaza_kernel::{Page, PageQuery, TenantId};
use serde_json::Value;
use uuid::Uuid;

use super::{SMS, Sender, SenderSettings, holders};

row! {
    /// A sender's row.
    struct Stored {
        id: SenderId,
        channel: String,
        name: String,
        account_id: String,
        settings: Value,
        rate: i32,
        status: String,
        status_reason: Option<String>,
        created_at: DateTime<Utc>,
    }
}

statements! {
    static INSERT: (TenantId, SenderId, String, String, String, String, i32, DateTime<Utc>, Value) => () =
        "INSERT INTO notification.senders
                (tenant_id, id, channel, name, account_id, access_token, rate, status, created_at, updated_at, settings)
         VALUES ($1, $2, $3, $4, $5, $6, $7, 'active', $8, $8, $9)";
    static SEALED_TOKEN: (TenantId, SenderId, String) => (String,) =
        "SELECT access_token FROM notification.senders WHERE tenant_id = $1 AND id = $2 AND channel = $3";
    static LIST: (TenantId, Option<Uuid>, i64, i64) => Stored =
        "SELECT id, channel, name, account_id, settings, rate, status, status_reason, created_at
           FROM notification.senders
          WHERE tenant_id = $1 AND ($2::uuid IS NULL OR id > $2)
          ORDER BY id LIMIT $3 OFFSET $4";
    static GET: (TenantId, SenderId) => Stored =
        "SELECT id, channel, name, account_id, settings, rate, status, status_reason, created_at
           FROM notification.senders WHERE tenant_id = $1 AND id = $2";
    static DEFAULT: (TenantId, String) => Stored =
        "SELECT id, channel, name, account_id, settings, rate, status, status_reason, created_at
           FROM notification.senders
          WHERE tenant_id = $1 AND channel = $2 AND status = 'active'
          ORDER BY id LIMIT 1";
    static CHANNEL: (TenantId, SenderId) => (SenderId, String) =
        "SELECT id, channel FROM notification.senders WHERE tenant_id = $1 AND id = $2";
    static DEFAULT_IN: (TenantId, String) => (SenderId, String) =
        "SELECT id, channel FROM notification.senders
          WHERE tenant_id = $1 AND channel = $2 AND status = 'active'
          ORDER BY id LIMIT 1";
    static RESUME: (TenantId, SenderId, DateTime<Utc>) => () =
        "UPDATE notification.senders SET status = 'active', status_reason = NULL, updated_at = $3
          WHERE tenant_id = $1 AND id = $2";
    // One whose token was renewed meanwhile is not stopped for the old one, and one that is stopped is not stopped again.
    static STOP: (TenantId, SenderId, String, String, String, DateTime<Utc>) => () =
        "UPDATE notification.senders SET status = $4, status_reason = $5, updated_at = $6
          WHERE tenant_id = $1 AND id = $2 AND access_token = $3
            AND (status, status_reason) IS DISTINCT FROM ($4, $5)";
    static STOP_ACTIVE: (TenantId, SenderId, String, String, DateTime<Utc>) => () =
        "UPDATE notification.senders SET status = $3, status_reason = $4, updated_at = $5
          WHERE tenant_id = $1 AND id = $2 AND status = 'active'";
    static SET_TOKEN: (TenantId, SenderId, String, DateTime<Utc>) => () =
        "UPDATE notification.senders
            SET access_token = $3, updated_at = $4,
                status = CASE WHEN status = 'needs_auth' THEN 'active' ELSE status END,
                status_reason = CASE WHEN status = 'needs_auth' THEN NULL ELSE status_reason END
          WHERE tenant_id = $1 AND id = $2";
}

/// Writes a new sender. Violates `senders_account_key` or `senders_name_key`.
pub(crate) async fn insert(
    tx: &TenantTx,
    sender: &Sender,
    sealed_token: String,
) -> Result<(), DatabaseError> {
    let account = sender.account_id.clone();
    // Callbacks of Meta's name the account, those of Twilio's our own sender: its address is ours to choose.
    let called_back = match sender.channel.as_str() {
        SMS => sender.id.to_string(),
        _ => account.clone(),
    };
    holders::take(tx, &sender.channel, &called_back).await?;
    let (channel, name) = (sender.channel.clone(), sender.name.clone());
    let params = (
        tx.tenant(),
        sender.id,
        channel,
        name,
        account,
        sealed_token,
        sender.rate,
        sender.created_at,
        sender.settings.to_json(),
    );
    tx.execute(&INSERT, params).await.map(drop)
}

/// The sealed token of a sender of this channel.
pub(crate) async fn sealed_token(
    database: &Database,
    tenant: TenantId,
    id: SenderId,
    channel: &str,
) -> Result<Option<String>, DatabaseError> {
    let params = (tenant, id, channel.to_owned());
    let found = database.read(tenant, &SEALED_TOKEN, params).await?;
    Ok(found.into_iter().next().map(|(sealed,)| sealed))
}

/// A page of the tenant's senders, oldest first.
pub(crate) async fn list(
    database: &Database,
    tenant: TenantId,
    page: PageQuery,
    skip: i64,
) -> Result<Page<Sender>, DatabaseError> {
    let after = page.cursor.map(plaza_kernel::Cursor::last_seen);
    let rows = database
        .read(tenant, &LIST, (tenant, after, page.limit.and_one(), skip))
        .await?;
    Ok(Page::from_found(
        rows.into_iter().map(Sender::from).collect(),
        page.limit,
        |sender| sender.id,
    ))
}

/// One sender.
pub(crate) async fn get(
    database: &Database,
    tenant: TenantId,
    id: SenderId,
) -> Result<Option<Sender>, DatabaseError> {
    Ok(database
        .read(tenant, &GET, (tenant, id))
        .await?
        .into_iter()
        .next()
        .map(Sender::from))
}

/// The tenant's oldest active sender of a channel.
pub(crate) async fn default_of(
    database: &Database,
    tenant: TenantId,
    channel: &str,
) -> Result<Option<Sender>, DatabaseError> {
    let rows = database
        .read(tenant, &DEFAULT, (tenant, channel.to_owned()))
        .await?;
    Ok(rows.into_iter().next().map(Sender::from))
}

/// The named sender, or the tenant's oldest active one of a channel; with its channel.
pub(crate) async fn for_channel(
    tx: &TenantTx,
    channel: &str,
    named: Option<SenderId>,
) -> Result<Option<(SenderId, String)>, DatabaseError> {
    match named {
        Some(id) => tx.optional(&CHANNEL, (tx.tenant(), id)).await,
        None => tx.optional(&DEFAULT_IN, (tx.tenant(), channel.to_owned())).await,
    }
}

/// Sets a sender going again; says whether there is such a one.
pub(crate) async fn resume(tx: &TenantTx, id: SenderId, at: DateTime<Utc>) -> Result<bool, DatabaseError> {
    Ok(tx.execute(&RESUME, (tx.tenant(), id, at)).await? == 1)
}

/// Stops a sender that was refused with this sealed token; says whether that is news: it still had it, and was not stopped for
/// the same already. What is in flight when it stops is refused after that, one transaction after the other.
pub(crate) async fn stop(
    tx: &TenantTx,
    id: SenderId,
    sealed_token: &str,
    (status, reason): (&str, &str),
    at: DateTime<Utc>,
) -> Result<bool, DatabaseError> {
    let (token, status, reason) = (sealed_token.to_owned(), status.to_owned(), reason.to_owned());
    let params = (tx.tenant(), id, token, status, reason, at);
    Ok(tx.execute(&STOP, params).await? == 1)
}

/// Stops a sender, whatever its token; says whether it was active.
pub(crate) async fn stop_active(
    tx: &TenantTx,
    id: SenderId,
    (status, reason): (&str, &str),
    at: DateTime<Utc>,
) -> Result<bool, DatabaseError> {
    let params = (tx.tenant(), id, status.to_owned(), reason.to_owned(), at);
    Ok(tx.execute(&STOP_ACTIVE, params).await? == 1)
}

/// Puts another sealed token in place. A sender that waits for one is active again.
pub(crate) async fn set_token(
    tx: &TenantTx,
    id: SenderId,
    sealed_token: String,
    at: DateTime<Utc>,
) -> Result<bool, DatabaseError> {
    Ok(tx
        .execute(&SET_TOKEN, (tx.tenant(), id, sealed_token, at))
        .await?
        == 1)
}

impl From<Stored> for Sender {
    fn from(stored: Stored) -> Self {
        Self {
            id: stored.id,
            channel: stored.channel,
            name: stored.name,
            account_id: stored.account_id,
            settings: SenderSettings::from_json(stored.settings),
            rate: stored.rate,
            status: stored.status,
            status_reason: stored.status_reason,
            created_at: stored.created_at,
        }
    }
}
