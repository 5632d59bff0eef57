//! The callee with our layers around it: what a call may cost is decided here, in both transports alike.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::task::{Context, Poll};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use plaza_kernel::Kind;
use tokio::time::Instant;
use tonic::body::Body;
use tonic::service::Routes;
use tower::Service;

use crate::carried::{Carried, carry};
use crate::message_limit::MessageLimit;
use crate::{RpcSettings, TransportError, status};

/// A hosted service.
#[derive(Clone)]
pub(crate) struct Callee {
    routes: Routes,
    settings: RpcSettings,
}

impl Callee {
    pub(crate) fn new(routes: Routes, settings: RpcSettings) -> Self {
        Self {
            routes: routes.prepare(),
            settings,
        }
    }

    async fn answer(self, request: Request<Body>) -> Response<Body> {
        let method = request.uri().path().to_owned();
        let carried = Carried::of(request.headers(), self.settings.deadline);
        let deadline = carried.deadline;
        // Work that panics leaves nothing behind that this process would use again: stores roll back when dropped.
        let work = AssertUnwindSafe(carry(carried.clone(), self.work(request, carried))).catch_unwind();
        match within(deadline, work).await {
            Some(Ok(Ok(response))) => response,
            Some(Ok(Err(never))) => match never {},
            Some(Err(_)) => {
                tracing::error!(rpc.method = method, "call panicked");
                status::status(
                    Kind::Internal,
                    "INTERNAL_ERROR",
                    "something went wrong on our side",
                )
                .into_http()
            }
            None => deadline_exceeded(),
        }
    }

    /// Only what would travel over a network reaches the service, in process too.
    async fn work(mut self, request: Request<Body>, carried: Carried) -> Result<Response<Body>, Infallible> {
        let limit = self.settings.message;
        let mut request = request.map(|body| MessageLimit::of_request(body, limit));
        request.extensions_mut().clear();
        if let Some(id) = carried.request_id {
            request.extensions_mut().insert(id);
        }
        let response = self.routes.call(request).await?;
        Ok(response.map(|body| Body::new(MessageLimit::of_response(body, limit))))
    }
}

/// The answer to a call that nobody waits for any more.
pub(crate) fn deadline_exceeded() -> Response<Body> {
    status::status(
        Kind::DeadlineExceeded,
        "DEADLINE_EXCEEDED",
        "the call took too long",
    )
    .into_http()
}

/// None when the deadline came first.
pub(crate) async fn within<F: Future>(deadline: Option<Instant>, work: F) -> Option<F::Output> {
    match deadline {
        Some(deadline) => tokio::time::timeout_at(deadline, work).await.ok(),
        None => Some(work.await),
    }
}

impl Service<Request<Body>> for Callee {
    type Response = Response<Body>;
    type Error = TransportError;
    type Future = BoxFuture<'static, Result<Response<Body>, TransportError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let callee = self.clone();
        Box::pin(async move { Ok(callee.answer(request).await) })
    }
}
