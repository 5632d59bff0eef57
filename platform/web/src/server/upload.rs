//! The body of a request as it comes off the socket.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::connection::Activity;
use crate::body::{Patience, Stalled};

/// A body that fails when the client stops to send, and tells when nobody wanted the rest of it.
pub(super) struct Upload {
    body: Incoming,
    ended: bool,
    patience: Patience,
    activity: Arc<Activity>,
}

impl Upload {
    pub(super) fn new(body: Incoming, patience: Duration, activity: Arc<Activity>) -> Self {
        Self {
            body,
            ended: false,
            patience: Patience::new(patience),
            activity,
        }
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(frame) => {
                self.patience.restore();
                self.ended = frame.is_none();
                Poll::Ready(frame.map(|frame| frame.map_err(axum::Error::new)))
            }
            Poll::Pending => self
                .patience
                .poll_lost(cx)
                .map(|()| Some(Err(axum::Error::new(Stalled)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if !self.ended && !self.body.is_end_stream() {
            self.activity.left_unread();
        }
    }
}
