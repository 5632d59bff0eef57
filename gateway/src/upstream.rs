//! Who answers: the seam between the gateway and the services, wherever they are.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;

use axum::extract::Request;
use axum::response::Response;
use plaza_kernel::ServiceName;
use tower::ServiceExt;

/// The way to one service's HTTP API.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Upstream {
    /// The service is hosted in this process: its router, called directly. The [`plaza_kernel::Caller`] travels in the
    /// request's extensions.
    Local(axum::Router),
}

impl Upstream {
    /// Forwards a request as it is; bodies stream both ways.
    pub(crate) fn call(
        &self,
        request: Request,
    ) -> impl Future<Output = Result<Response, Infallible>> + Send + use<> {
        match self {
            Self::Local(router) => router.clone().oneshot(request),
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
}
