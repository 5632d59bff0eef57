//! Request bodies that cannot exhaust us: counted while they stream, and not waited for forever.

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use plaza_kernel::Kind;
use tokio::time::Sleep;

use crate::ApiError;

/// The body is longer than its route accepts.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the body is longer than accepted")]
pub(crate) struct TooLarge;

/// The client stopped to send.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the body stopped to arrive")]
pub(crate) struct Stalled;

impl TooLarge {
    pub(crate) fn problem() -> ApiError {
        ApiError::new(
            Kind::TooLarge,
            "BODY_TOO_LARGE",
            "the body is longer than this address accepts",
        )
    }
}

/// What a failure to read a request's body answers: 413 `BODY_TOO_LARGE`, 408 `REQUEST_TIMEOUT`, or
/// 400 `MALFORMED_BODY` when it broke off.
pub fn unreadable_body(error: &(dyn Error + 'static)) -> ApiError {
    let mut next = Some(error);
    while let Some(cause) = next {
        if cause.is::<TooLarge>() || cause.is::<http_body_util::LengthLimitError>() {
            return TooLarge::problem();
        }
        if cause.is::<Stalled>() {
            return ApiError::stalled();
        }
        next = cause.source();
    }
    ApiError::new(Kind::Malformed, "MALFORMED_BODY", "the body broke off")
}

/// A body that is counted while it is read: a declared length may lie, and chunks declare none.
pub(crate) struct Counted {
    body: Body,
    left: usize,
    waiting: Waiting,
}

/// Whether a handler is just waiting for more of the body, that is, for the client.
#[derive(Clone, Default)]
pub(crate) struct Waiting(Arc<AtomicBool>);

impl Waiting {
    pub(crate) fn for_client(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counted {
    pub(crate) fn new(body: Body, most: usize, waiting: Waiting) -> Self {
        Self {
            body,
            left: most,
            waiting,
        }
    }

    fn count(&mut self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, axum::Error> {
        let length = frame.data_ref().map_or(0, Bytes::len);
        self.left = self
            .left
            .checked_sub(length)
            .ok_or_else(|| axum::Error::new(TooLarge))?;
        Ok(frame)
    }
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        self.waiting.0.store(polled.is_pending(), Ordering::Relaxed);
        polled.map(|frame| frame.map(|frame| frame.and_then(|frame| self.count(frame))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// How long something may stand still. Costs a timer only when it does.
pub(crate) struct Patience {
    limit: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    pub(crate) fn new(limit: Duration) -> Self {
        Self { limit, sleep: None }
    }

    /// It moved.
    pub(crate) fn restore(&mut self) {
        self.sleep = None;
    }

    /// It stands still; ready once it did so for too long.
    pub(crate) fn poll_lost(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let limit = self.limit;
        self.sleep
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)))
            .as_mut()
            .poll(cx)
    }
}
