//! Tenancy: the operators of Plaza.
//!
//! Owns       schema `tenancy`: tenants, slugs, configuration, secrets
//! Offers     HTTP `/api/v1/admin/tenants`, gRPC `plaza.tenancy.v1` (`Tenancy`, `Tenants`, `Audit`)
//! Publishes  `tenant.created`, `tenancy.tenant.state_changed`, `tenancy.tenant.deleted`, `tenancy.config.changed`
//! Consumes   `identity.owner.provisioned`
//! Needs      `Identity` (owner links) and, to say what a deletion would do, `Identity` and `Broadcast`, through `contracts`
//!
//! Read `tenants/create.rs` first; every verb has its shape. What may become of a tenant is in `tenants/life.rs`.

mod audit;
mod config;
mod configuration;
mod consumers;
mod routes;
mod rpc;
mod secrets;
mod tenants;

use std::sync::Arc;

use plaza_contracts::proto::broadcast::broadcast_client::BroadcastClient;
use plaza_contracts::proto::identity::identity_client::IdentityClient;
use plaza_contracts::proto::identity::members_client::MembersClient;
use plaza_contracts::services::{BROADCAST, IDENTITY, TENANCY};
use plaza_crypto::KeyRing;
use plaza_database::{Database, Schema, migrations};
use plaza_kernel::Clock;
use plaza_messaging::Subscriptions;
use plaza_rpc::{Directory, Transport};
use plaza_schedule::Schedules;
use plaza_vault::Vault;
use plaza_web::{PermissionSource, ServiceApi};

pub use config::TenancyConfig;
pub use tenants::{Life, Status, Tenant, status};

/// The service. Cheap to clone.
#[derive(Clone)]
pub struct Tenancy {
    inner: Arc<Inner>,
}

struct Inner {
    config: TenancyConfig,
    database: Database,
    identity: IdentityClient<Transport>,
    members: MembersClient<Transport>,
    broadcast: BroadcastClient<Transport>,
    /// What tenants' secrets are sealed with.
    vault: Vault,
    clock: Clock,
}

/// The schema and its migrations.
pub fn schema() -> Schema {
    let own = migrations![
        "V20261120100000__tenants",
        "V20261122110100__life_and_configuration",
        "V20261122160000__sealed_values",
    ];
    Schema::new(TENANCY, own)
        .with(plaza_audit::migrations())
        .with(plaza_once::migrations())
        .with(plaza_messaging::migrations())
        .with(plaza_schedule::migrations())
        .with(plaza_vault::migrations())
}

impl Tenancy {
    /// Composes the service; connects to nothing yet.
    pub fn new(
        config: TenancyConfig,
        database: Database,
        directory: &Directory,
        clock: Clock,
        keys: KeyRing,
    ) -> Self {
        let vault = Vault::new(database.clone(), keys, clock.clone());
        Self {
            inner: Arc::new(Inner {
                config,
                database,
                identity: IdentityClient::new(directory.transport(IDENTITY)),
                members: MembersClient::new(directory.transport(IDENTITY)),
                broadcast: BroadcastClient::new(directory.transport(BROADCAST)),
                vault,
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

    /// What it reacts to.
    pub fn subscriptions(&self) -> Subscriptions {
        Subscriptions::new().with(consumers::ActivateTenant {
            clock: self.inner.clock.clone(),
        })
    }

    /// What it does by the calendar.
    pub fn schedules(&self) -> Schedules {
        let schedules = plaza_once::with_tidying(tenants::end::schedules(self), &self.inner.database);
        plaza_vault::rewrapping(schedules, "tenancy.rewrap", &self.inner.vault)
    }
}
