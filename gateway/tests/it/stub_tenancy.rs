//! A tenancy with one tenant, `acme`, that has many more slugs: all that begin with `shop-`.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use plaza_contracts::proto::tenancy::tenancy_server::{Tenancy, TenancyServer};
use plaza_contracts::proto::tenancy::{GetRequest, ResolveRequest, Tenant};
use plaza_kernel::{Failure, Kind, TenantId};
use tokio::sync::watch;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

#[derive(Clone)]
pub(crate) struct StubTenancy {
    acme: TenantId,
    slug: Arc<Mutex<&'static str>>,
    status: Arc<Mutex<&'static str>>,
    away: Arc<AtomicBool>,
    resolved: Arc<AtomicUsize>,
    held: watch::Sender<bool>,
}

#[derive(Debug, thiserror::Error)]
#[error("there is no such tenant")]
struct NoSuchTenant;

impl Failure for NoSuchTenant {
    fn kind(&self) -> Kind {
        Kind::NotFound
    }

    fn code(&self) -> &'static str {
        "TENANT_NOT_FOUND"
    }
}

impl StubTenancy {
    pub(crate) fn new(acme: TenantId) -> Self {
        Self {
            acme,
            slug: Arc::new(Mutex::new("acme")),
            status: Arc::new(Mutex::new("active")),
            away: Arc::default(),
            resolved: Arc::default(),
            held: watch::Sender::new(false),
        }
    }

    pub(crate) fn routes(&self) -> Routes {
        Routes::new(TenancyServer::new(self.clone()))
    }

    pub(crate) fn set_status(&self, status: &'static str) {
        *self.status.lock().unwrap() = status;
    }

    pub(crate) fn rename(&self, slug: &'static str) {
        *self.slug.lock().unwrap() = slug;
    }

    pub(crate) fn away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    /// Keeps whoever asks for a slug waiting, or lets all of them go.
    pub(crate) fn hold(&self, held: bool) {
        self.held.send_replace(held);
    }

    /// How often a slug was asked for.
    pub(crate) fn resolved(&self) -> usize {
        self.resolved.load(Ordering::SeqCst)
    }

    fn tenant(&self, found: bool) -> Result<Response<Tenant>, Status> {
        if self.away.load(Ordering::SeqCst) {
            return Err(Status::unavailable("away"));
        }
        let tenant = Tenant {
            tenant_id: self.acme.to_string(),
            slug: (*self.slug.lock().unwrap()).to_owned(),
            name: "Acme".to_owned(),
            status: (*self.status.lock().unwrap()).to_owned(),
        };
        plaza_rpc::answer(if found { Ok(tenant) } else { Err(NoSuchTenant) })
    }
}

#[tonic::async_trait]
impl Tenancy for StubTenancy {
    async fn resolve(&self, request: Request<ResolveRequest>) -> Result<Response<Tenant>, Status> {
        self.resolved.fetch_add(1, Ordering::SeqCst);
        let released = self.held.subscribe().wait_for(|held| !held).await.is_ok();
        let slug = request.into_inner().slug;
        self.tenant(released && (slug == *self.slug.lock().unwrap() || slug.starts_with("shop-")))
    }

    async fn get(&self, _: Request<GetRequest>) -> Result<Response<Tenant>, Status> {
        // Tokens of other tenants belong to tenants that exist, too.
        self.tenant(true)
    }
}
