//! Access: what the members of a tenant may do.
//!
//! Owns       schema `access`: menus, roles, role_permissions, assignments, versions
//! Offers     HTTP `/api/v1/admin/{roles,menus}` and `/api/v1/auth/{roles,permissions}`, gRPC `plaza.access.v1`
//!            (`Access`, `Roles`)
//! Consumes   `tenant.created` (default roles and menus), `user.registered` (the first role of a member)
//! Needs      `Identity` and `Tenancy`, through `contracts`, for explanations only: a check needs nobody
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
use plaza_contracts::proto::identity::identity_client::IdentityClient;
use plaza_contracts::proto::tenancy::tenancy_client::TenancyClient;
use plaza_contracts::services::{ACCESS, IDENTITY, TENANCY};
use plaza_database::{Database, DatabaseError, Schema, TenantTx, migrations};
use plaza_kernel::Clock;
use plaza_messaging::Subscriptions;
use plaza_rpc::{Directory, Transport};
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
    identity: IdentityClient<Transport>,
    tenancy: TenancyClient<Transport>,
    clock: Clock,
}

/// The schema and its migrations.
pub fn schema() -> Schema {
    Schema::new(ACCESS, migrations!["V20261120110000__roles"])
        .with(plaza_messaging::migrations())
        .with(plaza_schedule::migrations())
}

impl Access {
    /// Composes the service; connects to nothing yet. `cached` are the permissions that this process checks with: a
    /// change made here is seen here at once.
    pub fn new(database: Database, cached: Permissions, directory: &Directory, clock: Clock) -> Self {
        let identity = IdentityClient::new(directory.transport(IDENTITY));
        let tenancy = TenancyClient::new(directory.transport(TENANCY));
        Self {
            inner: Arc::new(Inner {
                database,
                cached,
                identity,
                tenancy,
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
