//! The body of an answer on its way to the client: it drives the connection it comes from while it is read, and gives it
//! back at its end. If it cannot end well it ends with an error, and the client's connection is cut: nobody takes half
//! an answer for a whole one.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use plaza_rpc::Chosen;
use tokio::time::Instant;

use super::Inner;
use super::connection::Connection;

/// Why an answer stopped in the middle.
#[derive(Debug, thiserror::Error)]
pub(super) enum CutOff {
    #[error("the service broke off in the middle of its answer")]
    BrokeOff(#[source] hyper::Error),
    #[error("nothing came of the answer for {0:?}")]
    StoodStill(Duration),
}

/// What an answer holds until it is over.
pub(super) struct Held {
    pub(super) remote: Arc<Inner>,
    pub(super) chosen: Chosen,
    pub(super) connection: Box<Connection>,
}

impl Held {
    /// Keeps the connection for others, if the request is over in both directions.
    fn release(mut self, cx: &mut Context<'_>) {
        self.connection.drive(cx);
        self.release_if_ready();
    }

    fn release_if_ready(self) {
        if self.connection.is_ready() {
            self.remote.pools[self.chosen.index()].keep(self.connection);
        }
    }
}

/// The rest of an answer.
pub(super) struct Answer {
    body: Incoming,
    // None once the connection is not needed any more.
    held: Option<Held>,
    pause: Duration,
    standing_still: bool,
}

impl Answer {
    /// Of an answer whose last byte is here the connection is given back at once.
    pub(super) fn stream(body: Incoming, held: Held, pause: Duration) -> axum::body::Body {
        let is_here = held.connection.is_ready();
        match (is_here, body.is_end_stream()) {
            (_, true) => {
                held.release_if_ready();
                axum::body::Body::empty()
            }
            (true, false) => {
                held.release_if_ready();
                axum::body::Body::new(Self::of(body, None, pause))
            }
            (false, false) => axum::body::Body::new(Self::of(body, Some(held), pause)),
        }
    }

    fn of(body: Incoming, held: Option<Held>, pause: Duration) -> Self {
        Self {
            body,
            held,
            pause,
            standing_still: false,
        }
    }

    fn cut_off(&mut self, cut: CutOff) -> Poll<Option<Result<Frame<Bytes>, CutOff>>> {
        if let Some(held) = self.held.take() {
            held.chosen.failed();
            let service = held.remote.addresses.service().as_str();
            tracing::warn!(
                service,
                error = &cut as &dyn std::error::Error,
                "an answer was cut off"
            );
            metrics::counter!("plaza_gateway_cut_off_total", "service" => service).increment(1);
        }
        Poll::Ready(Some(Err(cut)))
    }

    /// Ready when the service paused for too long. Only the time counts in which the client was waiting.
    fn poll_stood_still(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(held) = &mut self.held else {
            return Poll::Pending;
        };
        if !self.standing_still {
            self.standing_still = true;
            held.connection.arm(Instant::now() + self.pause);
        }
        held.connection.poll_late(cx, |_| None)
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = CutOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CutOff>>> {
        let this = &mut *self;
        if let Some(held) = &mut this.held {
            held.connection.drive(cx);
        }
        let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) else {
            ready!(this.poll_stood_still(cx));
            return this.cut_off(CutOff::StoodStill(this.pause));
        };
        this.standing_still = false;
        match frame {
            Some(Err(error)) => this.cut_off(CutOff::BrokeOff(error)),
            // Trailers are dropped: they would bypass what is decided about headers.
            Some(Ok(frame)) if frame.is_data() => {
                if this.body.is_end_stream()
                    && let Some(held) = this.held.take()
                {
                    held.release(cx);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Some(Ok(_)) | None => {
                if let Some(held) = this.held.take() {
                    held.release(cx);
                }
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
