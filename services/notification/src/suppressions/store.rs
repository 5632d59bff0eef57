//! All SQL about suppressions, but for the check in the statement that leases a message (`dispatch/store.rs`).

use chrono::{DateTime, Utc};
use plaza_database::{Database, DatabaseError, TenantTx, row, statements};
use plaza_kernel::{Page, PageQuery, TenantId};
use uuid::Uuid;

use super::{Suppression, SuppressionId};

row! {
    /// A suppression's row.
    struct Stored {
        id: SuppressionId,
        channel: String,
        address: String,
        reason: String,
        created_at: DateTime<Utc>,
    }
}

statements! {
    static ADD: (TenantId, SuppressionId, String, String, String, DateTime<Utc>) => () =
        "INSERT INTO notification.suppressions (tenant_id, id, channel, address, reason, created_at)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (tenant_id, channel, address) DO NOTHING";
    static OF_ADDRESS: (TenantId, String, String) => Stored =
        "SELECT id, channel, address, reason, created_at FROM notification.suppressions
          WHERE tenant_id = $1 AND channel = $2 AND address = $3";
    static REMOVE: (TenantId, SuppressionId) => () =
        "DELETE FROM notification.suppressions WHERE tenant_id = $1 AND id = $2";
    static LIST: (TenantId, Option<Uuid>, i64, i64) => Stored =
        "SELECT id, channel, address, reason, created_at FROM notification.suppressions
          WHERE tenant_id = $1 AND ($2::uuid IS NULL OR id < $2)
          ORDER BY id DESC LIMIT $3 OFFSET $4";
    static AMONG: (TenantId, String, Vec<String>) => (String,) =
        "SELECT address FROM notification.suppressions
          WHERE tenant_id = $1 AND channel = $2 AND address = ANY ($3)";
}

/// Suppresses an address. One that is suppressed already stays as it was; what stands is given back.
pub(crate) async fn add(tx: &TenantTx, new: Suppression) -> Result<Suppression, DatabaseError> {
    let key = (tx.tenant(), new.channel.clone(), new.address.clone());
    let params = (
        tx.tenant(),
        new.id,
        new.channel,
        new.address,
        new.reason,
        new.created_at,
    );
    tx.execute(&ADD, params).await?;
    Ok(tx.one(&OF_ADDRESS, key).await?.into())
}

/// Lifts a suppression; says whether there was one.
pub(crate) async fn remove(tx: &TenantTx, id: SuppressionId) -> Result<bool, DatabaseError> {
    Ok(tx.execute(&REMOVE, (tx.tenant(), id)).await? == 1)
}

/// A page of suppressions, newest first.
pub(crate) async fn list(
    database: &Database,
    tenant: TenantId,
    page: PageQuery,
    skip: i64,
) -> Result<Page<Suppression>, DatabaseError> {
    let after = page.cursor.map(plaza_kernel::Cursor::last_seen);
    let rows = database
        .read(tenant, &LIST, (tenant, after, page.limit.and_one(), skip))
        .await?;
    let found = rows.into_iter().map(Suppression::from).collect();
    Ok(Page::from_found(
        found,
        page.limit,
        |suppression: &Suppression| suppression.id,
    ))
}

/// Which of these addresses are suppressed.
pub(crate) async fn among(
    database: &Database,
    tenant: TenantId,
    channel: String,
    addresses: Vec<String>,
) -> Result<Vec<String>, DatabaseError> {
    let tx = database.begin(tenant);
    let found = tx.all(&AMONG, (tenant, channel, addresses)).await?;
    tx.commit().await?;
    Ok(found.into_iter().map(|(address,)| address).collect())
}

impl From<Stored> for Suppression {
    fn from(stored: Stored) -> Self {
        Self {
            id: stored.id,
            channel: stored.channel,
            address: stored.address,
            reason: stored.reason,
            created_at: stored.created_at,
        }
    }
}
