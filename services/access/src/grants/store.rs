//! All SQL about what a member may do.

use plaza_database::{Database, DatabaseError, TenantTx, row, statements};
use plaza_kernel::{TenantId, UserId};

use super::{Grants, bit, granted};
use crate::roles::{RoleId, Template};

row! {
    /// One role that has to do with the question why; null where there is none.
    struct Stored {
        version: i64,
        menu_on: bool,
        role_id: Option<RoleId>,
        name: Option<String>,
        template: Option<String>,
        held: Option<bool>,
        /// By its rows: those of a default role count for nothing.
        grants: Option<bool>,
    }
}

statements! {
    static VERSION: (TenantId,) => (i64,) = "SELECT version FROM access.versions WHERE tenant_id = $1";
    static RAISE_VERSION: (TenantId,) => () =
        "INSERT INTO access.versions (tenant_id, version) VALUES ($1, 1)
         ON CONFLICT (tenant_id) DO UPDATE SET version = access.versions.version + 1";
    /// What the member's own roles grant, which default roles the member has, and which menus the tenant.
    static OF_MEMBER: (TenantId, UserId) => (i64, Vec<String>, Vec<String>, Vec<String>) =
        "SELECT v.version,
                coalesce(array_agg(DISTINCT p.menu || '.' || p.action) FILTER (WHERE p.menu IS NOT NULL), '{}'),
                coalesce(array_agg(DISTINCT r.template) FILTER (WHERE r.template IS NOT NULL), '{}'),
                ARRAY(SELECT menu FROM access.menus WHERE tenant_id = $1)
           FROM access.versions v
           LEFT JOIN access.assignments a ON a.tenant_id = v.tenant_id AND a.user_id = $2
           LEFT JOIN access.roles r ON r.tenant_id = a.tenant_id AND r.id = a.role_id
           LEFT JOIN access.role_permissions p
             ON p.tenant_id = r.tenant_id AND p.role_id = r.id AND r.template IS NULL
          WHERE v.tenant_id = $1
          GROUP BY v.version";
    static MENUS: (TenantId,) => (String,) =
        "SELECT menu FROM access.menus WHERE tenant_id = $1 ORDER BY position, menu";
    /// One row at least, so that version and menu are of the same moment as the roles.
    static WHY: (TenantId, UserId, String, String) => Stored =
        "SELECT v.version,
                EXISTS (SELECT FROM access.menus m WHERE m.tenant_id = $1 AND m.menu = $3) AS menu_on,
                r.id AS role_id, r.name, r.template, r.held, r.grants
           FROM access.versions v
           LEFT JOIN (SELECT r.id, r.name, r.template, a.role_id IS NOT NULL AS held, p.role_id IS NOT NULL AS grants
                        FROM access.roles r
                        LEFT JOIN access.assignments a
                          ON a.tenant_id = r.tenant_id AND a.role_id = r.id AND a.user_id = $2
                        LEFT JOIN access.role_permissions p
                          ON p.tenant_id = r.tenant_id AND p.role_id = r.id AND p.menu = $3 AND p.action = $4
                       WHERE r.tenant_id = $1
                         AND (a.role_id IS NOT NULL OR p.role_id IS NOT NULL OR r.template IS NOT NULL)) r ON true
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
    let (version, names, templates, menus) = row.unwrap_or_default();
    let templates = templates.iter().filter_map(|name| Template::named(name));
    Ok(Grants {
        version,
        permissions: granted(names.iter().map(String::as_str), templates, &menus),
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
        why.roles.extend(row.into_role(bit(menu, action)));
    }
    Ok(why)
}

impl Stored {
    /// None for a role that has nothing to do with the question.
    fn into_role(self, asked: Option<u16>) -> Option<RoleInQuestion> {
        let template = self.template.as_deref().and_then(Template::named);
        let by_code = |template: Template| asked.is_some_and(|bit| template.permissions().contains(bit));
        let (held, stored) = (self.held?, self.grants?);
        let grants = template.map_or(stored, by_code);
        (held || grants).then_some(RoleInQuestion {
            id: self.role_id?,
            name: self.name?,
            held,
            grants,
        })
    }
}
