//! All SQL about what a member may do.

use plaza_database::{Database, DatabaseError, TenantTx, row, statements};
use plaza_kernel::{TenantId, UserId};

use super::{Grants, set_of};
use crate::roles::RoleId;

row! {
    /// One role that has to do with the question why; null where there is none.
    struct Stored {
        version: i64,
        menu_on: bool,
        role_id: Option<RoleId>,
        name: Option<String>,
        held: Option<bool>,
        grants: Option<bool>,
    }
}

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
    /// One row at least, so that version and menu are of the same moment as the roles.
    static WHY: (TenantId, UserId, String, String) => Stored =
        "SELECT v.version,
                EXISTS (SELECT FROM access.menus m WHERE m.tenant_id = $1 AND m.menu = $3) AS menu_on,
                r.id AS role_id, r.name, r.held, r.grants
           FROM access.versions v
           LEFT JOIN (SELECT r.id, r.name, a.role_id IS NOT NULL AS held, p.role_id IS NOT NULL AS grants
                        FROM access.roles r
                        LEFT JOIN access.assignments a
                          ON a.tenant_id = r.tenant_id AND a.role_id = r.id AND a.user_id = $2
                        LEFT JOIN access.role_permissions p
                          ON p.tenant_id = r.tenant_id AND p.role_id = r.id AND p.menu = $3 AND p.action = $4
                       WHERE r.tenant_id = $1 AND (a.role_id IS NOT NULL OR p.role_id IS NOT NULL)) r ON true
          WHERE v.tenant_id = $1
          ORDER BY r.id";
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

/// What the tenant's grants say to the question why.
#[derive(Debug, Default)]
pub(crate) struct Why {
    /// The version they are of; 0 before the tenant was provisioned.
    pub(crate) version: i64,
    /// Whether the tenant has the product area.
    pub(crate) menu_on: bool,
    /// The member's roles and those that grant the permission, oldest first.
    pub(crate) roles: Vec<RoleInQuestion>,
}

/// A role that the member has, or that grants the permission, or both.
#[derive(Debug)]
pub(crate) struct RoleInQuestion {
    pub(crate) id: RoleId,
    pub(crate) name: String,
    pub(crate) held: bool,
    pub(crate) grants: bool,
}

/// Which roles have to do with whether this member may do this.
pub(crate) async fn why(
    database: &Database,
    tenant: TenantId,
    user: UserId,
    menu: &str,
    action: &str,
) -> Result<Why, DatabaseError> {
    let question = (tenant, user, menu.to_owned(), action.to_owned());
    let rows = database.read(tenant, &WHY, question).await?;
    let mut why = Why::default();
    for row in rows {
        (why.version, why.menu_on) = (row.version, row.menu_on);
        why.roles.extend(row.into_role());
    }
    Ok(why)
}

impl Stored {
    fn into_role(self) -> Option<RoleInQuestion> {
        Some(RoleInQuestion {
            id: self.role_id?,
            name: self.name?,
            held: self.held?,
            grants: self.grants?,
        })
    }
}
