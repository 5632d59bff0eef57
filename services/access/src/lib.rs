//! Access: what the members of a tenant may do.
//!
//! Owns       schema `access`: menus, roles, role_permissions, assignments, versions
//! Offers     HTTP `/api/v1/admin/{roles,menus}` and `/api/v1/auth/{roles,permissions}`, gRPC `plaza.access.v1`
//! Consumes   `tenant.created` (default roles and menus), `user.registered` (the first role of a member)
//! Needs      nothing of other services
//!
//! The check itself is not here: it is a bit test in every process (`contracts/src/access.rs`). Here is what it asks.
//! Read `grants.rs` first, then `roles/provision.rs`.

mod consumers;
mod grants;
mod roles;
mod routes;
mod rpc;

use std::sync::Arc;

use plaza_contracts::access::Permissions;
use plaza_contracts::services::ACCESS;
use plaza_database::{Database, DatabaseError, Schema, TenantTx, migrations};
use plaza_kernel::Clock;
use plaza_messaging::Subscriptions;
use plaza_web::{PermissionSource, ServiceApi};

pub use grants::Grants;
pub use roles::{RoleId, Template};

/// The service. Cheap to clone.
#[derive(Clone)]
pub struct Access {
    inner: Arc<Inner>,
}

struct Inner {
    database: Database,
    cached: Permissions,
    clock: Clock,
}

/// The schema and its migrations.
pub fn schema() -> Schema {
    Schema::new(ACCESS, migrations!["V20261120110000__roles"]).with(plaza_messaging::migrations())
}

impl Access {
    /// Composes the service; connects to nothing yet. `cached` are the permissions that this process checks with: a
    /// change made here is seen here at once.
    pub fn new(database: Database, cached: Permissions, clock: Clock) -> Self {
        Self {
            inner: Arc::new(Inner {
                database,
                cached,
                clock,
            }),
        }
    }

    /// Its HTTP API.
    pub fn http(&self, permissions: Arc<dyn PermissionSource>) -> ServiceApi {
        routes::api().build(self.clone(), permissions)
    }

    /// Its gRPC API.
    pub fn grpc(&self) -> tonic::service::Routes {
        rpc::routes(self.clone())
    }

    /// Makes a change of grants true, and this process forget what it knew of the tenant's.
    async fn commit(&self, tx: TenantTx) -> Result<(), DatabaseError> {
        let tenant = tx.tenant();
        tx.commit().await?;
        self.inner.cached.invalidate(tenant);
        Ok(())
    }

    /// What it reacts to.
    pub fn subscriptions(&self) -> Subscriptions {
        let clock = &self.inner.clock;
        Subscriptions::new()
            .with(consumers::ProvisionRoles { clock: clock.clone() })
            .with(consumers::GiveFirstRole { clock: clock.clone() })
    }
}
