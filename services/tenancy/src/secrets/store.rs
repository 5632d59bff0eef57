//! All SQL about secrets.

use chrono::{DateTime, Utc};
use plaza_database::{Database, DatabaseError, TenantTx, row, statements};
use plaza_kernel::{Page, PageQuery, TenantId};
use uuid::Uuid;

use super::{SecretName, Shown};

row! {
    /// A secret of a tenant; all is null if there is none.
    struct Found {
        id: Option<Uuid>,
        namespace: Option<String>,
        key: Option<String>,
        hint: Option<String>,
        updated_at: Option<DateTime<Utc>>,
    }
}

statements! {
    static FIND: (TenantId, String, String) => (Uuid, String) =
        "SELECT id, sealed FROM tenancy.secrets WHERE tenant_id = $1 AND namespace = $2 AND key = $3";
    static COUNT: (TenantId,) => (i64,) = "SELECT count(*) FROM tenancy.secrets WHERE tenant_id = $1";
    static SAVE: (TenantId, String, String, Uuid, String, String, DateTime<Utc>) => () =
        "INSERT INTO tenancy.secrets (tenant_id, namespace, key, id, sealed, hint, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (tenant_id, namespace, key) DO UPDATE
            SET sealed = excluded.sealed, hint = excluded.hint, updated_at = excluded.updated_at";
    static RESEAL: (TenantId, Uuid, String) => () =
        "UPDATE tenancy.secrets SET sealed = $3 WHERE tenant_id = $1 AND id = $2";
    static REMOVE: (TenantId, String, String) => () =
        "DELETE FROM tenancy.secrets WHERE tenant_id = $1 AND namespace = $2 AND key = $3";
    static ERASE: (TenantId,) => () = "DELETE FROM tenancy.secrets WHERE tenant_id = $1";
    /// One row at least if the tenant exists.
    static LIST: (TenantId, Option<Uuid>, i64, i64) => Found =
        "SELECT s.id, s.namespace, s.key, s.hint, s.updated_at
           FROM tenancy.tenants t
           LEFT JOIN LATERAL (SELECT id, namespace, key, hint, updated_at
                                FROM tenancy.secrets
                               WHERE tenant_id = t.tenant_id AND ($2::uuid IS NULL OR id > $2)
                               ORDER BY id
                               LIMIT $3 OFFSET $4) s ON true
          WHERE t.tenant_id = $1 AND t.status <> 'deleted'
          ORDER BY s.id";
}

/// The id of a secret and its sealed value.
pub(crate) async fn find(tx: &TenantTx, name: &SecretName) -> Result<Option<(Uuid, String)>, DatabaseError> {
    let (namespace, key) = parts(name);
    tx.optional(&FIND, (tx.tenant(), namespace, key)).await
}

/// How many secrets the tenant has.
pub(crate) async fn count(tx: &TenantTx) -> Result<i64, DatabaseError> {
    Ok(tx.one(&COUNT, (tx.tenant(),)).await?.0)
}

/// Writes a secret down, in place of the one of this name if there is one: that has the same id then.
pub(crate) async fn save(
    tx: &TenantTx,
    name: &SecretName,
    id: Uuid,
    (sealed, hint): (String, String),
    at: DateTime<Utc>,
) -> Result<(), DatabaseError> {
    let (namespace, key) = parts(name);
    tx.execute(&SAVE, (tx.tenant(), namespace, key, id, sealed, hint, at))
        .await
        .map(drop)
}

/// Writes the same value down, sealed anew.
pub(crate) async fn reseal(tx: &TenantTx, id: Uuid, sealed: String) -> Result<(), DatabaseError> {
    tx.execute(&RESEAL, (tx.tenant(), id, sealed)).await.map(drop)
}

/// Removes a secret; says whether there was one.
pub(crate) async fn remove(tx: &TenantTx, name: &SecretName) -> Result<bool, DatabaseError> {
    let (namespace, key) = parts(name);
    Ok(tx.execute(&REMOVE, (tx.tenant(), namespace, key)).await? == 1)
}

/// Removes all of them: of a tenant that was deleted.
pub(crate) async fn erase(tx: &TenantTx) -> Result<(), DatabaseError> {
    tx.execute(&ERASE, (tx.tenant(),)).await.map(drop)
}

/// A page of what people see of a tenant's secrets, oldest first; none if there is no such tenant.
pub(crate) async fn list(
    database: &Database,
    tenant: TenantId,
    page: PageQuery,
    skip: i64,
) -> Result<Option<Page<Shown>>, DatabaseError> {
    let after = page.cursor.map(plaza_kernel::Cursor::last_seen);
    let rows = database
        .read(tenant, &LIST, (tenant, after, page.limit.and_one(), skip))
        .await?;
    if rows.is_empty() {
        return Ok(None);
    }
    let found = rows.into_iter().filter_map(Found::into_shown).collect();
    Ok(Some(Page::from_found(found, page.limit, |shown| shown.id)))
}

fn parts(name: &SecretName) -> (String, String) {
    (name.namespace.as_str().to_owned(), name.key.clone())
}

impl Found {
    fn into_shown(self) -> Option<Shown> {
        Some(Shown {
            id: self.id?,
            namespace: self.namespace?,
            key: self.key?,
            hint: self.hint?,
            updated_at: self.updated_at?,
        })
    }
}
