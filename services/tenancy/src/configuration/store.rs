//! All SQL about configuration.

use chrono::{DateTime, Utc};
use plaza_database::{Database, DatabaseError, TenantTx, row, statements};
use plaza_kernel::{TenantId, UserId};
use plaza_web::Version;
use serde_json::Value;

use super::{Namespace, Stored};

row! {
    /// A namespace of a tenant; all but the tenant is null if nothing was said about any.
    struct Found {
        namespace: Option<String>,
        version: Option<i64>,
        document: Option<Value>,
        updated_at: Option<DateTime<Utc>>,
    }
}

statements! {
    /// One row at least if the tenant exists.
    static ALL: (TenantId,) => Found =
        "SELECT c.namespace, c.version, c.document, c.updated_at
           FROM tenancy.tenants t
           LEFT JOIN tenancy.configuration c ON c.tenant_id = t.tenant_id
          WHERE t.tenant_id = $1 AND t.status <> 'deleted'";
    static SAVE: (TenantId, String, i64, Value, DateTime<Utc>, Option<UserId>) => () =
        "INSERT INTO tenancy.configuration (tenant_id, namespace, version, document, updated_at, updated_by)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (tenant_id, namespace) DO UPDATE
            SET version = excluded.version, document = excluded.document, updated_at = excluded.updated_at,
                updated_by = excluded.updated_by";
    static ERASE: (TenantId,) => () = "DELETE FROM tenancy.configuration WHERE tenant_id = $1";
}

/// All namespaces of a tenant, to be shown; none if there is no such tenant.
pub(crate) async fn all(database: &Database, tenant: TenantId) -> Result<Option<Vec<Stored>>, DatabaseError> {
    Ok(whole(database.read(tenant, &ALL, (tenant,)).await?))
}

/// The same inside of a transaction.
pub(crate) async fn current(tx: &TenantTx) -> Result<Option<Vec<Stored>>, DatabaseError> {
    Ok(whole(tx.all(&ALL, (tx.tenant(),)).await?))
}

/// Writes a namespace down.
pub(crate) async fn save(
    tx: &TenantTx,
    stored: &Stored,
    at: DateTime<Utc>,
    by: Option<UserId>,
) -> Result<(), DatabaseError> {
    let namespace = stored.namespace.as_str().to_owned();
    let (version, document) = (stored.version.get(), stored.document.clone());
    tx.execute(&SAVE, (tx.tenant(), namespace, version, document, at, by))
        .await
        .map(drop)
}

/// Removes all of it: of a tenant that was deleted.
pub(crate) async fn erase(tx: &TenantTx) -> Result<(), DatabaseError> {
    tx.execute(&ERASE, (tx.tenant(),)).await.map(drop)
}

/// Every namespace that there is, each with what was said about it.
fn whole(rows: Vec<Found>) -> Option<Vec<Stored>> {
    if rows.is_empty() {
        return None;
    }
    let said: Vec<Stored> = rows.into_iter().filter_map(Found::into_stored).collect();
    let of = |namespace| {
        let said = said.iter().find(|stored| stored.namespace == namespace);
        said.cloned().unwrap_or_else(|| Stored::empty(namespace))
    };
    Some(Namespace::ALL.map(of).into())
}

impl Found {
    /// None for a namespace that only a later program knows.
    fn into_stored(self) -> Option<Stored> {
        Some(Stored {
            namespace: Namespace::named(&self.namespace?)?,
            document: self.document?,
            version: Version(self.version?),
            updated_at: self.updated_at,
        })
    }
}
