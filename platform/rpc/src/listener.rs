//! gRPC on a socket: the hosted services behind the proof of who calls, health for everybody, reflection for whom it
//! concerns.

use std::collections::HashMap;
use std::convert::Infallible;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::{HeaderMap, Request, Response};
use http_body::Body as HttpBody;
use plaza_kernel::ServiceName;
use prost::Message;
use prost_types::FileDescriptorSet;
use tonic::Status;
use tonic::body::Body;
use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use tower::Service;

use crate::callee::{Through, names};
use crate::directory::{Place, hosted_at};
use crate::message_limit::MessageLimit;
use crate::{Directory, INTERNAL_TOKEN, NotTrusted, Peer, Verifier, status};

const HEALTH: &str = "grpc.health.v1.Health";
const REFLECTION: &str = "grpc.reflection.v1.ServerReflection";
/// Questions about health and descriptions are names; they may come from anybody.
const LONGEST_NAME: usize = 4096;

/// What a listener says of the services behind it.
#[derive(Debug, Clone, Copy)]
pub struct Reflection {
    /// The description of all services: an encoded `google.protobuf.FileDescriptorSet`.
    pub descriptors: &'static [u8],
    /// Whether whoever reaches the port may read it.
    pub without_token: bool,
}

/// gRPC cannot be served on a listener.
#[derive(Debug, thiserror::Error)]
pub enum ListenerError {
    /// Nobody could prove who calls.
    #[error("gRPC on a listener needs internal keys")]
    NoKeys,
    /// Everybody could call everything.
    #[error("gRPC on a listener needs the table of callers")]
    NoCallers,
    /// The description cannot be read.
    #[error("the description of the services cannot be read")]
    Descriptors(#[source] Box<dyn Error + Send + Sync>),
}

/// The gRPC of a listener, as a [`tower::Service`] for requests whose path names a gRPC service. Clones share everything.
#[derive(Clone)]
pub struct RpcListener(Arc<Inner>);

struct Inner {
    doors: HashMap<&'static str, Door>,
    reporter: HealthReporter,
    health: Routes,
    reflection: Routes,
    without_token: bool,
}

/// The way in to one hosted service.
struct Door {
    verifier: Verifier,
    place: Place,
    /// What health calls it: the full names of its gRPC services.
    names: Vec<String>,
    serving: AtomicBool,
}

impl Directory {
    /// The gRPC of these hosted services, for a listener: `/plaza.access.v1.Access/Grants` goes to `access`. Every call needs
    /// the internal token of a service that may make it; health needs none.
    ///
    /// Nothing is reported healthy before [`RpcListener::set_serving`].
    ///
    /// # Errors
    /// Without internal keys, without a table of callers, or when the description cannot be read.
    pub fn service_for_listener(
        &self,
        services: &[ServiceName],
        reflection: Reflection,
    ) -> Result<RpcListener, ListenerError> {
        let (keys, clock) = self.trust.as_ref().ok_or(ListenerError::NoKeys)?;
        self.may_call.ok_or(ListenerError::NoCallers)?;
        let described = FileDescriptorSet::decode(reflection.descriptors)
            .map_err(|error| ListenerError::Descriptors(error.into()))?;
        let doors: HashMap<_, _> = services
            .iter()
            .map(|service| {
                let door = Door {
                    verifier: keys.verifier(*service, clock.clone()),
                    place: self.place(*service),
                    names: names_of(*service, &described),
                    serving: AtomicBool::new(false),
                };
                (service.as_str(), door)
            })
            .collect();
        let (reporter, health) = tonic_health::server::health_reporter();
        for name in doors
            .values()
            .flat_map(|door| &door.names)
            .map(String::as_str)
            .chain([""])
        {
            // Nobody else holds the reporter's lock yet, so there is nothing to wait for.
            let _ = reporter
                .set_service_status(name, ServingStatus::NotServing)
                .now_or_never();
        }
        Ok(RpcListener(Arc::new(Inner {
            reflection: describe(described, doors.values())?,
            doors,
            reporter,
            health: Routes::new(health).prepare(),
            without_token: reflection.without_token,
        })))
    }
}

impl Inner {
    async fn report(&self, name: &str, serving: bool) {
        let status = if serving {
            ServingStatus::Serving
        } else {
            ServingStatus::NotServing
        };
        self.reporter.set_service_status(name, status).await;
    }
}

impl RpcListener {
    /// Says whether a service takes calls, to whoever asks for its health. The whole (`""`) does when every service does.
    pub async fn set_serving(&self, service: ServiceName, serving: bool) {
        let Some(door) = self.0.doors.get(service.as_str()) else {
            return;
        };
        door.serving.store(serving, Ordering::Relaxed);
        for name in &door.names {
            self.0.report(name, serving).await;
        }
        let mut doors = self.0.doors.values();
        let whole = doors.all(|door| door.serving.load(Ordering::Relaxed));
        self.0.report("", whole).await;
    }

    /// Ends the streams of those who watch a health, so that they do not hold up the end of the process.
    pub async fn end_watches(&self) {
        let mut reporter = self.0.reporter.clone();
        for name in self.0.doors.values().flat_map(|door| &door.names) {
            reporter.clear_service_status(name).await;
        }
        reporter.clear_service_status("").await;
    }

    async fn answer(self, mut request: Request<Body>) -> Response<Body> {
        let (service, _) = names(request.uri().path());
        match service {
            HEALTH => unguarded(&self.0.health, request).await,
            REFLECTION if self.0.without_token => unguarded(&self.0.reflection, request).await,
            REFLECTION => match self.peer_of_any(request.headers()) {
                Ok(_) => unguarded(&self.0.reflection, request).await,
                Err(error) => refuse(error, REFLECTION),
            },
            _ => {
                let Some(door) = owner(service).and_then(|name| self.0.doors.get(name)) else {
                    return Status::unimplemented("").into_http();
                };
                let peer = match peer(&door.verifier, request.headers()) {
                    Ok(peer) => peer,
                    Err(error) => return refuse(error, service),
                };
                request.headers_mut().remove(INTERNAL_TOKEN);
                match hosted_at(&door.place) {
                    Some(callee) => callee.answer(request, Some(peer), Through::Network).await,
                    None => status::unavailable().into_http(),
                }
            }
        }
    }

    /// A token for any service here will do.
    fn peer_of_any(&self, headers: &HeaderMap) -> Result<Peer, NotTrusted> {
        let doors = self.0.doors.values();
        let mut answers = doors.map(|door| peer(&door.verifier, headers));
        answers.find(Result::is_ok).unwrap_or(Err(NotTrusted::Missing))
    }
}

/// The service that a gRPC service belongs to: its package is `plaza.<service>.v<n>`.
fn owner(grpc_service: &str) -> Option<&str> {
    let mut parts = grpc_service.split('.');
    (parts.next()? == "plaza").then(|| parts.next())?
}

/// Who proves to be calling. Two tokens are none.
fn peer(verifier: &Verifier, headers: &HeaderMap) -> Result<Peer, NotTrusted> {
    let mut tokens = headers.get_all(INTERNAL_TOKEN).iter();
    let (Some(token), None) = (tokens.next(), tokens.next()) else {
        return Err(NotTrusted::Missing);
    };
    let claims = verifier.verify(token.to_str().map_err(|_| NotTrusted::Form)?)?;
    Ok(Peer {
        service: claims.iss,
        caller: claims.caller.clone(),
    })
}

fn refuse(reason: NotTrusted, service: &str) -> Response<Body> {
    metrics::counter!("plaza_rpc_refused_total").increment(1);
    tracing::warn!(rpc.service = service, reason = %reason, "call refused");
    status::untrusted().into_http()
}

/// What needs no callee of ours.
async fn unguarded(routes: &Routes, request: Request<Body>) -> Response<Body> {
    let request = request.map(|body| Body::new(MessageLimit::of_request(body, LONGEST_NAME)));
    let Ok(response) = routes.clone().call(request).await;
    response
}

fn names_of(service: ServiceName, described: &FileDescriptorSet) -> Vec<String> {
    let mut names = Vec::new();
    for file in &described.file {
        for grpc_service in &file.service {
            let name = format!("{}.{}", file.package(), grpc_service.name());
            if owner(&name) == Some(service.as_str()) {
                names.push(name);
            }
        }
    }
    names
}

fn describe<'a>(
    described: FileDescriptorSet,
    doors: impl Iterator<Item = &'a Door>,
) -> Result<Routes, ListenerError> {
    let mut builder = tonic_reflection::server::Builder::configure()
        .register_file_descriptor_set(described)
        .include_reflection_service(true)
        .with_service_name(REFLECTION);
    for name in doors.flat_map(|door| &door.names) {
        builder = builder.with_service_name(name);
    }
    let reflection = builder
        .build_v1()
        .map_err(|error| ListenerError::Descriptors(error.into()))?;
    Ok(Routes::new(reflection).prepare())
}

impl<B> Service<Request<B>> for RpcListener
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let listener = self.clone();
        let request = request.map(Body::new);
        Box::pin(async move { Ok(listener.answer(request).await) })
    }
}

impl std::fmt::Debug for RpcListener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("RpcListener")
            .field(&self.0.doors.keys().collect::<Vec<_>>())
            .finish()
    }
}
