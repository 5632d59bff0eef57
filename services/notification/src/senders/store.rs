//! All SQL about senders.

use chrono::{DateTime, Utc};
use plaza_contracts::ids::SenderId;
use plaza_database::{Database, DatabaseError, TenantTx, row, statements};
use plaza_kernel::{Page, PageQuery, TenantId};
use uuid::Uuid;

use super::Sender;

row! {
    /// A sender's row.
    struct Stored {
        id: SenderId,
        channel: String,
        name: String,
        account_id: String,
        rate: i32,
        status: String,
        status_reason: Option<String>,
        created_at: DateTime<Utc>,
    }
}

statements! {
    // A tenant that has it already is refused by the sender's own key, which says so.
    static TAKE_ACCOUNT: (String, String, Uuid) => () =
        "INSERT INTO notification.provider_accounts (provider, account_id, holder) VALUES ($1, $2, $3)
         ON CONFLICT DO NOTHING";
    static INSERT: (TenantId, SenderId, String, String, String, String, i32, DateTime<Utc>) => () =
        "INSERT INTO notification.senders
                (tenant_id, id, channel, name, account_id, access_token, rate, status, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, 'active', $8, $8)";
    static LIST: (TenantId, Option<Uuid>, i64, i64) => Stored =
        "SELECT id, channel, name, account_id, rate, status, status_reason, created_at
           FROM notification.senders
          WHERE tenant_id = $1 AND ($2::uuid IS NULL OR id > $2)
          ORDER BY id LIMIT $3 OFFSET $4";
    static GET: (TenantId, SenderId) => Stored =
        "SELECT id, channel, name, account_id, rate, status, status_reason, created_at
           FROM notification.senders WHERE tenant_id = $1 AND id = $2";
    static DEFAULT: (TenantId, String) => Stored =
        "SELECT id, channel, name, account_id, rate, status, status_reason, created_at
           FROM notification.senders
          WHERE tenant_id = $1 AND channel = $2 AND status = 'active'
          ORDER BY id LIMIT 1";
    static RESUME: (TenantId, SenderId, DateTime<Utc>) => () =
        "UPDATE notification.senders SET status = 'active', status_reason = NULL, updated_at = $3
          WHERE tenant_id = $1 AND id = $2";
    // One whose token was renewed meanwhile is not stopped for the old one.
    static STOP: (TenantId, SenderId, String, String, String, DateTime<Utc>) => () =
        "UPDATE notification.senders SET status = $4, status_reason = $5, updated_at = $6
          WHERE tenant_id = $1 AND id = $2 AND access_token = $3";
    static SET_TOKEN: (TenantId, SenderId, String, DateTime<Utc>) => () =
        "UPDATE notification.senders
            SET access_token = $3, updated_at = $4,
                status = CASE WHEN status = 'needs_auth' THEN 'active' ELSE status END,
                status_reason = CASE WHEN status = 'needs_auth' THEN NULL ELSE status_reason END
          WHERE tenant_id = $1 AND id = $2";
    static HOLDERS: (String, String, Option<Uuid>) => (Uuid,) =
        "SELECT holder FROM notification.provider_accounts
          WHERE provider = $1 AND account_id = $2 AND ($3::uuid IS NULL OR holder > $3)
          ORDER BY holder LIMIT 100";
}

/// Writes a new sender. Violates `senders_account_key` or `senders_name_key`.
pub(crate) async fn insert(
    tx: &TenantTx,
    sender: &Sender,
    sealed_token: String,
) -> Result<(), DatabaseError> {
    let account = sender.account_id.clone();
    tx.execute(
        &TAKE_ACCOUNT,
        (sender.channel.clone(), account.clone(), tx.tenant().as_uuid()),
    )
    .await?;
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
    );
    tx.execute(&INSERT, params).await.map(drop)
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

/// Sets a sender going again; says whether there is such a one.
pub(crate) async fn resume(tx: &TenantTx, id: SenderId, at: DateTime<Utc>) -> Result<bool, DatabaseError> {
    Ok(tx.execute(&RESUME, (tx.tenant(), id, at)).await? == 1)
}

/// Stops a sender that was refused with this sealed token.
pub(crate) async fn stop(
    tx: &TenantTx,
    id: SenderId,
    sealed_token: &str,
    (status, reason): (&str, &str),
    at: DateTime<Utc>,
) -> Result<(), DatabaseError> {
    let (token, status, reason) = (sealed_token.to_owned(), status.to_owned(), reason.to_owned());
    tx.execute(&STOP, (tx.tenant(), id, token, status, reason, at))
        .await
        .map(drop)
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

/// As many as [`holders`] gives at a time.
pub(crate) const HOLDERS_AT_ONCE: usize = 100;

/// The next hundred of the tenants who say that this account is theirs.
pub(crate) async fn holders(
    database: &Database,
    provider: &str,
    account: &str,
    after: Option<TenantId>,
) -> Result<Vec<TenantId>, DatabaseError> {
    let after = after.map(|tenant| tenant.as_uuid());
    let rows = database
        .read_platform(&HOLDERS, (provider.to_owned(), account.to_owned(), after))
        .await?;
    let holders = rows.into_iter();
    Ok(holders
        .filter_map(|(holder,)| TenantId::try_from(holder).ok())
        .collect())
}

impl From<Stored> for Sender {
    fn from(stored: Stored) -> Self {
        Self {
            id: stored.id,
            channel: stored.channel,
            name: stored.name,
            account_id: stored.account_id,
            rate: stored.rate,
            status: stored.status,
            status_reason: stored.status_reason,
            created_at: stored.created_at,
        }
    }
}
