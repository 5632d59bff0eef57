//! The body of a request on its way to a service. Sending it may take longer than any deadline for an answer: what
//! counts is whether it moves, and who it is that does not.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::Instant;

/// How far a body is.
#[derive(Debug)]
pub(super) struct Progress {
    begun: Instant,
    /// When a piece of it was taken last, in microseconds since it was begun.
    moved: AtomicU64,
    waiting_for_client: AtomicBool,
}

impl Progress {
    fn new() -> Self {
        Self {
            begun: Instant::now(),
            moved: AtomicU64::new(0),
            waiting_for_client: AtomicBool::new(false),
        }
    }

    /// Until when there is time although this deadline is over: because the body moved less than `limit` ago, or waits
    /// for the client, whose slowness is no fault of the service (the server that reads from the client has patience of
    /// its own).
    pub(super) fn more_time(&self, deadline: Instant, limit: Duration) -> Option<Instant> {
        if self.waiting_for_client.load(Ordering::Relaxed) {
            return Some(deadline + limit);
        }
        let moved = Duration::from_micros(self.moved.load(Ordering::Relaxed));
        Some(self.begun + moved + limit).filter(|until| *until > deadline)
    }

    fn note(&self, is_waiting: bool) {
        self.waiting_for_client.store(is_waiting, Ordering::Relaxed);
        if !is_waiting {
            let moved = u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX);
            self.moved.store(moved, Ordering::Relaxed);
        }
    }
}

/// A body that tells how far it is.
pub(super) struct Upload {
    body: Body,
    progress: Arc<Progress>,
}

impl Upload {
    pub(super) fn new(body: Body) -> (Self, Arc<Progress>) {
        let progress = Arc::new(Progress::new());
        let upload = Self {
            body,
            progress: Arc::clone(&progress),
        };
        (upload, progress)
    }
}

impl http_body::Body for Upload {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        self.progress.note(polled.is_pending());
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
