//! A callee at an address, over HTTP/2.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use http_body::{Body as HttpBody, Frame};
use plaza_kernel::Kind;
use tokio::time::{Instant, Sleep};
use tonic::body::Body;
use tonic::transport::{Channel, Endpoint};
use tonic::{Status, TimeoutExpired};
use tower::{Service, ServiceExt};

use crate::callee::{deadline_exceeded, within};
use crate::message_limit::MessageLimit;
use crate::{RpcSettings, TransportError};
use crate::{carried::Carried, status};

const CONNECT: Duration = Duration::from_secs(1);
// A peer that vanished without a word is noticed after the sum of both.
const PING_EVERY: Duration = Duration::from_secs(10);
const PING_WAIT: Duration = Duration::from_secs(5);

/// The channel, with the deadline kept on this side too: a peer that hangs cannot keep its own promise.
#[derive(Clone)]
pub(crate) struct Remote {
    channel: Channel,
    settings: RpcSettings,
}

impl Remote {
    /// Connects when first called, and again when the connection was lost.
    pub(crate) fn new(address: &str, settings: RpcSettings) -> Result<Self, tonic::transport::Error> {
        let endpoint = Endpoint::from_shared(address.to_owned())?
            .connect_timeout(CONNECT)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PING_WAIT)
            .keep_alive_while_idle(true);
        Ok(Self {
            channel: endpoint.connect_lazy(),
            settings,
        })
    }

    async fn send(self, mut request: Request<Body>) -> Result<Response<Body>, TransportError> {
        let allowed = Carried::dress(&mut request, self.settings.deadline);
        let deadline = Instant::now().checked_add(allowed);
        let answer = match within(deadline, self.channel.oneshot(request)).await {
            None => return Ok(deadline_exceeded()),
            // The channel reads the header too, and may be the first to notice.
            Some(Err(error)) if is_timeout(&error) => return Ok(deadline_exceeded()),
            Some(answer) => answer?,
        };
        let limit = self.settings.message;
        Ok(answer.map(|body| match deadline {
            Some(deadline) => Body::new(Punctual::new(
                Body::new(MessageLimit::of_response(body, limit)),
                deadline,
            )),
            None => Body::new(MessageLimit::of_response(body, limit)),
        }))
    }
}

fn is_timeout(error: &tonic::transport::Error) -> bool {
    let mut cause = Error::source(error);
    while let Some(error) = cause {
        if error.is::<TimeoutExpired>() {
            return true;
        }
        cause = error.source();
    }
    false
}

impl Service<Request<Body>> for Remote {
    type Response = Response<Body>;
    type Error = TransportError;
    type Future = BoxFuture<'static, Result<Response<Body>, TransportError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        // Readiness is awaited inside the call, where the deadline covers it.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.clone().send(request))
    }
}

/// An answer that has to be complete by the deadline.
struct Punctual {
    body: Body,
    deadline: Pin<Box<Sleep>>,
}

impl Punctual {
    fn new(body: Body, deadline: Instant) -> Self {
        Self {
            body,
            deadline: Box::pin(tokio::time::sleep_until(deadline)),
        }
    }
}

impl HttpBody for Punctual {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            return Poll::Ready(frame);
        }
        ready!(self.deadline.as_mut().poll(context));
        let late = status::status(
            Kind::DeadlineExceeded,
            "DEADLINE_EXCEEDED",
            "the call took too long",
        );
        Poll::Ready(Some(Err(late)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
}
