//! All SQL about roles and who has them.

use chrono::{DateTime, Utc};
use plaza_database::{Database, DatabaseError, TenantTx, row, statements};
use plaza_kernel::{Page, PageQuery, PermissionSet, TenantId, UserId};
use uuid::Uuid;

use super::{Role, RoleId, RoleName, Template};
use crate::grants::set_of;
use plaza_contracts::permissions::CATALOGUE;

row! {
    /// A role's row with its permissions as `menu.action`.
    struct Stored {
        id: RoleId,
        name: String,
        template: Option<String>,
        created_at: DateTime<Utc>,
        permissions: Vec<String>,
    }
}

statements! {
    static INSERT: (TenantId, RoleId, String, String, Option<String>, DateTime<Utc>) => () =
        "INSERT INTO access.roles (tenant_id, id, name, name_norm, template, created_at)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT ON CONSTRAINT roles_template_key DO NOTHING";
    static GRANT: (TenantId, RoleId, Vec<String>, Vec<String>) => () =
        "INSERT INTO access.role_permissions (tenant_id, role_id, menu, action)
         SELECT $1, $2, menu, action FROM unnest($3::text[], $4::text[]) AS p (menu, action)";
    static ENABLE_MENUS: (TenantId, Vec<String>) => () =
        "INSERT INTO access.menus (tenant_id, menu, position)
         SELECT $1, menu, position FROM unnest($2::text[]) WITH ORDINALITY AS m (menu, position)
         ON CONFLICT DO NOTHING";
    static OF_TEMPLATE: (TenantId, String) => (RoleId,) =
        "SELECT id FROM access.roles WHERE tenant_id = $1 AND template = $2";
    static DELETE: (TenantId, RoleId) => () =
        "DELETE FROM access.roles WHERE tenant_id = $1 AND id = $2 AND template IS NULL";
    static EXISTS: (TenantId, RoleId) => (Option<String>,) =
        "SELECT template FROM access.roles WHERE tenant_id = $1 AND id = $2 FOR SHARE";
    static ASSIGN: (TenantId, UserId, RoleId, DateTime<Utc>) => () =
        "INSERT INTO access.assignments (tenant_id, user_id, role_id, created_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT DO NOTHING";
    static HELD_BY_ANOTHER: (TenantId, UserId, RoleId) => (bool,) =
        "SELECT EXISTS (SELECT FROM access.assignments WHERE tenant_id = $1 AND user_id <> $2 AND role_id = $3)";
    static UNASSIGN: (TenantId, UserId, RoleId) => () =
        "DELETE FROM access.assignments WHERE tenant_id = $1 AND user_id = $2 AND role_id = $3";
    static PERMISSIONS: (TenantId, RoleId) => (String,) =
        "SELECT menu || '.' || action FROM access.role_permissions WHERE tenant_id = $1 AND role_id = $2";
    /// One row at least if the role exists.
    static ASSIGNED: (TenantId, RoleId, Option<Uuid>, i64) => (Option<UserId>, Option<DateTime<Utc>>) =
        "SELECT a.user_id, a.created_at
           FROM access.roles r
           LEFT JOIN access.assignments a
             ON a.tenant_id = r.tenant_id AND a.role_id = r.id AND ($3::uuid IS NULL OR a.user_id > $3)
          WHERE r.tenant_id = $1 AND r.id = $2
          ORDER BY a.user_id
          LIMIT $4";
    static LIST: (TenantId, Option<Uuid>, i64, Option<UserId>) => Stored =
        "SELECT r.id, r.name, r.template, r.created_at,
                coalesce(array_agg(p.menu || '.' || p.action) FILTER (WHERE p.menu IS NOT NULL), '{}') AS permissions
           FROM access.roles r
           LEFT JOIN access.role_permissions p ON p.tenant_id = r.tenant_id AND p.role_id = r.id
          WHERE r.tenant_id = $1 AND ($2::uuid IS NULL OR r.id > $2)
            AND ($4::uuid IS NULL OR EXISTS (SELECT FROM access.assignments a
                                              WHERE a.tenant_id = $1 AND a.user_id = $4 AND a.role_id = r.id))
          GROUP BY r.tenant_id, r.id
          ORDER BY r.id
          LIMIT $3";
}

/// Writes a role; says whether it was new (a default role may be there already). Violates `roles_name_key` when the
/// name is taken.
pub(crate) async fn insert(tx: &TenantTx, role: &Role) -> Result<bool, DatabaseError> {
    let (name, norm) = (role.name.as_str().to_owned(), role.name.norm().to_owned());
    let template = role.template.map(|template| template.as_str().to_owned());
    let new = tx
        .execute(
            &INSERT,
            (tx.tenant(), role.id, name, norm, template, role.created_at),
        )
        .await?
        == 1;
    if new {
        let granted = CATALOGUE
            .iter()
            .filter(|entry| role.permissions.contains(entry.bit));
        let (menus, actions) = granted
            .map(|entry| (entry.menu.to_owned(), entry.action.to_owned()))
            .unzip();
        tx.execute(&GRANT, (tx.tenant(), role.id, menus, actions)).await?;
    }
    Ok(new)
}

/// Turns product areas on.
pub(crate) async fn enable_menus(tx: &TenantTx, menus: Vec<String>) -> Result<(), DatabaseError> {
    tx.execute(&ENABLE_MENUS, (tx.tenant(), menus)).await.map(drop)
}

/// The tenant's default role of this kind.
pub(crate) async fn of_template(tx: &TenantTx, template: Template) -> Result<Option<RoleId>, DatabaseError> {
    let found = tx
        .optional(&OF_TEMPLATE, (tx.tenant(), template.as_str().to_owned()))
        .await?;
    Ok(found.map(|(id,)| id))
}

/// Whether the role exists, and if so whether it is a default one. Its row is held until the transaction ends.
pub(crate) async fn is_default(tx: &TenantTx, id: RoleId) -> Result<Option<bool>, DatabaseError> {
    Ok(tx
        .optional(&EXISTS, (tx.tenant(), id))
        .await?
        .map(|(template,)| template.is_some()))
}

/// Removes a role of the tenant's own with all its assignments; default roles stay.
pub(crate) async fn delete(tx: &TenantTx, id: RoleId) -> Result<bool, DatabaseError> {
    Ok(tx.execute(&DELETE, (tx.tenant(), id)).await? == 1)
}

/// Gives a role to a member; giving it twice is giving it once.
pub(crate) async fn assign(
    tx: &TenantTx,
    user: UserId,
    role: RoleId,
    at: DateTime<Utc>,
) -> Result<(), DatabaseError> {
    tx.execute(&ASSIGN, (tx.tenant(), user, role, at)).await.map(drop)
}

/// Whether anybody else has this role.
pub(crate) async fn is_held_by_another(
    tx: &TenantTx,
    user: UserId,
    role: RoleId,
) -> Result<bool, DatabaseError> {
    Ok(tx.one(&HELD_BY_ANOTHER, (tx.tenant(), user, role)).await?.0)
}

/// Takes a role from a member; says whether the member had it.
pub(crate) async fn unassign(tx: &TenantTx, user: UserId, role: RoleId) -> Result<bool, DatabaseError> {
    Ok(tx.execute(&UNASSIGN, (tx.tenant(), user, role)).await? == 1)
}

/// What a role grants.
pub(crate) async fn permissions(tx: &TenantTx, role: RoleId) -> Result<PermissionSet, DatabaseError> {
    let rows = tx.all(&PERMISSIONS, (tx.tenant(), role)).await?;
    Ok(set_of(rows.iter().map(|(name,)| name.as_str())))
}

/// Somebody who has a role.
pub(crate) struct Assignment {
    pub(crate) user: UserId,
    pub(crate) created_at: DateTime<Utc>,
}

/// A page of those who have a role, by user; none if there is no such role.
pub(crate) async fn assigned(
    database: &Database,
    tenant: TenantId,
    role: RoleId,
    page: PageQuery,
) -> Result<Option<Page<Assignment>>, DatabaseError> {
    let after = page.cursor.map(plaza_kernel::Cursor::last_seen);
    let rows = database
        .read(tenant, &ASSIGNED, (tenant, role, after, page.limit.and_one()))
        .await?;
    if rows.is_empty() {
        return Ok(None);
    }
    let found = rows.into_iter().filter_map(|(user, created_at)| {
        Some(Assignment {
            user: user?,
            created_at: created_at?,
        })
    });
    Ok(Some(Page::from_found(found.collect(), page.limit, |found| {
        found.user
    })))
}

/// A page of the tenant's roles, or of those that one member has, oldest first.
pub(crate) async fn list(
    database: &Database,
    tenant: TenantId,
    member: Option<UserId>,
    page: PageQuery,
) -> Result<Page<Role>, DatabaseError> {
    let after = page.cursor.map(plaza_kernel::Cursor::last_seen);
    let rows = database
        .read(tenant, &LIST, (tenant, after, page.limit.and_one(), member))
        .await?;
    Ok(Page::from_found(
        rows.into_iter().map(Stored::into_role).collect(),
        page.limit,
        |role| role.id,
    ))
}

impl Stored {
    fn into_role(self) -> Role {
        let named = |name: &String| {
            Template::ALL
                .into_iter()
                .find(|template| template.as_str() == name)
        };
        Role {
            id: self.id,
            name: RoleName::known(&self.name),
            template: self.template.as_ref().and_then(named),
            permissions: set_of(self.permissions.iter().map(String::as_str)),
            created_at: self.created_at,
        }
    }
}
