//! An answer on its way.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::{Instant, Sleep};
use tonic::Status;
use tonic::body::Body;

use crate::{Chosen, status};

/// An answer that has to be complete by the deadline; until then its address has a call under way.
pub(super) struct Answer {
    body: Body,
    chosen: Chosen,
    deadline: Option<Instant>,
    /// Made when there is something to wait for: most answers are complete when they come.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Answer {
    pub(super) fn new(body: Body, chosen: Chosen, deadline: Option<Instant>) -> Self {
        Self {
            body,
            chosen,
            deadline,
            sleep: None,
        }
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            if let Some(Err(error)) = &frame {
                tracing::warn!(address = %self.chosen.uri(), error = error as &dyn std::error::Error, "answer broke off");
                self.chosen.failed();
                return Poll::Ready(Some(Err(status::unavailable())));
            }
            return Poll::Ready(frame);
        }
        let Some(deadline) = self.deadline else {
            return Poll::Pending;
        };
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        ready!(sleep.as_mut().poll(context));
        Poll::Ready(Some(Err(status::deadline_exceeded())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
