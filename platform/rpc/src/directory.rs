//! Which services are here, and where the others are.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::{Request, Response};
use plaza_kernel::{Kind, ServiceName};
use tonic::body::Body;
use tower::Service;
use tower::util::BoxCloneSyncService;

use crate::callee::Callee;
use crate::carried::Carried;
use crate::remote::Remote;
use crate::{TransportError, status};

/// Carries the calls of a generated client: `AccessClient::new(directory.transport(ACCESS))`.
pub type Transport = BoxCloneSyncService<Request<Body>, Response<Body>, TransportError>;

/// What one call may cost.
#[derive(Debug, Clone, Copy)]
pub struct RpcSettings {
    /// How long a call may take when the caller names no deadline.
    pub deadline: Duration,
    /// The longest message in bytes, either way. tonic's own limit for reading, 4 MiB, stays in force beside it.
    pub message: usize,
}

impl Default for RpcSettings {
    /// 5 s and 4 MiB.
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(5),
            message: 4 << 20,
        }
    }
}

/// The services of the topology. Transports may be taken before their service is hosted: services know each other
/// in circles.
#[derive(Clone)]
pub struct Directory {
    settings: RpcSettings,
    places: Arc<Mutex<HashMap<ServiceName, Place>>>,
}

/// Where a service is, once known. Shared by everybody who holds a way to it.
type Place = Arc<RwLock<Option<Found>>>;

#[derive(Clone)]
enum Found {
    Here(Callee),
    Elsewhere(Remote),
}

impl Directory {
    /// Nothing hosted.
    pub fn new(settings: RpcSettings) -> Self {
        Self {
            settings,
            places: Arc::default(),
        }
    }

    /// Hosts a service's gRPC API in this process.
    pub fn host(&self, service: ServiceName, routes: tonic::service::Routes) {
        self.put(service, Some(Found::Here(Callee::new(routes, self.settings))));
    }

    /// Says that a service is at an address (`http://127.0.0.1:9080`). Must be called inside a Tokio runtime.
    ///
    /// # Errors
    /// When the address is none.
    pub fn locate(&self, service: ServiceName, address: &str) -> Result<(), tonic::transport::Error> {
        self.put(
            service,
            Some(Found::Elsewhere(Remote::new(address, self.settings)?)),
        );
        Ok(())
    }

    /// The way to a service, wherever it is by the time of a call. Nowhere yet: `SERVICE_UNAVAILABLE`.
    pub fn transport(&self, service: ServiceName) -> Transport {
        Transport::new(Way {
            service,
            settings: self.settings,
            place: self.place(service),
        })
    }

    /// The hosted service's API wrapped in the layers of the callee, for a listener.
    pub fn hosted(&self, service: ServiceName) -> Option<Transport> {
        let found = self
            .place(service)
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        match found {
            Some(Found::Here(callee)) => Some(Transport::new(callee)),
            Some(Found::Elsewhere(_)) | None => None,
        }
    }

    /// The way to a service at an address (`http://127.0.0.1:9080`), over HTTP/2. Must be called inside a Tokio
    /// runtime.
    ///
    /// # Errors
    /// When the address is none.
    pub fn remote(address: &str, settings: RpcSettings) -> Result<Transport, tonic::transport::Error> {
        Ok(Transport::new(Remote::new(address, settings)?))
    }

    /// Forgets every service. Services hold ways to each other, so without this, at the end, they keep each other
    /// alive, and their database connections with them.
    pub fn close(&self) {
        let places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        for place in places.values() {
            *place.write().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }

    fn put(&self, service: ServiceName, found: Option<Found>) {
        *self
            .place(service)
            .write()
            .unwrap_or_else(PoisonError::into_inner) = found;
    }

    fn place(&self, service: ServiceName) -> Place {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(places.entry(service).or_default())
    }
}

/// The way to a service that may not be hosted yet.
#[derive(Clone)]
struct Way {
    service: ServiceName,
    settings: RpcSettings,
    place: Place,
}

impl Service<Request<Body>> for Way {
    type Response = Response<Body>;
    type Error = TransportError;
    type Future = BoxFuture<'static, Result<Response<Body>, TransportError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let found = self.place.read().unwrap_or_else(PoisonError::into_inner).clone();
        match found {
            Some(Found::Here(mut callee)) => {
                Carried::dress(&mut request, self.settings.deadline);
                callee.call(request)
            }
            Some(Found::Elsewhere(mut remote)) => remote.call(request),
            None => {
                tracing::warn!(
                    service = self.service.as_str(),
                    "service is neither hosted here nor located elsewhere"
                );
                let status = status::status(
                    Kind::Unavailable,
                    "SERVICE_UNAVAILABLE",
                    "the service is busy or away; try again",
                );
                Box::pin(async move { Ok(status.into_http()) })
            }
        }
    }
}
