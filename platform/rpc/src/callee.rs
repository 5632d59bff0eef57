//! The callee with our layers around it: who may call, and what a call may cost, is decided here, in both transports
//! alike.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use http::{HeaderMap, HeaderValue, Request, Response};
use plaza_kernel::Kind;
use plaza_telemetry::trace::{self, TraceContext};
use tokio::time::Instant;
use tonic::Status;
use tonic::body::Body;
use tonic::service::Routes;
use tower::Service;
use tracing::{Instrument, Span, field};

use crate::carried::{Carried, exactly};
use crate::directory::MayCall;
use crate::message_limit::MessageLimit;
use crate::{Peer, RpcSettings, status};

/// W3C Trace Context, section 3.2.
pub(crate) const TRACEPARENT: &str = "traceparent";

/// How a call came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Through {
    /// From the same process, inside the caller's span.
    Process,
    /// Over a listener: request id and trace come in with it.
    Network,
}

/// A hosted service.
#[derive(Clone)]
pub(crate) struct Callee {
    routes: Routes,
    settings: RpcSettings,
    may_call: Option<MayCall>,
}

impl Callee {
    pub(crate) fn new(routes: Routes, settings: RpcSettings, may_call: Option<MayCall>) -> Self {
        Self {
            routes: routes.prepare(),
            settings,
            may_call,
        }
    }

    /// Answers a call of a peer; a call of nobody is refused.
    pub(crate) async fn answer(
        self,
        request: Request<Body>,
        peer: Option<Peer>,
        through: Through,
    ) -> Response<Body> {
        let method = request.uri().path().to_owned();
        let peer = match self.admit(&method, peer) {
            Ok(peer) => peer,
            Err(refusal) => return refusal.into_http(),
        };
        let carried = Carried::of(request.headers(), peer.caller.clone(), self.settings.deadline);
        let span = server_span(&method, &peer);
        if through == Through::Network {
            follow(&span, request.headers(), &carried);
        }
        let (deadline, begun) = (carried.deadline, Instant::now());
        // The peer says for whom; in process too, where the caller's own work is around this.
        let work = exactly(carried.clone(), self.work(request, carried, peer)).instrument(span.clone());
        // Work that panics leaves nothing behind that this process would use again: stores roll back when dropped.
        let response = match within(deadline, AssertUnwindSafe(work).catch_unwind()).await {
            Some(Ok(response)) => without_internals(response, &span),
            Some(Err(_)) => {
                span.in_scope(|| tracing::error!("call panicked"));
                defect().into_http()
            }
            None => {
                span.record("otel.status_code", "ERROR");
                status::deadline_exceeded().into_http()
            }
        };
        span.record("rpc.grpc.status_code", status::number(response.headers()));
        let outcome = status::outcome(response.headers());
        metrics::histogram!("plaza_rpc_seconds", "method" => method, "outcome" => outcome)
            .record(begun.elapsed());
        response
    }

    fn admit(&self, method: &str, peer: Option<Peer>) -> Result<Peer, Status> {
        let Some(peer) = peer else {
            tracing::error!(rpc.method = method, "call in nobody's name");
            return Err(status::untrusted());
        };
        if self
            .may_call
            .is_some_and(|may_call| !may_call(method, peer.service))
        {
            tracing::error!(rpc.method = method, peer = %peer.service, "call of a service that may not");
            return Err(status::status(
                Kind::Forbidden,
                "CALLER_NOT_ALLOWED",
                "this service may not make this call",
            ));
        }
        Ok(peer)
    }

    /// Only what would travel over a network reaches the service, in process too.
    async fn work(mut self, request: Request<Body>, carried: Carried, peer: Peer) -> Response<Body> {
        let limit = self.settings.message;
        let mut request = request.map(|body| MessageLimit::of_request(body, limit));
        request.extensions_mut().clear();
        request.extensions_mut().insert(peer);
        if let Some(id) = carried.request_id {
            request.extensions_mut().insert(id);
        }
        let Ok(response) = self.routes.call(request).await;
        response.map(|body| Body::new(MessageLimit::of_response(body, limit)))
    }
}

fn defect() -> Status {
    status::status(
        Kind::Internal,
        "INTERNAL_ERROR",
        "something went wrong on our side",
    )
}

/// The service and the method of a path: `/plaza.access.v1.Access/Grants`.
pub(crate) fn names(path: &str) -> (&str, &str) {
    path.strip_prefix('/')
        .and_then(|path| path.split_once('/'))
        .unwrap_or(("", path))
}

/// What a call is called in a trace: `plaza.access.v1.Access/Grants`.
pub(crate) fn span_name(path: &str) -> &str {
    path.strip_prefix('/').unwrap_or(path)
}

fn server_span(path: &str, peer: &Peer) -> Span {
    let (service, method) = names(path);
    // Names and attributes: OpenTelemetry's semantic conventions for RPC and gRPC spans.
    tracing::info_span!(
        "rpc.server",
        rpc.system = "grpc",
        rpc.service = service,
        rpc.method = method,
        peer = peer.service.as_str(),
        request_id = field::Empty,
        rpc.grpc.status_code = field::Empty,
        otel.name = span_name(path),
        otel.kind = "server",
        otel.status_code = field::Empty,
    )
}

/// What the caller's span would have given in one process.
fn follow(span: &Span, headers: &HeaderMap, carried: &Carried) {
    let traceparent = headers.get(TRACEPARENT).and_then(|value| value.to_str().ok());
    trace::follow(span, traceparent.and_then(TraceContext::parse));
    if let Some(id) = &carried.request_id {
        span.record("request_id", id.as_str());
    }
}

/// A status that did not come out of a [`plaza_kernel::Failure`] has a text that nobody looked over: it stays here.
fn without_internals(mut response: Response<Body>, span: &Span) -> Response<Body> {
    let headers = response.headers_mut();
    let is_raw = headers.get("grpc-status").is_some_and(|code| code != "0");
    if is_raw
        && !headers.contains_key(status::KIND)
        && let Some(text) = headers.remove("grpc-message")
    {
        span.in_scope(|| tracing::warn!(text = ?text, "call failed without a code"));
        headers.insert("grpc-message", HeaderValue::from_static("the call failed"));
        headers.remove("grpc-status-details-bin");
    }
    response
}

/// None when the deadline came first.
pub(crate) async fn within<F: Future>(deadline: Option<Instant>, work: F) -> Option<F::Output> {
    match deadline {
        Some(deadline) => tokio::time::timeout_at(deadline, work).await.ok(),
        None => Some(work.await),
    }
}
