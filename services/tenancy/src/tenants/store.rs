//! All SQL about tenants.

use chrono::{DateTime, Utc};
use plaza_database::{Database, DatabaseError, SystemTx, TenantTx, row, statements};
use plaza_kernel::{PageQuery, TenantId};
use uuid::Uuid;

use super::{Slug, Status, Tenant};

row! {
    /// A tenant's row.
    struct Stored {
        tenant_id: TenantId,
        slug: String,
        name: String,
        admin_email: String,
        status: String,
        created_at: DateTime<Utc>,
    }
}

statements! {
    static INSERT: (TenantId, String, String, String, String, DateTime<Utc>) => () =
        "INSERT INTO tenancy.tenants (tenant_id, slug, name, admin_email, status, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $6)";
    static TAKE_SLUG: (String, Uuid) => () =
        "INSERT INTO tenancy.slugs (slug, holder) VALUES ($1, $2)";
    static ACTIVATE: (TenantId, DateTime<Utc>) => () =
        "UPDATE tenancy.tenants SET status = 'active', updated_at = $2
          WHERE tenant_id = $1 AND status = 'provisioning'";
    static GET: (TenantId,) => Stored =
        "SELECT tenant_id, slug, name, admin_email, status, created_at
           FROM tenancy.tenants WHERE tenant_id = $1";
    system static RESOLVE: (String,) => Stored =
        "SELECT t.tenant_id, t.slug, t.name, t.admin_email, t.status, t.created_at
           FROM tenancy.slugs s JOIN tenancy.tenants t ON t.tenant_id = s.holder
          WHERE s.slug = $1";
    system static LIST: (Option<Uuid>, i64) => Stored =
        "SELECT tenant_id, slug, name, admin_email, status, created_at
           FROM tenancy.tenants
          WHERE $1::uuid IS NULL OR tenant_id < $1
          ORDER BY tenant_id DESC
          LIMIT $2";
}

/// Writes a new tenant and takes its slug; violates `slugs_pkey` when the slug is taken.
pub(crate) async fn insert(tx: &TenantTx, tenant: &Tenant) -> Result<(), DatabaseError> {
    let slug = tenant.slug.as_str().to_owned();
    tx.execute(&TAKE_SLUG, (slug.clone(), tenant.id.as_uuid()))
        .await?;
    let status = tenant.status.as_str().to_owned();
    let (name, email) = (tenant.name.clone(), tenant.admin_email.clone());
    tx.execute(&INSERT, (tenant.id, slug, name, email, status, tenant.created_at))
        .await?;
    Ok(())
}

/// A tenant that is being provisioned becomes active; says whether it was.
pub(crate) async fn activate(tx: &TenantTx, at: DateTime<Utc>) -> Result<bool, DatabaseError> {
    Ok(tx.execute(&ACTIVATE, (tx.tenant(), at)).await? == 1)
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

/// The tenant of a slug, across tenants.
pub(crate) async fn resolve(tx: &SystemTx, slug: &str) -> Result<Option<Tenant>, DatabaseError> {
    Ok(tx
        .optional(&RESOLVE, (slug.to_owned(),))
        .await?
        .and_then(Stored::into_tenant))
}

/// Tenants, newest first: one more than the page has.
pub(crate) async fn list(tx: &SystemTx, page: PageQuery) -> Result<Vec<Tenant>, DatabaseError> {
    let after = page.cursor.map(plaza_kernel::Cursor::last_seen);
    let rows = tx.all(&LIST, (after, page.limit.and_one())).await?;
    Ok(rows.into_iter().filter_map(Stored::into_tenant).collect())
}

impl Stored {
    /// The check constraints of the table admit nothing that does not parse.
    fn into_tenant(self) -> Option<Tenant> {
        let status = [
            Status::Provisioning,
            Status::Active,
            Status::Suspended,
            Status::Deleting,
        ]
        .into_iter()
        .find(|status| status.as_str() == self.status)?;
        let slug: Slug = self.slug.parse().ok()?;
        Some(Tenant {
            id: self.tenant_id,
            slug,
            name: self.name,
            admin_email: self.admin_email,
            status,
            created_at: self.created_at,
        })
    }
}
