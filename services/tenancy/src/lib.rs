//! Tenancy: the operators of Plaza.
//!
//! Owns       schema `tenancy`: tenants, slugs
//! Offers     HTTP `/api/v1/admin/tenants`, gRPC `plaza.tenancy.v1` (`Tenancy`, `Tenants`)
//! Publishes  `tenant.created`
//! Consumes   `identity.owner.provisioned`
//! Needs      `Identity` (owner links), through `contracts`
//!
//! Read `tenants/create.rs` first; every verb has its shape.

mod config;
mod consumers;
mod routes;
mod rpc;
mod tenants;

use std::sync::Arc;

use plaza_contracts::proto::identity::identity_client::IdentityClient;
use plaza_contracts::services::{IDENTITY, TENANCY};
use plaza_database::{Database, Schema, migrations};
use plaza_kernel::Clock;
use plaza_messaging::Subscriptions;
use plaza_rpc::{Directory, Transport};
use plaza_web::{PermissionSource, ServiceApi};

pub use config::TenancyConfig;
pub use tenants::{Status, Tenant};

/// The service. Cheap to clone.
#[derive(Clone)]
pub struct Tenancy {
    inner: Arc<Inner>,
}

struct Inner {
    config: TenancyConfig,
    database: Database,
    identity: IdentityClient<Transport>,
    clock: Clock,
}

/// The schema and its migrations.
pub fn schema() -> Schema {
    Schema::new(TENANCY, migrations!["V20261120100000__tenants"])
        .with(plaza_messaging::migrations())
        .with(plaza_schedule::migrations())
}

impl Tenancy {
    /// Composes the service; connects to nothing yet.
    pub fn new(config: TenancyConfig, database: Database, directory: &Directory, clock: Clock) -> Self {
        let identity = IdentityClient::new(directory.transport(IDENTITY));
        Self {
            inner: Arc::new(Inner {
                config,
                database,
                identity,
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
}
