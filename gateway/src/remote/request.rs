//! A request as the service has to see it.

use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use http::header::COOKIE;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};
use http_body::Body as _;
use plaza_contracts::edge::{CLIENT_ADDRESS, ClientAddress, HostTenant};
use plaza_kernel::{Caller, RequestId, ServiceName};
use plaza_rpc::{INTERNAL_TOKEN, Signer};
use plaza_telemetry::trace::{self, TraceContext};
use tokio::time::Instant;

use super::connection::Patience;
use super::upload::Upload;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Says who asks, for which request and trace. What a client wrote under these names was removed long before.
pub(super) fn dress(mut request: Request, signer: &Signer, service: ServiceName) -> Request {
    let extensions = request.extensions();
    let host = extensions.get::<HostTenant>();
    let host = host.map(|host| (host.tenant_id, host.slug.as_str()));
    let token = signer.token(service, extensions.get::<Caller>(), host);
    // The header is the same already, unless the client had `Connection` take it away.
    let is_named = request.headers().contains_key(&REQUEST_ID);
    let id = extensions.get::<RequestId>().filter(|_| !is_named);
    let id = id.and_then(|id| HeaderValue::from_str(id.as_str()).ok());
    let client = extensions.get::<ClientAddress>();
    let client = client.and_then(|ClientAddress(client)| HeaderValue::try_from(client.to_string()).ok());
    let trace = trace::current().map(TraceContext::to_traceparent);
    let is_second = request.version() >= Version::HTTP_2;
    *request.version_mut() = Version::HTTP_11;
    let headers = request.headers_mut();
    headers.insert(INTERNAL_TOKEN, token);
    if let Some(client) = client {
        headers.insert(HeaderName::from_static(CLIENT_ADDRESS), client);
    }
    if let Some(id) = id {
        headers.insert(REQUEST_ID, id);
    }
    if let Some(trace) = trace.and_then(|trace| HeaderValue::try_from(trace).ok()) {
        headers.insert(TRACEPARENT, trace);
    }
    if is_second {
        join_cookies(headers);
    }
    request
}

/// Watches the body on its way, if there is one.
pub(super) fn watched(request: Request, until: Instant, limit: Duration) -> (Request, Patience) {
    if request.body().is_end_stream() {
        let upload = None;
        return (request, Patience { until, limit, upload });
    }
    let (parts, body) = request.into_parts();
    let (body, progress) = Upload::new(body);
    let upload = Some(progress);
    let request = Request::from_parts(parts, Body::new(body));
    (request, Patience { until, limit, upload })
}

/// A second one, if it may be sent twice: it changes nothing (RFC 9110 §9.2.1) and has no body.
pub(super) fn copy(request: &Request) -> Option<Request> {
    let is_safe = [Method::GET, Method::HEAD, Method::OPTIONS].contains(request.method());
    (is_safe && request.body().is_end_stream()).then(|| {
        let mut copy = Request::new(Body::empty());
        copy.method_mut().clone_from(request.method());
        copy.uri_mut().clone_from(request.uri());
        copy.headers_mut().clone_from(request.headers());
        copy
    })
}

/// HTTP/2 may spread cookies over several lines, HTTP/1.1 may not (RFC 9113 §8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    if headers.get_all(COOKIE).iter().nth(1).is_some() {
        let crumbs: Vec<&[u8]> = headers
            .get_all(COOKIE)
            .iter()
            .map(HeaderValue::as_bytes)
            .collect();
        if let Ok(joined) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..])) {
            headers.insert(COOKIE, joined);
        }
    }
}
