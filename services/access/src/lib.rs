//! Access: what the members of a tenant may do.
//!
//! Owns       schema `access`: menus, roles, role_permissions, assignments, versions
//! Offers     HTTP `/api/v1/admin/{roles,menus,audit}` and `/api/v1/auth/{roles,permissions}`, `/api/v1/auth/internal/roles` for
//!            other services, gRPC `plaza.access.v1` (`Access`, `Roles`)
//! Consumes   `tenant.created` (default roles and menus), `user.registered` (the first role of a member),
//!            `identity.member.role_changed` (who owns the tenant no more is as a new member), `identity.member.removed` (their
//!            roles go)
//! Needs      `Identity` and `Tenancy`, through `contracts`, for explanations and to turn menus on and off: a check needs
//!            nobody; `Audit` of every service, to put together who did what
//!
//! The check itself is not here: it is a bit test in every process (`contracts/src/access.rs`). Here is what it asks.
//! Read `grants.rs` first, then `roles/provision.rs`.

mod audit;
mod consumers;
mod grants;
mod menus;
mod roles;
mod routes;
mod rpc;
mod trail;

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
    /// The audits of all services.
    sources: trail::Sources,
    clock: Clock,
}

/// The schema and its migrations.
pub fn schema() -> Schema {
    let own = migrations!["V20261120110000__roles", "V20261122110000__versions_and_menus"];
    Schema::new(ACCESS, own)
        .with(plaza_audit::migrations())
        .with(plaza_messaging::migrations())
        .with(plaza_schedule::migrations())
}

impl Access {
    /// Composes the service; connects to nothing yet. `cached` are the permissions that this process checks with: a
    /// change made here is seen here at once.
    pub fn new(database: Database, cached: Permissions, directory: &Directory, clock: Clock) -> Self {
        let identity = IdentityClient::new(directory.transport(IDENTITY));
        let tenancy = TenancyClient::new(directory.transport(TENANCY));
        let sources = trail::Sources::new(database.clone(), clock.clone(), directory);
        Self {
            inner: Arc::new(Inner {
                database,
                cached,
                identity,
                tenancy,
                sources,
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
            .with(consumers::FollowRole { clock: clock.clone() })
            .with(consumers::ForgetMember)
    }
}
