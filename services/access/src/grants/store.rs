//! All SQL about what a member may do.

use plaza_database::{Database, DatabaseError, TenantTx, statements};
use plaza_kernel::{TenantId, UserId};

use super::{Grants, set_of};

statements! {
    static VERSION: (TenantId,) => (i64,) = "SELECT version FROM access.versions WHERE tenant_id = $1";
    static RAISE_VERSION: (TenantId,) => () =
        "INSERT INTO access.versions (tenant_id, version) VALUES ($1, 1)
         ON CONFLICT (tenant_id) DO UPDATE SET version = access.versions.version + 1";
    static OF_MEMBER: (TenantId, UserId) => (i64, Vec<String>) =
        "SELECT v.version,
                coalesce(array_agg(DISTINCT p.menu || '.' || p.action)
                         FILTER (WHERE m.menu IS NOT NULL), '{}')
           FROM access.versions v
           LEFT JOIN access.assignments a ON a.tenant_id = v.tenant_id AND a.user_id = $2
           LEFT JOIN access.role_permissions p ON p.tenant_id = a.tenant_id AND p.role_id = a.role_id
           LEFT JOIN access.menus m ON m.tenant_id = p.tenant_id AND m.menu = p.menu
          WHERE v.tenant_id = $1
          GROUP BY v.version";
    static MENUS: (TenantId,) => (String,) =
        "SELECT menu FROM access.menus WHERE tenant_id = $1 ORDER BY position, menu";
}

/// The version of a tenant's grants; 0 before it was provisioned.
pub(crate) async fn version(database: &Database, tenant: TenantId) -> Result<i64, DatabaseError> {
    Ok(database
        .read(tenant, &VERSION, (tenant,))
        .await?
        .first()
        .map_or(0, |(version,)| *version))
}

/// Makes every cached answer of this tenant stale. Part of each change of a grant, first of all: the row serialises
/// the changes of a tenant.
pub(crate) async fn raise_version(tx: &TenantTx) -> Result<(), DatabaseError> {
    tx.execute(&RAISE_VERSION, (tx.tenant(),)).await.map(drop)
}

/// What the roles of a member grant. A stranger to the tenant is granted nothing.
pub(crate) async fn of_member(
    database: &Database,
    tenant: TenantId,
    user: UserId,
) -> Result<Grants, DatabaseError> {
    let row = database
        .read(tenant, &OF_MEMBER, (tenant, user))
        .await?
        .into_iter()
        .next();
    let (version, names) = row.unwrap_or_default();
    Ok(Grants {
        version,
        permissions: set_of(names.iter().map(String::as_str)),
    })
}

/// The product areas that the tenant has, in order.
pub(crate) async fn menus(database: &Database, tenant: TenantId) -> Result<Vec<String>, DatabaseError> {
    Ok(database
        .read(tenant, &MENUS, (tenant,))
        .await?
        .into_iter()
        .map(|(menu,)| menu)
        .collect())
}
