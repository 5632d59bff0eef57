//! A tenancy that answers, refuses, dawdles, talks too much, asks on and panics, as its slug says.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use plaza_contracts::proto::tenancy::tenancy_client::TenancyClient;
use plaza_contracts::proto::tenancy::tenancy_server::{Tenancy, TenancyServer};
use plaza_contracts::proto::tenancy::{GetRequest, ResolveRequest, Tenant};
use plaza_kernel::{Failure, FieldError, Kind, RequestId};
use plaza_rpc::{Peer, Transport};
use plaza_telemetry::trace::{self, TraceContext};
use tonic::service::Routes;
use tonic::{Request, Response, Status};

#[derive(Debug, thiserror::Error)]
pub(crate) enum StubError {
    #[error("there is no such tenant")]
    NotFound,
    #[error("the slug is not acceptable")]
    Slug,
    #[error("wait a little")]
    Throttled,
    #[error("the database said: relation \"tenants\" does not exist")]
    Database,
}

impl Failure for StubError {
    fn kind(&self) -> Kind {
        match self {
            Self::NotFound => Kind::NotFound,
            Self::Slug => Kind::Invalid,
            Self::Throttled => Kind::Throttled,
            Self::Database => Kind::Internal,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "TENANT_NOT_FOUND",
            Self::Slug => "INVALID_SLUG",
            Self::Throttled => "TENANT_THROTTLED",
            Self::Database => "DATABASE_ERROR",
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        match self {
            Self::Slug => vec![FieldError::new(
                "/slug",
                "TOO_SHORT",
                "at least three letters: äöü",
            )],
            _ => Vec::new(),
        }
    }

    fn retry_after(&self) -> Option<u32> {
        matches!(self, Self::Throttled).then_some(42)
    }
}

#[derive(Clone, Default)]
pub(crate) struct StubTenancy {
    /// Calls that came to their end, as opposed to those that were given up.
    pub(crate) finished: Arc<AtomicUsize>,
    /// Calls that began.
    pub(crate) begun: Arc<AtomicUsize>,
    /// Whom it asks on, in its turn.
    pub(crate) next: Arc<OnceLock<TenancyClient<Transport>>>,
}

impl StubTenancy {
    pub(crate) fn routes(&self) -> Routes {
        Routes::new(TenancyServer::new(self.clone()))
    }
}

/// Who calls, as the callee sees it.
fn name(peer: &Peer) -> String {
    let caller = peer.caller.as_ref();
    let subject = caller.map_or_else(|| "nobody".to_owned(), |caller| caller.subject.to_string());
    format!("{} for {subject}", peer.service)
}

fn tenant(slug: &str, name: String) -> Tenant {
    Tenant {
        tenant_id: String::new(),
        slug: slug.to_owned(),
        name,
        status: "active".to_owned(),
    }
}

#[tonic::async_trait]
impl Tenancy for StubTenancy {
    async fn resolve(&self, request: Request<ResolveRequest>) -> Result<Response<Tenant>, Status> {
        let request_id = request.extensions().get::<RequestId>().map(ToString::to_string);
        let peer = request.extensions().get::<Peer>().map(name);
        let slug = request.into_inner().slug;
        self.begun.fetch_add(1, Ordering::SeqCst);
        if let Some(slug) = slug.strip_prefix("next ") {
            let slug = slug.to_owned();
            return self
                .next
                .get()
                .unwrap()
                .clone()
                .resolve(ResolveRequest { slug })
                .await;
        }
        let result = match slug.as_str() {
            "missing" => Err(StubError::NotFound),
            "x" => Err(StubError::Slug),
            "often" => Err(StubError::Throttled),
            "broken" => Err(StubError::Database),
            "panics" => panic!("a defect of the callee"),
            "raw" => return Err(Status::unknown("the password of the database")),
            "peer" => Ok(tenant(&slug, peer.unwrap_or_default())),
            "trace" => Ok(tenant(
                &slug,
                trace::current().map(TraceContext::trace_id).unwrap_or_default(),
            )),
            "lazy" => {
                tokio::time::sleep(Duration::from_millis(100)).await;
                Ok(tenant(&slug, "Lazy".to_owned()))
            }
            "slow" => {
                tokio::time::sleep(Duration::from_secs(2)).await;
                Ok(tenant(&slug, String::new()))
            }
            "talkative" => Ok(tenant(&slug, "x".repeat(5 << 20))),
            "request" => Ok(tenant(&slug, request_id.unwrap_or_default())),
            "deadline" => {
                let left = plaza_rpc::carried().deadline.unwrap() - tokio::time::Instant::now();
                Ok(tenant(&slug, left.as_millis().to_string()))
            }
            _ => Ok(tenant(&slug, "Acme".to_owned())),
        };
        self.finished.fetch_add(1, Ordering::SeqCst);
        plaza_rpc::answer(result)
    }

    async fn get(&self, _: Request<GetRequest>) -> Result<Response<Tenant>, Status> {
        plaza_rpc::answer(Err(StubError::NotFound))
    }
}
