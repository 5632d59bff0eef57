//! All SQL about tenants' own terms of sending.

use chrono::{DateTime, Utc};
use plaza_database::{DatabaseError, TenantTx, statements};
use plaza_kernel::TenantId;

use super::Terms;

statements! {
    static OF: (TenantId,) => (String,) =
        "SELECT document FROM notification.tenant_settings WHERE tenant_id = $1";
    // Events may come twice, and the older after the newer.
    static SET: (TenantId, i64, String, DateTime<Utc>) => () =
        "INSERT INTO notification.tenant_settings AS t (tenant_id, version, document, updated_at)
         VALUES ($1, $2, $3, $4)
         ON CONFLICT (tenant_id) DO UPDATE
            SET version = excluded.version, document = excluded.document, updated_at = excluded.updated_at
          WHERE t.version < excluded.version";
    static HOLD: (TenantId, bool, DateTime<Utc>, DateTime<Utc>) => () =
        "INSERT INTO notification.tenant_settings AS t (tenant_id, held, held_as_of, updated_at)
         VALUES ($1, $2, $3, $4)
         ON CONFLICT (tenant_id) DO UPDATE
            SET held = excluded.held, held_as_of = excluded.held_as_of, updated_at = excluded.updated_at
          WHERE t.held_as_of IS NULL OR t.held_as_of < excluded.held_as_of";
}

/// The tenant's terms.
pub(crate) async fn of(tx: &TenantTx) -> Result<Terms, DatabaseError> {
    let found = tx.optional(&OF, (tx.tenant(),)).await?;
    Ok(found
        .map(|(document,)| Terms::parse(&document))
        .unwrap_or_default())
}

/// Keeps the document of a version, unless a later one is there.
pub(super) async fn set(
    tx: &TenantTx,
    version: u64,
    document: String,
    now: DateTime<Utc>,
) -> Result<(), DatabaseError> {
    let version = i64::try_from(version).unwrap_or(i64::MAX);
    tx.execute(&SET, (tx.tenant(), version, document, now))
        .await
        .map(drop)
}

/// Keeps whether all messages of the tenant wait, as of then, unless it is known of a later time.
pub(super) async fn hold(
    tx: &TenantTx,
    held: bool,
    as_of: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<(), DatabaseError> {
    tx.execute(&HOLD, (tx.tenant(), held, as_of, now)).await.map(drop)
}
