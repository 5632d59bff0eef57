//! A tenancy that knows what a test tells it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use plaza_contracts::proto::tenancy::tenancy_server::{Tenancy, TenancyServer};
use plaza_contracts::proto::tenancy::{GetRequest, ResolveRequest, Tenant};
use plaza_contracts::services::TENANCY;
use plaza_kernel::{Failure, Kind, TenantId};
use plaza_rpc::Directory;
use plaza_testkit::callers;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

/// A tenancy that knows slugs, ids and states.
#[derive(Clone, Default)]
pub(crate) struct Tenants(Arc<Mutex<HashMap<String, (TenantId, String)>>>);

#[derive(Debug, thiserror::Error)]
#[error("the tenant does not exist")]
struct NoTenant;

impl Failure for NoTenant {
    fn kind(&self) -> Kind {
        Kind::NotFound
    }

    fn code(&self) -> &'static str {
        "TENANT_NOT_FOUND"
    }
}

impl Tenants {
    pub(crate) fn host(&self, directory: &Directory) {
        directory.host(TENANCY, Routes::new(TenancyServer::new(self.clone())));
    }

    /// This tenant, the same each time, in this state.
    pub(crate) fn know(&self, slug: &str, status: &str) -> TenantId {
        let mut tenants = self.0.lock().unwrap();
        let (tenant, known) = tenants
            .entry(slug.to_owned())
            .or_insert_with(|| (callers::tenant(), String::new()));
        status.clone_into(known);
        *tenant
    }

    /// This one is gone.
    pub(crate) fn forget(&self, slug: &str) {
        self.0.lock().unwrap().remove(slug);
    }

    fn find(&self, fits: impl Fn(&str, TenantId) -> bool) -> Result<Response<Tenant>, Status> {
        let tenants = self.0.lock().unwrap();
        let found = tenants.iter().find(|(slug, (tenant, _))| fits(slug, *tenant));
        plaza_rpc::answer(found.ok_or(NoTenant).map(|(slug, (tenant, status))| Tenant {
            tenant_id: tenant.to_string(),
            slug: slug.clone(),
            name: slug.clone(),
            status: status.clone(),
        }))
    }
}

#[tonic::async_trait]
impl Tenancy for Tenants {
    async fn resolve(&self, request: Request<ResolveRequest>) -> Result<Response<Tenant>, Status> {
        let wanted = request.into_inner().slug;
        self.find(|slug, _| slug == wanted)
    }

    async fn get(&self, request: Request<GetRequest>) -> Result<Response<Tenant>, Status> {
        let wanted = request.into_inner().tenant_id;
        self.find(|_, tenant| tenant.to_string() == wanted)
    }
}
