//! What tenancy writes into the audit of the tenant that it is about: never an address, and of a secret its name alone.

use plaza_audit::{Action, Entry, record};
use plaza_database::{DatabaseError, Transaction};
use plaza_kernel::Clock;
use serde_json::{Value, json};

use crate::secrets::SecretName;
use crate::tenants::{Status, Tenant};

/// What is told of a tenant.
const TENANT: &[&str] = &["slug", "name", "status"];

static TENANT_CREATED: Action = Action::new("tenants.create", "tenant", TENANT);
static TENANT_UPDATED: Action = Action::new("tenants.update", "tenant", TENANT);
static TENANT_STATE: Action = Action::new("tenants.state", "tenant", &["status", "delete_after"]);
static CONFIGURED: Action = Action::new("tenants.configure", "namespace", &["version"]);
pub(crate) static SECRET_PUT: Action = Action::new("secrets.put", "secret", &[]);
pub(crate) static SECRET_ROTATED: Action = Action::new("secrets.rotate", "secret", &[]);
pub(crate) static SECRET_REMOVED: Action = Action::new("secrets.remove", "secret", &[]);

/// A tenant was made.
pub(crate) async fn created(tx: &Transaction, clock: &Clock, tenant: &Tenant) -> Result<(), DatabaseError> {
    let entry = Entry::of(&TENANT_CREATED, tenant.id).after(told(tenant));
    record(tx, clock, entry).await.map(drop)
}

/// A tenant was changed.
pub(crate) async fn updated(
    tx: &Transaction,
    clock: &Clock,
    before: &Tenant,
    after: &Tenant,
) -> Result<(), DatabaseError> {
    let entry = Entry::of(&TENANT_UPDATED, after.id)
        .before(told(before))
        .after(told(after));
    record(tx, clock, entry).await.map(drop)
}

/// A tenant is in another state.
pub(crate) async fn state(
    tx: &Transaction,
    clock: &Clock,
    from: Status,
    tenant: &Tenant,
) -> Result<(), DatabaseError> {
    let after = json!({"status": tenant.status().to_string(), "delete_after": tenant.life.delete_after});
    let entry = Entry::of(&TENANT_STATE, tenant.id)
        .before(json!({"status": from.to_string()}))
        .after(after);
    record(tx, clock, entry).await.map(drop)
}

/// Something was done to a secret, which is told by its name.
pub(crate) async fn secret(
    tx: &Transaction,
    clock: &Clock,
    action: &'static Action,
    name: &SecretName,
) -> Result<(), DatabaseError> {
    let name = format!("{}/{}", name.namespace.as_str(), name.key);
    plaza_audit::done(tx, clock, action, name).await
}

/// A part of a tenant's configuration is another.
pub(crate) async fn configured(
    tx: &Transaction,
    clock: &Clock,
    namespace: impl ToString,
    version: i64,
) -> Result<(), DatabaseError> {
    let entry = Entry::of(&CONFIGURED, namespace).after(json!({"version": version}));
    record(tx, clock, entry).await.map(drop)
}

fn told(tenant: &Tenant) -> Value {
    json!({"slug": tenant.slug.as_str(), "name": tenant.name, "status": tenant.status().to_string()})
}
