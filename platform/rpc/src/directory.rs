//! Which services are here, where the others are, and in whose name they are called.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::{Request, Response};
use plaza_kernel::{Clock, ServiceName};
use tonic::body::Body;
use tower::Service;
use tower::util::BoxCloneSyncService;

use crate::callee::{Callee, Through};
use crate::carried::carried;
use crate::remote::Remote;
use crate::{Addresses, InternalKeys, Peer, Signer, status};

/// Carries the calls of a generated client: `AccessClient::new(directory.transport(ACCESS))`.
pub type Transport = BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>;

/// Whether a service may call a method, named by its path: `/plaza.access.v1.Access/Grants`.
pub type MayCall = fn(method: &str, caller: ServiceName) -> bool;

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
///
/// A directory is a view: what is hosted and located is shared by its clones, in whose name they call is not.
#[derive(Clone)]
pub struct Directory {
    pub(crate) settings: RpcSettings,
    pub(crate) may_call: Option<MayCall>,
    pub(crate) trust: Option<(InternalKeys, Clock)>,
    acting: Option<Acting>,
    places: Arc<Mutex<HashMap<ServiceName, Place>>>,
}

/// Where a service is, once known. Shared by everybody who holds a way to it.
pub(crate) type Place = Arc<RwLock<Option<Found>>>;

#[derive(Clone)]
pub(crate) enum Found {
    Here(Callee),
    Elsewhere(Remote),
}

/// In whose name calls are made.
#[derive(Clone)]
struct Acting {
    service: ServiceName,
    signer: Option<Signer>,
}

impl Directory {
    /// Nothing hosted. It calls nobody before it is told in whose name: [`Directory::acting_as`].
    pub fn new(settings: RpcSettings) -> Self {
        Self {
            settings,
            may_call: None,
            trust: None,
            acting: None,
            places: Arc::default(),
        }
    }

    /// The same, with a table of who may call what; services hosted from now on keep to it. Without one every service may
    /// call every method, and nothing can be served on a listener.
    pub fn with_callers(self, may_call: MayCall) -> Self {
        Self {
            may_call: Some(may_call),
            ..self
        }
    }

    /// The same, with keys for calls over the network: views made from now on sign theirs, and listeners verify.
    pub fn with_keys(self, keys: InternalKeys, clock: Clock) -> Self {
        Self {
            trust: Some((keys, clock)),
            ..self
        }
    }

    /// A view of the same services whose transports call in a service's name.
    pub fn acting_as(&self, service: ServiceName) -> Self {
        let trust = self.trust.as_ref();
        let signer = trust.and_then(|(keys, clock)| keys.signer(service, clock.clone()));
        Self {
            acting: Some(Acting { service, signer }),
            ..self.clone()
        }
    }

    /// Hosts a service's gRPC API in this process.
    pub fn host(&self, service: ServiceName, routes: tonic::service::Routes) {
        let callee = Callee::new(routes, self.settings, self.may_call);
        self.put(service, Found::Here(callee));
    }

    /// Says where a service is. Connects when it is first called.
    pub fn locate(&self, service: ServiceName, addresses: Addresses) {
        self.put(service, Found::Elsewhere(Remote::new(addresses, self.settings)));
    }

    /// The way to a service, wherever it is by the time of a call. Nowhere yet: `SERVICE_UNAVAILABLE`.
    pub fn transport(&self, service: ServiceName) -> Transport {
        Transport::new(Way {
            service,
            acting: self.acting.clone(),
            settings: self.settings,
            place: self.place(service),
        })
    }

    /// Forgets every service. Services hold ways to each other, so without this, at the end, they keep each other
    /// alive, and their database connections with them.
    pub fn close(&self) {
        let places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        for place in places.values() {
            *place.write().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }

    fn put(&self, service: ServiceName, found: Found) {
        *self
            .place(service)
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Some(found);
    }

    pub(crate) fn place(&self, service: ServiceName) -> Place {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(places.entry(service).or_default())
    }
}

/// The callee at a place, if it is in this process.
pub(crate) fn hosted_at(place: &Place) -> Option<Callee> {
    match &*place.read().unwrap_or_else(PoisonError::into_inner) {
        Some(Found::Here(callee)) => Some(callee.clone()),
        Some(Found::Elsewhere(_)) | None => None,
    }
}

/// The way to a service that may not be hosted yet.
#[derive(Clone)]
struct Way {
    service: ServiceName,
    acting: Option<Acting>,
    settings: RpcSettings,
    place: Place,
}

impl Way {
    fn nowhere(&self) -> Response<Body> {
        tracing::warn!(
            service = self.service.as_str(),
            "service is neither hosted here nor located elsewhere"
        );
        status::unavailable().into_http()
    }
}

impl Service<Request<Body>> for Way {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // Readiness is awaited inside the call, where the deadline covers it.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let found = self.place.read().unwrap_or_else(PoisonError::into_inner).clone();
        let carried = carried();
        let allowed = carried.dress(&mut request, self.settings.deadline);
        match found {
            Some(Found::Here(callee)) => {
                let peer = self.acting.as_ref().map(|acting| Peer {
                    service: acting.service,
                    caller: carried.caller,
                });
                Box::pin(async move { Ok(callee.answer(request, peer, Through::Process).await) })
            }
            Some(Found::Elsewhere(remote)) => {
                let signer = self.acting.as_ref().and_then(|acting| acting.signer.as_ref());
                let token = signer.map(|signer| signer.token(self.service, carried.caller.as_ref(), None));
                Box::pin(async move { Ok(remote.call(request, token, allowed).await) })
            }
            None => Box::pin(std::future::ready(Ok(self.nowhere()))),
        }
    }
}
