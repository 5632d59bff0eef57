//! All SQL about setup links.

use chrono::{DateTime, Utc};
use plaza_database::{Database, DatabaseError, PlatformTx, TenantTx};
use plaza_kernel::{TenantId, UserId};
use uuid::Uuid;

use super::Purpose;

plaza_database::row! {
    /// For whom a link is.
    pub(super) struct LinkHolder {
        pub(super) user_id: UserId,
        pub(super) email: String,
        pub(super) email_norm: String,
        pub(super) role: String,
        pub(super) purpose: String,
        pub(super) verified: bool,
        pub(super) phc: Option<String>,
        /// The right password came from this client lately.
        pub(super) familiar: bool,
    }
}

plaza_database::row! {
    /// A tenant's owner.
    pub(super) struct OwnerAccount {
        pub(super) user_id: UserId,
        /// The owner has come in: by a link, or with an account that the platform vouched for before.
        pub(super) active: bool,
    }
}

plaza_database::statements! {
    static PROPOSE_SETUP: (Uuid, Vec<u8>, DateTime<Utc>) => () =
        "INSERT INTO identity.platform_setup (id, token_hash, created_at)
         SELECT $1::uuid, $2::bytea, $3::timestamptz
          WHERE NOT EXISTS (SELECT FROM identity.platform_admins)
         ON CONFLICT (only_one) DO NOTHING";

    static OPEN_SETUP: () => (Uuid,) =
        "SELECT id
           FROM identity.platform_setup
          WHERE consumed_at IS NULL AND NOT EXISTS (SELECT FROM identity.platform_admins)";

    static IS_SETUP_OPEN: (Vec<u8>,) => (Uuid,) =
        "SELECT id FROM identity.platform_setup WHERE token_hash = $1 AND consumed_at IS NULL";

    /// One winner: whoever comes second finds `consumed_at` set.
    static CONSUME_SETUP: (Vec<u8>, DateTime<Utc>) => () =
        "UPDATE identity.platform_setup SET consumed_at = $2 WHERE token_hash = $1 AND consumed_at IS NULL";

    static LINK_HOLDER: (Vec<u8>, DateTime<Utc>, Option<Vec<u8>>) => LinkHolder =
        "SELECT m.user_id, u.email, u.email_norm, m.role, t.purpose,
                u.verified_at IS NOT NULL AS verified, c.phc,
                EXISTS (SELECT FROM identity.known_devices AS d
                         WHERE d.user_id = u.id AND d.client = $3) AS familiar
           FROM identity.one_time_tokens AS t
           JOIN identity.memberships AS m ON m.tenant_id = t.tenant_id AND m.user_id = t.user_id
           JOIN identity.users AS u ON u.id = t.user_id
           LEFT JOIN identity.credentials AS c ON c.user_id = t.user_id
          WHERE t.token_hash = $1 AND t.consumed_at IS NULL AND t.expires_at > $2
            AND m.status <> 'disabled' AND u.status = 'active'";

    /// One winner, as above.
    static CONSUME_LINK: (Vec<u8>, DateTime<Utc>) => () =
        "UPDATE identity.one_time_tokens
            SET consumed_at = $2
          WHERE token_hash = $1 AND consumed_at IS NULL AND expires_at > $2";

    static END_LINKS: (UserId,) => () =
        "DELETE FROM identity.one_time_tokens WHERE user_id = $1 AND consumed_at IS NULL";

    static ADD_LINK: (TenantId, Uuid, UserId, String, Vec<u8>, DateTime<Utc>, DateTime<Utc>) => () =
        "INSERT INTO identity.one_time_tokens (tenant_id, id, user_id, purpose, token_hash, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)";

    static LOCK_OWNER: () => OwnerAccount =
        "SELECT user_id, status = 'active' AS active
           FROM identity.memberships
          WHERE role = 'owner' AND status <> 'disabled'
          ORDER BY created_at, user_id
          LIMIT 1
            FOR UPDATE";
}

/// Writes the row of the administrator's link, unless there is one or an administrator.
pub(super) async fn propose_setup(
    tx: &PlatformTx,
    id: Uuid,
    hash: Vec<u8>,
    now: DateTime<Utc>,
) -> Result<(), DatabaseError> {
    tx.execute(&PROPOSE_SETUP, (id, hash, now)).await.map(drop)
}

/// The row of the administrator's link, while it can be used.
pub(super) async fn open_setup(tx: &PlatformTx) -> Result<Option<Uuid>, DatabaseError> {
    Ok(tx.optional(&OPEN_SETUP, ()).await?.map(|(id,)| id))
}

/// Whether this is the administrator's link and can be used.
pub(super) async fn is_setup_open(database: &Database, hash: Vec<u8>) -> Result<bool, DatabaseError> {
    Ok(!database.read_platform(&IS_SETUP_OPEN, (hash,)).await?.is_empty())
}

/// Uses the administrator's link up; false if it was used before.
pub(super) async fn consume_setup(
    tx: &PlatformTx,
    hash: Vec<u8>,
    now: DateTime<Utc>,
) -> Result<bool, DatabaseError> {
    Ok(tx.execute(&CONSUME_SETUP, (hash, now)).await? == 1)
}

/// For whom a live link is, as this client uses it.
pub(super) async fn link_holder(
    database: &Database,
    tenant: TenantId,
    hash: Vec<u8>,
    client: Option<Vec<u8>>,
    now: DateTime<Utc>,
) -> Result<Option<LinkHolder>, DatabaseError> {
    Ok(database
        .read(tenant, &LINK_HOLDER, (hash, now, client))
        .await?
        .into_iter()
        .next())
}

/// Uses a link up; false if it was used before, or has expired.
pub(super) async fn consume_link(
    tx: &TenantTx,
    hash: Vec<u8>,
    now: DateTime<Utc>,
) -> Result<bool, DatabaseError> {
    Ok(tx.execute(&CONSUME_LINK, (hash, now)).await? == 1)
}

/// Ends a person's live links and writes a new one.
pub(super) async fn replace_link(
    tx: &TenantTx,
    id: Uuid,
    user: UserId,
    purpose: Purpose,
    hash: Vec<u8>,
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Result<(), DatabaseError> {
    tx.execute(&END_LINKS, (user,)).await?;
    let row = (
        tx.tenant(),
        id,
        user,
        purpose.as_str().to_owned(),
        hash,
        now,
        expires_at,
    );
    tx.execute(&ADD_LINK, row).await.map(drop)
}

/// A tenant's owner, held until the transaction ends: the first one, should there be several.
pub(super) async fn lock_owner(tx: &TenantTx) -> Result<Option<OwnerAccount>, DatabaseError> {
    tx.optional(&LOCK_OWNER, ()).await
}
