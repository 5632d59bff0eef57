//! All SQL about tenants.

use chrono::{DateTime, Utc};
use plaza_database::{Database, DatabaseError, SystemTx, TenantTx, row, statements};
use plaza_kernel::{PageQuery, TenantId};
use plaza_web::Version;
use uuid::Uuid;

use super::{Life, Slug, Tenant};

type At = DateTime<Utc>;

row! {
    /// A tenant's row.
    struct Stored {
        tenant_id: TenantId,
        slug: String,
        name: String,
        admin_email: String,
        status: String,
        version: i64,
        created_at: At,
        updated_at: At,
        activated_at: Option<At>,
        suspended_at: Option<At>,
        delete_after: Option<At>,
        deleted_at: Option<At>,
    }
}

// A deleted tenant is not found by any of these but the last.
statements! {
    static INSERT: (TenantId, String, String, String, String, At) => () =
        "INSERT INTO tenancy.tenants (tenant_id, slug, name, admin_email, status, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $6)";
    static TAKE_SLUG: (String, Uuid) => () =
        "INSERT INTO tenancy.slugs (slug, holder) VALUES ($1, $2)";
    static FREE_SLUG: (String, Uuid) => () =
        "DELETE FROM tenancy.slugs WHERE slug = $1 AND holder = $2";
    static GET: (TenantId,) => Stored =
        "SELECT tenant_id, slug, name, admin_email, status, version, created_at, updated_at, activated_at, suspended_at,
                delete_after, deleted_at
           FROM tenancy.tenants WHERE tenant_id = $1 AND status <> 'deleted'";
    static LOCK: (TenantId,) => Stored =
        "SELECT tenant_id, slug, name, admin_email, status, version, created_at, updated_at, activated_at, suspended_at,
                delete_after, deleted_at
           FROM tenancy.tenants WHERE tenant_id = $1 AND status <> 'deleted' FOR UPDATE";
    static UPDATE: (TenantId, String, String, String, At) => (i64,) =
        "UPDATE tenancy.tenants
            SET slug = $2, name = $3, admin_email = $4, updated_at = greatest($5, updated_at), version = version + 1
          WHERE tenant_id = $1
          RETURNING version";
    // Whoever hears of two states takes the later for what holds: so it is later, whatever the clocks of two processes say.
    static SAVE_LIFE: (TenantId, String, Option<At>, Option<At>, Option<At>, Option<At>, At) => (i64, At) =
        "UPDATE tenancy.tenants
            SET status = $2, activated_at = $3, suspended_at = $4, delete_after = $5, deleted_at = $6,
                updated_at = greatest($7, updated_at + interval '1 microsecond'), version = version + 1
          WHERE tenant_id = $1
          RETURNING version, updated_at";
    static FORGET_OWNER: (TenantId,) => () =
        "UPDATE tenancy.tenants SET admin_email = '' WHERE tenant_id = $1";
    system static RESOLVE: (String,) => Stored =
        "SELECT t.tenant_id, t.slug, t.name, t.admin_email, t.status, t.version, t.created_at, t.updated_at, t.activated_at,
                t.suspended_at, t.delete_after, t.deleted_at
           FROM tenancy.slugs s JOIN tenancy.tenants t ON t.tenant_id = s.holder
          WHERE s.slug = $1 AND t.status <> 'deleted'";
    system static LIST: (Option<Uuid>, i64, i64) => Stored =
        "SELECT tenant_id, slug, name, admin_email, status, version, created_at, updated_at, activated_at, suspended_at,
                delete_after, deleted_at
           FROM tenancy.tenants
          WHERE status <> 'deleted' AND ($1::uuid IS NULL OR tenant_id < $1)
          ORDER BY tenant_id DESC
          LIMIT $2 OFFSET $3";
    system static TO_END: (At, Option<Uuid>) => (TenantId,) =
        "SELECT tenant_id FROM tenancy.tenants
          WHERE status = 'deleting' AND delete_after <= $1 AND ($2::uuid IS NULL OR tenant_id > $2)
          ORDER BY tenant_id
          LIMIT 100";
    static EVER: (TenantId,) => Stored =
        "SELECT tenant_id, slug, name, admin_email, status, version, created_at, updated_at, activated_at, suspended_at,
                delete_after, deleted_at
           FROM tenancy.tenants WHERE tenant_id = $1";
}

/// Writes a new tenant and takes its slug; violates `slugs_pkey` when the slug is taken.
pub(crate) async fn insert(tx: &TenantTx, tenant: &Tenant) -> Result<(), DatabaseError> {
    let slug = tenant.slug.as_str().to_owned();
    tx.execute(&TAKE_SLUG, (slug.clone(), tenant.id.as_uuid()))
        .await?;
    let status = tenant.status().as_str().to_owned();
    let (name, email) = (tenant.name.clone(), tenant.admin_email.clone());
    tx.execute(&INSERT, (tenant.id, slug, name, email, status, tenant.created_at))
        .await?;
    Ok(())
}

/// The tenant of the transaction. Nobody else changes it, or anything that is changed under its lock, before the
/// transaction ends.
pub(crate) async fn lock(tx: &TenantTx) -> Result<Option<Tenant>, DatabaseError> {
    let found = tx.optional(&LOCK, (tx.tenant(),)).await?;
    Ok(found.and_then(Stored::into_tenant))
}

/// Takes the new slug and frees the old one; violates `slugs_pkey` when the new one is taken.
pub(crate) async fn change_slug(tx: &TenantTx, old: &Slug, new: &Slug) -> Result<(), DatabaseError> {
    let holder = tx.tenant().as_uuid();
    tx.execute(&TAKE_SLUG, (new.as_str().to_owned(), holder)).await?;
    free_slug(tx, old).await
}

async fn free_slug(tx: &TenantTx, slug: &Slug) -> Result<(), DatabaseError> {
    let holder = tx.tenant().as_uuid();
    tx.execute(&FREE_SLUG, (slug.as_str().to_owned(), holder))
        .await
        .map(drop)
}

/// Writes the tenant's names; says its new version.
pub(crate) async fn update(tx: &TenantTx, tenant: &Tenant, at: At) -> Result<Version, DatabaseError> {
    let slug = tenant.slug.as_str().to_owned();
    let (name, email) = (tenant.name.clone(), tenant.admin_email.clone());
    let (version,) = tx.one(&UPDATE, (tx.tenant(), slug, name, email, at)).await?;
    Ok(Version(version))
}

/// Writes what has happened to the tenant; says its new version, and when that was: later than whatever happened to it before.
pub(crate) async fn save_life(tx: &TenantTx, life: &Life, at: At) -> Result<(Version, At), DatabaseError> {
    let Life {
        activated_at,
        suspended_at,
        delete_after,
        deleted_at,
    } = *life;
    let status = life.status().as_str().to_owned();
    let params = (
        tx.tenant(),
        status,
        activated_at,
        suspended_at,
        delete_after,
        deleted_at,
        at,
    );
    let (version, at) = tx.one(&SAVE_LIFE, params).await?;
    Ok((Version(version), at))
}

/// Frees the slug of a tenant that was deleted, and forgets its owner's address.
pub(crate) async fn erase(tx: &TenantTx, slug: &Slug) -> Result<(), DatabaseError> {
    free_slug(tx, slug).await?;
    tx.execute(&FORGET_OWNER, (tx.tenant(),)).await.map(drop)
}

/// One tenant, read inside its own scope.
pub(crate) async fn get(database: &Database, id: TenantId) -> Result<Option<Tenant>, DatabaseError> {
    Ok(database
        .read(id, &GET, (id,))
        .await?
        .into_iter()
        .next()
        .and_then(Stored::into_tenant))
}

/// One tenant, also one that is deleted, read inside its own scope.
pub(crate) async fn ever(database: &Database, id: TenantId) -> Result<Option<Tenant>, DatabaseError> {
    let found = database.read(id, &EVER, (id,)).await?;
    Ok(found.into_iter().next().and_then(Stored::into_tenant))
}

/// The tenant of a slug, across tenants.
pub(crate) async fn resolve(tx: &SystemTx, slug: &str) -> Result<Option<Tenant>, DatabaseError> {
    Ok(tx
        .optional(&RESOLVE, (slug.to_owned(),))
        .await?
        .and_then(Stored::into_tenant))
}

/// Tenants, newest first: one more than the page has.
pub(crate) async fn list(tx: &SystemTx, page: PageQuery, skip: i64) -> Result<Vec<Tenant>, DatabaseError> {
    let after = page.cursor.map(plaza_kernel::Cursor::last_seen);
    let rows = tx.all(&LIST, (after, page.limit.and_one(), skip)).await?;
    Ok(rows.into_iter().filter_map(Stored::into_tenant).collect())
}

/// The next hundred tenants whose days of grace are over.
pub(crate) async fn to_end(
    tx: &SystemTx,
    at: At,
    after: Option<TenantId>,
) -> Result<Vec<TenantId>, DatabaseError> {
    let after = after.map(|tenant| tenant.as_uuid());
    let rows = tx.all(&TO_END, (at, after)).await?;
    Ok(rows.into_iter().map(|(tenant,)| tenant).collect())
}

impl Stored {
    /// The check constraints of the table admit no slug that does not parse.
    fn into_tenant(self) -> Option<Tenant> {
        let slug: Slug = self.slug.parse().ok()?;
        // A program that knows only the status made it active.
        let active = (self.status == "active").then_some(self.updated_at);
        let life = Life {
            activated_at: self.activated_at.or(active),
            suspended_at: self.suspended_at,
            delete_after: self.delete_after,
            deleted_at: self.deleted_at,
        };
        Some(Tenant {
            id: self.tenant_id,
            slug,
            name: self.name,
            admin_email: self.admin_email,
            life,
            version: Version(self.version),
            created_at: self.created_at,
        })
    }
}
