//! What surrounds every request, whatever answers it. Read `surround` downwards: the first line is the outermost.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use http::{HeaderName, HeaderValue, Method, StatusCode, Version, header};
use http_body::Body as _;
use plaza_kernel::{Clock, Kind, RequestId};
use plaza_telemetry::trace::{self, TraceContext};
use tower::{Service, ServiceExt};
use tracing::field::Empty;
use tracing::{Instrument, Span};

use crate::problem::{Carried, Problem};
use crate::{ApiError, RouteTemplate};

/// The header that carries the id of a request, in both directions.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Which trace a request belongs to (W3C Trace Context), and what travels with it.
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const WITH_TRACEPARENT: [HeaderName; 2] = [
    HeaderName::from_static("tracestate"),
    HeaderName::from_static("baggage"),
];

/// Requests that take longer are logged at level `info`.
const SLOW: Duration = Duration::from_secs(1);

/// Surrounds a service with what every request needs. [`crate::server::serve`] does it by itself.
///
/// What a request says of its trace is not believed: a stranger could name somebody else's.
pub fn outermost<S>(
    service: S,
    clock: Clock,
) -> impl Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static
where
    S: Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static,
{
    surrounded(service, clock, Surroundings::default())
}

/// What a listener knows of its requests beforehand.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Surroundings {
    /// They may say themselves which trace they belong to.
    pub(crate) trust_trace: bool,
    /// There may be gRPC calls among them, which have a span and a measurement of their own where their method is known
    /// (`plaza_rpc`). For strangers to say so would be a way out of the log.
    pub(crate) calls: bool,
}

/// The same, on a listener that knows more of its requests.
pub(crate) fn surrounded<S>(
    service: S,
    clock: Clock,
    surroundings: Surroundings,
) -> impl Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static
where
    S: Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static,
{
    tower::service_fn(move |request| {
        let (service, clock) = (service.clone(), clock.clone());
        async move {
            if surroundings.calls && is_call(&request) {
                return Ok(or_panicked(service.oneshot(request)).await);
            }
            Ok(surround(service, &clock, surroundings.trust_trace, request).await)
        }
    })
}

/// Whether this is a gRPC call. What the front door passes on of strangers never is: that comes by HTTP/1.1.
fn is_call(request: &Request) -> bool {
    let kind = request.headers().get(header::CONTENT_TYPE);
    request.version() == Version::HTTP_2
        && kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}

async fn surround<S>(service: S, clock: &Clock, trust_trace: bool, mut request: Request) -> Response
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    // The id comes first: everything below mentions it, and so does whoever the request is forwarded to.
    let id = identify(&mut request, clock);
    // The clock of the access log covers all that the client waits for.
    let watch = Watch::start(&request);
    // Every log line of the request carries its span; the gate adds the route, once it is known.
    let span = tracing::info_span!(
        "request",
        request_id = %id,
        method = watch.method,
        route = Empty,
        status = Empty,
        otel.kind = "server",
        otel.status_code = Empty,
    );
    // The trace goes on, or begins here.
    trace::follow(&span, came_in(&mut request, trust_trace));
    let head_only = request.method() == Method::HEAD;
    let mut response = or_panicked(service.oneshot(request))
        .instrument(span.clone())
        .await;
    let _in_span = span.enter();
    // Errors leave as problems that name the request and its trace, whoever made them.
    finish_problem(&mut response, &id, head_only);
    // The client learns the id even when it sent none.
    if let Ok(id) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    // One line and one measurement for each request, last, because now all of it is known.
    watch.stop(&response, &span);
    response
}

/// The trace that the request names, if it may. What may not, or is malformed, is taken off: nobody further in reads it.
fn came_in(request: &mut Request, trusted: bool) -> Option<TraceContext> {
    let headers = request.headers_mut();
    let mut named = headers.get_all(&TRACEPARENT).iter();
    let context = match (named.next(), named.next()) {
        (Some(one), None) if trusted => one.to_str().ok().and_then(TraceContext::parse),
        _ => None,
    };
    if context.is_none() {
        headers.remove(&TRACEPARENT);
        for name in &WITH_TRACEPARENT {
            headers.remove(name);
        }
    }
    context
}

/// Takes over the client's id if it has the accepted form, else makes one.
fn identify(request: &mut Request, clock: &Clock) -> RequestId {
    let given = request
        .headers()
        .get(&REQUEST_ID)
        .and_then(|id| id.to_str().ok())
        .and_then(RequestId::parse);
    let id = given.unwrap_or_else(|| RequestId::generate(clock));
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        request.headers_mut().insert(REQUEST_ID, value);
    }
    request.extensions_mut().insert(id.clone());
    id
}

/// A panic ends its request and nothing else.
async fn or_panicked(answer: impl Future<Output = Result<Response, Infallible>>) -> Response {
    match AssertUnwindSafe(answer).catch_unwind().await {
        Ok(Ok(response)) => response,
        Err(panic) => panicked(&*panic).into_response(),
    }
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> ApiError {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    ApiError::new(
        Kind::Internal,
        "INTERNAL",
        format!("a handler panicked: {}", text.unwrap_or("no text")),
    )
}

fn finish_problem(response: &mut Response, id: &RequestId, head_only: bool) {
    // An error that nobody gave a body: the router's own 404 and 405, mostly.
    let status = response.status();
    if (status.is_client_error() || status.is_server_error()) && is_bare(response) {
        give_problem(response, status);
    }
    let Some(Carried(problem)) = response.extensions_mut().remove::<Carried>() else {
        return;
    };
    if status == StatusCode::NOT_FOUND {
        // A hidden route must not list its methods.
        response.headers_mut().remove(header::ALLOW);
    }
    let body = Problem {
        request_id: Some(id.as_str().to_owned()),
        trace_id: trace::current().map(TraceContext::trace_id),
        ..Problem::clone(&problem)
    }
    .to_body();
    response
        .headers_mut()
        .insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    *response.body_mut() = if head_only {
        Body::empty()
    } else {
        Body::from(body)
    };
}

fn is_bare(response: &Response) -> bool {
    response.extensions().get::<Carried>().is_none()
        && !response.headers().contains_key(header::CONTENT_TYPE)
        && response.body().size_hint().exact() == Some(0)
}

fn give_problem(response: &mut Response, status: StatusCode) {
    let error = match status {
        StatusCode::NOT_FOUND => ApiError::nothing_here(),
        StatusCode::METHOD_NOT_ALLOWED => ApiError::method_not_allowed(),
        _ => return,
    };
    let problem = error.into_response();
    response.headers_mut().extend(problem.headers().clone());
    *response.extensions_mut() = problem.into_parts().0.extensions;
}

/// Times a request and reports on it.
struct Watch {
    started: Instant,
    method: &'static str,
}

impl Watch {
    fn start(request: &Request) -> Self {
        Self {
            started: Instant::now(),
            method: known_method(request.method()),
        }
    }

    fn stop(self, response: &Response, span: &Span) {
        let took = self.started.elapsed();
        let status = response.status();
        let template = response.extensions().get::<RouteTemplate>();
        // Never the path itself: it may name people, and there are as many as clients like.
        let route = template.map_or("unmatched", |template| &*template.0);
        let (code, micros) = (
            status.as_u16(),
            u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
        );
        if status.is_server_error() || took > SLOW {
            tracing::info!(target: "plaza_web::access", method = self.method, route, status = code, micros, "answered");
        } else {
            tracing::debug!(target: "plaza_web::access", method = self.method, route, status = code, micros, "answered");
        }
        // After the line, which says it in fields of its own.
        if trace::is_exported(span) {
            span.record("route", route);
            span.record("status", code);
            if status.is_server_error() {
                span.record("otel.status_code", "error");
            }
        }
        let route = template.map_or("unmatched".into(), |template| {
            metrics::SharedString::from(template.0.clone())
        });
        let labels = [
            ("method", self.method.into()),
            ("route", route),
            ("status", class(status).into()),
        ];
        metrics::histogram!("plaza_http_request_seconds", &labels).record(took);
    }
}

// Labels come from closed lists: a client that invents methods must not invent time series.
fn known_method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "OTHER",
    }
}

fn class(status: StatusCode) -> &'static str {
    match status.as_u16() / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    }
}
