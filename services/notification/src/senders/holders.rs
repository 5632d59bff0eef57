//! All SQL about whose an account of a provider is: who says so, and who has shown it.

use plaza_contracts::ids::SenderId;
use plaza_database::{Database, DatabaseError, TenantTx, statements};
use plaza_kernel::TenantId;
use uuid::Uuid;

statements! {
    // A tenant that has it already is refused by the sender's own key, which says so.
    static TAKE: (String, String, Uuid) => () =
        "INSERT INTO notification.provider_accounts (provider, account_id, holder) VALUES ($1, $2, $3)
         ON CONFLICT DO NOTHING";
    static PROVE: (TenantId, SenderId) => () =
        "UPDATE notification.senders SET proven_at = now()
          WHERE tenant_id = $1 AND id = $2 AND proven_at IS NULL";
    // What people write to an account is only told to who has shown that the account is theirs.
    static PROVEN: (TenantId, String, String) => (SenderId, Option<String>) =
        "SELECT id, business_account FROM notification.senders
          WHERE tenant_id = $1 AND channel = $2 AND account_id = $3 AND proven_at IS NOT NULL";
    static OF_BUSINESS: (TenantId, String, String) => (SenderId,) =
        "SELECT id FROM notification.senders
          WHERE tenant_id = $1 AND channel = $2 AND business_account = $3 AND proven_at IS NOT NULL
          ORDER BY id LIMIT 100";
    static SET_BUSINESS: (TenantId, SenderId, String) => () =
        "UPDATE notification.senders SET business_account = $3 WHERE tenant_id = $1 AND id = $2";
    static HOLDERS: (String, String, Option<Uuid>) => (Uuid,) =
        "SELECT holder FROM notification.provider_accounts
          WHERE provider = $1 AND account_id = $2 AND ($3::uuid IS NULL OR holder > $3)
          ORDER BY holder LIMIT 100";
}

/// Notes that a tenant says that an account is theirs.
pub(crate) async fn take(tx: &TenantTx, provider: &str, account: &str) -> Result<(), DatabaseError> {
    let params = (provider.to_owned(), account.to_owned(), tx.tenant().as_uuid());
    tx.execute(&TAKE, params).await.map(drop)
}

/// Notes that the account took a message from this sender: its tenant may use it.
pub(crate) async fn prove(tx: &TenantTx, id: SenderId) -> Result<(), DatabaseError> {
    tx.execute(&PROVE, (tx.tenant(), id)).await.map(drop)
}

/// A sender whose account is known to be its tenant's.
pub(crate) struct Proven {
    pub(crate) id: SenderId,
    /// The business account that the provider's account belongs to, as far as it is known.
    pub(crate) business_account: Option<String>,
}

/// The tenant's sender of this account, if the account is known to be the tenant's.
pub(crate) async fn proven(
    tx: &TenantTx,
    channel: &str,
    account: &str,
) -> Result<Option<Proven>, DatabaseError> {
    let params = (tx.tenant(), channel.to_owned(), account.to_owned());
    let found = tx.optional(&PROVEN, params).await?;
    Ok(found.map(|(id, business_account)| Proven { id, business_account }))
}

/// The provider by whose name the holders of business accounts are kept.
pub(crate) const BUSINESS: &str = "whatsapp_business";

/// Notes which business account a sender's account belongs to.
pub(crate) async fn belongs(tx: &TenantTx, id: SenderId, business: &str) -> Result<(), DatabaseError> {
    take(tx, BUSINESS, business).await?;
    tx.execute(&SET_BUSINESS, (tx.tenant(), id, business.to_owned()))
        .await
        .map(drop)
}

/// The tenant's senders of a business account.
pub(crate) async fn of_business(
    tx: &TenantTx,
    channel: &str,
    business: &str,
) -> Result<Vec<SenderId>, DatabaseError> {
    let params = (tx.tenant(), channel.to_owned(), business.to_owned());
    let found = tx.all(&OF_BUSINESS, params).await?;
    Ok(found.into_iter().map(|(id,)| id).collect())
}

/// As many as [`of_account`] gives at a time.
pub(crate) const AT_ONCE: usize = 100;

/// The next hundred of the tenants who say that this account is theirs.
pub(crate) async fn of_account(
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
