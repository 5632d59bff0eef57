//! What every route passes before its handler runs: its deadline, its body limit and its access rule.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request};
use axum::response::{IntoResponse, Response};
use futures_util::future::{BoxFuture, FutureExt};
use http::{HeaderMap, HeaderValue, header};
use http_body::Body as _;
use plaza_kernel::{Caller, Kind};
use tower::{Layer, Service};

use crate::access::RuleValue;
use crate::body::{Counted, TooLarge, Waiting};
use crate::granted::Proof;
use crate::{ApiError, PermissionSource, RouteLimits, event_stream};

/// The template of the route that answered (`/api/v1/broadcast/campaigns/{id}`). The gate leaves it in the
/// extensions of the response, for the access log and the metrics; who answers without a gate may do so too.
#[derive(Debug, Clone)]
pub struct RouteTemplate(pub Arc<str>);

/// The gate of one route.
pub(crate) struct Gate {
    pub(crate) rule: RuleValue,
    pub(crate) limits: RouteLimits,
    pub(crate) permissions: Arc<dyn PermissionSource>,
    pub(crate) template: RouteTemplate,
}

impl Gate {
    async fn pass<S>(&self, handler: S, request: Request) -> Response
    where
        S: Service<Request, Response = Response, Error = Infallible>,
    {
        tracing::Span::current().record("route", &*self.template.0);
        let waiting = Waiting::default();
        // The deadline is outermost, because looking up permissions takes its time too.
        let answer = tokio::time::timeout(self.limits.deadline, self.answer(handler, request, &waiting));
        let mut response = match answer.await {
            Ok(Ok(response)) => response,
            Ok(Err(refused)) => refused.into_response(),
            // Who was waited for gets the blame.
            Err(_) if waiting.for_client() => ApiError::stalled().into_response(),
            Err(_) => too_slow().into_response(),
        };
        response.extensions_mut().insert(self.template.clone());
        response
    }

    async fn answer<S>(
        &self,
        mut handler: S,
        mut request: Request,
        waiting: &Waiting,
    ) -> Result<Response, ApiError>
    where
        S: Service<Request, Response = Response, Error = Infallible>,
    {
        // What cannot be accepted whatever it says is refused before anything is asked or read.
        refuse_compressed(request.headers())?;
        self.refuse_declared_length(&request)?;
        // Access is decided before the body is read: a stranger cannot make us hold one.
        let caller = self.admit(&mut request).await?;
        // What then streams in is counted, because lengths lie and chunks declare none.
        let Ok(response) = handler.call(self.counted(request, waiting)).await;
        Ok(self.watched(caller, response))
    }

    /// A stream goes on as long as its listener is granted what it took to begin it. What takes no permission follows from
    /// the session, which is the gateway's to watch.
    fn watched(&self, caller: Option<Caller>, response: Response) -> Response {
        if !self.rule.needs_permissions {
            return response;
        }
        event_stream::ends_with(response, || self.rule.lost(caller, Arc::clone(&self.permissions)))
    }

    fn refuse_declared_length(&self, request: &Request) -> Result<(), ApiError> {
        let declared = request
            .headers()
            .get(header::CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok());
        // A number too long to be one is surely too long a body; the server refuses what is no number at all.
        let fits = |length: &str| {
            length
                .parse::<usize>()
                .is_ok_and(|length| length <= self.limits.body)
        };
        if declared.is_none_or(fits) {
            Ok(())
        } else {
            Err(TooLarge::problem())
        }
    }

    /// Who asks, if known, and may.
    async fn admit(&self, request: &mut Request) -> Result<Option<Caller>, ApiError> {
        #[cfg(debug_assertions)]
        if request.extensions().get::<crate::granted::Probe>().is_some() {
            return Ok(None);
        }
        let caller = self.rule.admit(request.extensions(), &*self.permissions).await?;
        request
            .extensions_mut()
            .insert(Proof::new(&self.rule, caller.clone()));
        Ok(caller)
    }

    fn counted(&self, mut request: Request, waiting: &Waiting) -> Request {
        if request.body().is_end_stream() {
            return request;
        }
        // axum's own limit of 2 MB would stand in the way of routes that accept more.
        DefaultBodyLimit::disable().apply(&mut request);
        request.map(|body| Body::new(Counted::new(body, self.limits.body, waiting.clone())))
    }
}

/// Nobody here inflates bodies: a kilobyte could become a gigabyte. To read the bytes as if they were plain would be to guess.
fn refuse_compressed(headers: &HeaderMap) -> Result<(), ApiError> {
    let plain = |coding: &HeaderValue| coding.as_bytes().eq_ignore_ascii_case(b"identity");
    if headers.get_all(header::CONTENT_ENCODING).iter().all(plain) {
        return Ok(());
    }
    Err(ApiError::new(
        Kind::UnsupportedMedia,
        "UNSUPPORTED_MEDIA_TYPE",
        "bodies are taken as they are, without a `Content-Encoding`",
    ))
}

fn too_slow() -> ApiError {
    ApiError::new(
        Kind::DeadlineExceeded,
        "DEADLINE_EXCEEDED",
        "it took too long; try again",
    )
}

/// Puts a gate before a handler.
#[derive(Clone)]
pub(crate) struct GateLayer(pub(crate) Arc<Gate>);

impl<S> Layer<S> for GateLayer {
    type Service = Gated<S>;

    fn layer(&self, handler: S) -> Gated<S> {
        Gated {
            gate: Arc::clone(&self.0),
            handler,
        }
    }
}

/// A handler behind its gate.
#[derive(Clone)]
pub(crate) struct Gated<S> {
    gate: Arc<Gate>,
    handler: S,
}

impl<S> Service<Request> for Gated<S>
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.handler.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let gate = Arc::clone(&self.gate);
        // The one that was polled ready is the one to call; its clone may not be.
        let next = self.handler.clone();
        let handler = std::mem::replace(&mut self.handler, next);
        async move { Ok(gate.pass(handler, request).await) }.boxed()
    }
}
