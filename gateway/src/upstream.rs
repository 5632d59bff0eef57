//! Who answers: the seam between the gateway and the services, wherever they are.

use std::collections::HashMap;
use std::time::Duration;

use axum::extract::Request;
use axum::response::Response;
use plaza_kernel::{Caller, RequestId, ServiceName};
use plaza_rpc::{Addresses, Carried, Signer};
use tower::ServiceExt;

use crate::RemoteSettings;
use crate::remote::Remote;

/// The way to one service's HTTP API.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Upstream {
    /// The service is hosted in this process: its router, called directly. The [`plaza_kernel::Caller`] travels in the
    /// request's extensions.
    Local(axum::Router),
    /// The service is in processes of its own. The caller travels in a signed token.
    Remote(Remote),
}

impl Upstream {
    /// The way to a service at these addresses, whose health somebody else watches ([`Addresses::start`]). The signer
    /// is the gateway's.
    pub fn remote(addresses: Addresses, signer: Signer, settings: RemoteSettings) -> Self {
        Self::Remote(Remote::new(addresses, signer, settings))
    }

    /// Forwards a request as it is; bodies stream both ways. A service elsewhere has to begin its answer within the
    /// limit; one in this process keeps deadlines of its own.
    pub(crate) async fn call(&self, request: Request, limit: Duration) -> Response {
        match self {
            Self::Local(router) => {
                let carried = Carried {
                    request_id: request.extensions().get::<RequestId>().cloned(),
                    caller: request.extensions().get::<Caller>().cloned(),
                    deadline: None,
                };
                let Ok(response) = plaza_rpc::carry(carried, router.clone().oneshot(request)).await;
                response
            }
            Self::Remote(remote) => remote.call(request, limit).await,
        }
    }
}

/// The ways to all services that the gateway stands in front of.
#[derive(Debug, Clone, Default)]
pub struct Upstreams(HashMap<ServiceName, Upstream>);

impl Upstreams {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// One more.
    #[must_use]
    pub fn with(mut self, service: ServiceName, upstream: Upstream) -> Self {
        self.0.insert(service, upstream);
        self
    }

    pub(crate) fn get(&self, service: ServiceName) -> Option<&Upstream> {
        self.0.get(&service)
    }

    /// Those that are not in this process.
    pub(crate) fn remotes(&self) -> Vec<Remote> {
        let remotes = self.0.values().filter_map(|upstream| match upstream {
            Upstream::Remote(remote) => Some(remote.clone()),
            Upstream::Local(_) => None,
        });
        remotes.collect()
    }
}
