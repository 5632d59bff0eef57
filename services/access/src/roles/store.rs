//! All SQL about roles and who has them.

use chrono::{DateTime, Utc};
use plaza_database::{Database, DatabaseError, TenantTx, row, statements};
use plaza_kernel::{Page, PageQuery, TenantId, UserId};
use uuid::Uuid;

use super::{Role, RoleId, RoleName, Template};
use crate::grants::set_of;
use plaza_contracts::permissions::CATALOGUE;
use plaza_web::Version;

row! {
    /// A role's row with its permissions as `menu.action`.
    struct Stored {
        id: RoleId,
        name: String,
        template: Option<String>,
        version: i64,
        created_at: DateTime<Utc>,
        updated_at: Option<DateTime<Utc>>,
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
    static REVOKE: (TenantId, RoleId) => () =
        "DELETE FROM access.role_permissions WHERE tenant_id = $1 AND role_id = $2";
    static UPDATE: (TenantId, RoleId, String, String, Option<DateTime<Utc>>) => (i64,) =
        "UPDATE access.roles SET name = $3, name_norm = $4, version = version + 1, updated_at = $5
          WHERE tenant_id = $1 AND id = $2
          RETURNING version";
    static OF_TEMPLATE: (TenantId, String) => (RoleId,) =
        "SELECT id FROM access.roles WHERE tenant_id = $1 AND template = $2";
    static DELETE: (TenantId, RoleId) => () =
        "DELETE FROM access.roles WHERE tenant_id = $1 AND id = $2 AND template IS NULL";
    static ASSIGN: (TenantId, UserId, RoleId, DateTime<Utc>) => () =
        "INSERT INTO access.assignments (tenant_id, user_id, role_id, created_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT DO NOTHING";
    static UNASSIGN: (TenantId, UserId, RoleId) => () =
        "DELETE FROM access.assignments WHERE tenant_id = $1 AND user_id = $2 AND role_id = $3";
    /// Of one member, so that nothing of theirs is left when they come back.
    static FORGET: (TenantId, UserId) => () =
        "DELETE FROM access.assignments WHERE tenant_id = $1 AND user_id = $2";
    /// One row at least if the role exists.
    static ASSIGNED: (TenantId, RoleId, Option<Uuid>, i64, i64) => (Option<UserId>, Option<DateTime<Utc>>) =
        "SELECT a.user_id, a.created_at
           FROM access.roles r
           LEFT JOIN LATERAL (SELECT user_id, created_at
                                FROM access.assignments
                               WHERE tenant_id = r.tenant_id AND role_id = r.id AND ($3::uuid IS NULL OR user_id > $3)
                               ORDER BY user_id
                               LIMIT $4 OFFSET $5) a ON true
          WHERE r.tenant_id = $1 AND r.id = $2
          ORDER BY a.user_id";
    static FIND: (TenantId, RoleId) => Stored =
        "SELECT r.id, r.name, r.template, r.version, r.created_at, r.updated_at,
                coalesce(array_agg(p.menu || '.' || p.action) FILTER (WHERE p.menu IS NOT NULL), '{}') AS permissions
           FROM access.roles r
           LEFT JOIN access.role_permissions p ON p.tenant_id = r.tenant_id AND p.role_id = r.id
          WHERE r.tenant_id = $1 AND r.id = $2
          GROUP BY r.tenant_id, r.id";
    static LIST: (TenantId, Option<Uuid>, i64, Option<UserId>, i64) => Stored =
        "SELECT r.id, r.name, r.template, r.version, r.created_at, r.updated_at,
                coalesce(array_agg(p.menu || '.' || p.action) FILTER (WHERE p.menu IS NOT NULL), '{}') AS permissions
           FROM access.roles r
           LEFT JOIN access.role_permissions p ON p.tenant_id = r.tenant_id AND p.role_id = r.id
          WHERE r.tenant_id = $1 AND ($2::uuid IS NULL OR r.id > $2)
            AND ($4::uuid IS NULL OR EXISTS (SELECT FROM access.assignments a
                                              WHERE a.tenant_id = $1 AND a.user_id = $4 AND a.role_id = r.id))
          GROUP BY r.tenant_id, r.id
          ORDER BY r.id
          LIMIT $3 OFFSET $5";
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
    // Those of default roles are read by programs that do not know yet what a template grants.
    if new {
        grant(tx, role).await?;
    }
    Ok(new)
}

/// Gives a role another name and what it grants from now on; says its new version. Violates `roles_name_key` when the
/// name is taken.
pub(crate) async fn update(tx: &TenantTx, role: &Role) -> Result<Version, DatabaseError> {
    let (name, norm) = (role.name.as_str().to_owned(), role.name.norm().to_owned());
    let (version,) = tx
        .one(&UPDATE, (tx.tenant(), role.id, name, norm, role.updated_at))
        .await?;
    tx.execute(&REVOKE, (tx.tenant(), role.id)).await?;
    grant(tx, role).await?;
    Ok(Version(version))
}

async fn grant(tx: &TenantTx, role: &Role) -> Result<(), DatabaseError> {
    let granted = CATALOGUE
        .iter()
        .filter(|entry| role.permissions.contains(entry.bit));
    let (menus, actions) = granted
        .map(|entry| (entry.menu.to_owned(), entry.action.to_owned()))
        .unzip();
    tx.execute(&GRANT, (tx.tenant(), role.id, menus, actions))
        .await
        .map(drop)
}

/// The tenant's default role of this kind.
pub(crate) async fn of_template(tx: &TenantTx, template: Template) -> Result<Option<RoleId>, DatabaseError> {
    let found = tx
        .optional(&OF_TEMPLATE, (tx.tenant(), template.as_str().to_owned()))
        .await?;
    Ok(found.map(|(id,)| id))
}

/// One role. Nobody changes it before the transaction ends if the version of the tenant's grants was raised before.
pub(crate) async fn find(tx: &TenantTx, id: RoleId) -> Result<Option<Role>, DatabaseError> {
    let found = tx.optional(&FIND, (tx.tenant(), id)).await?;
    Ok(found.map(Stored::into_role))
}

/// One role, to be shown.
pub(crate) async fn get(
    database: &Database,
    tenant: TenantId,
    id: RoleId,
) -> Result<Option<Role>, DatabaseError> {
    let found = database.read(tenant, &FIND, (tenant, id)).await?;
    Ok(found.into_iter().next().map(Stored::into_role))
}

/// Removes a role of the tenant's own with all its assignments; default roles stay.
pub(crate) async fn delete(tx: &TenantTx, id: RoleId) -> Result<bool, DatabaseError> {
    Ok(tx.execute(&DELETE, (tx.tenant(), id)).await? == 1)
}

/// Gives a role to a member; giving it twice is giving it once. Says whether it was new.
pub(crate) async fn assign(
    tx: &TenantTx,
    user: UserId,
    role: RoleId,
    at: DateTime<Utc>,
) -> Result<bool, DatabaseError> {
    Ok(tx.execute(&ASSIGN, (tx.tenant(), user, role, at)).await? == 1)
}

/// Takes a role from a member; says whether the member had it.
pub(crate) async fn unassign(tx: &TenantTx, user: UserId, role: RoleId) -> Result<bool, DatabaseError> {
    Ok(tx.execute(&UNASSIGN, (tx.tenant(), user, role)).await? == 1)
}

/// Takes all roles from a member; says how many those were.
pub(crate) async fn forget(tx: &TenantTx, user: UserId) -> Result<u64, DatabaseError> {
    tx.execute(&FORGET, (tx.tenant(), user)).await
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
    skip: i64,
) -> Result<Option<Page<Assignment>>, DatabaseError> {
    let after = page.cursor.map(plaza_kernel::Cursor::last_seen);
    let rows = database
        .read(
            tenant,
            &ASSIGNED,
            (tenant, role, after, page.limit.and_one(), skip),
        )
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
    skip: i64,
) -> Result<Page<Role>, DatabaseError> {
    let after = page.cursor.map(plaza_kernel::Cursor::last_seen);
    let rows = database
        .read(tenant, &LIST, (tenant, after, page.limit.and_one(), member, skip))
        .await?;
    Ok(Page::from_found(
        rows.into_iter().map(Stored::into_role).collect(),
        page.limit,
        |role| role.id,
    ))
}

impl Stored {
    fn into_role(self) -> Role {
        let template = self.template.as_deref().and_then(Template::named);
        let stored = || set_of(self.permissions.iter().map(String::as_str));
        Role {
            id: self.id,
            name: RoleName::known(&self.name),
            template,
            permissions: template.map_or_else(stored, Template::permissions),
            version: Version(self.version),
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }
}
