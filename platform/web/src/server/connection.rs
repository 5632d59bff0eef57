//! One connection: its requests, and its end.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderValue, Version, header};
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::{Service, ServiceExt};

use super::socket::Socket;
use super::upload::Upload;
use super::{Listening, PeerAddress};
use crate::InternalListener;

/// What goes on on a connection, told by its requests to its socket.
#[derive(Default)]
pub(super) struct Activity {
    under_way: AtomicUsize,
    begun: AtomicU64,
    awaiting_head: AtomicBool,
    unread: AtomicBool,
}

impl Activity {
    /// Bytes came in. Between requests they are the beginning of a head.
    pub(super) fn received(&self) {
        if self.under_way.load(Ordering::Relaxed) == 0 {
            self.awaiting_head.store(true, Ordering::Relaxed);
        }
    }

    pub(super) fn is_awaiting_head(&self) -> bool {
        self.awaiting_head.load(Ordering::Relaxed)
    }

    /// How many requests there were so far.
    pub(super) fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }

    /// A body is not wanted to its end.
    pub(super) fn left_unread(&self) {
        self.unread.store(true, Ordering::Relaxed);
    }

    /// Whether the client may be sending still, so that closing at once would reset the connection and destroy our
    /// last answer on its way.
    pub(super) fn is_client_sending(&self) -> bool {
        self.unread.load(Ordering::Relaxed) || self.is_awaiting_head()
    }

    fn begin(self: &Arc<Self>) -> UnderWay {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        self.begun.fetch_add(1, Ordering::Relaxed);
        self.awaiting_head.store(false, Ordering::Relaxed);
        UnderWay(Arc::clone(self))
    }
}

/// A request, until the last byte of its answer is handed over or it is dropped.
struct UnderWay(Arc<Activity>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Who is at the other end.
pub(super) struct Client {
    peer: SocketAddr,
    listening: Arc<Listening>,
    activity: Arc<Activity>,
}

impl Client {
    pub(super) fn new(peer: SocketAddr, listening: Arc<Listening>) -> Arc<Self> {
        let activity = Arc::new(Activity::default());
        // A client that says nothing at all is late with its first head.
        activity.received();
        Arc::new(Self {
            peer,
            listening,
            activity,
        })
    }

    /// Serves the connection until it ends.
    pub(super) async fn serve<S>(self: Arc<Self>, stream: TcpStream, service: S)
    where
        S: Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static,
    {
        // Answers are written whole; waiting to fill a packet only makes them late.
        let _ = stream.set_nodelay(true);
        let settings = &self.listening.settings;
        let socket = Socket::new(
            stream,
            Arc::clone(&self.activity),
            settings.head_deadline,
            settings.stall_deadline,
        );
        let this = Arc::clone(&self);
        let requests =
            hyper::service::service_fn(move |request| Arc::clone(&this).answer(service.clone(), request));
        let connection = self
            .listening
            .protocols
            .serve_connection(TokioIo::new(socket), requests);
        let mut connection = std::pin::pin!(connection);
        // Children of the shared tokens: what a connection polls, no other connection waits for.
        let (drain, cut) = (
            self.listening.drain.child_token(),
            self.listening.cut.child_token(),
        );
        // How a connection ends is the client's affair: resets and late heads are no news.
        tokio::select! {
            biased;
            _ = connection.as_mut() => return,
            () = drain.cancelled() => {}
            () = self.gone_idle() => {}
        }
        connection.as_mut().graceful_shutdown();
        // A client that left half a head behind would never end by itself.
        tokio::select! {
            biased;
            _ = connection.as_mut() => {}
            () = cut.cancelled() => {}
            () = self.gone_idle() => {}
        }
    }

    /// Returns when there was no request for the idle deadline, or up to a quarter longer: looked at now and then,
    /// because a timer for each pause between requests costs more than the answer to a small one.
    async fn gone_idle(&self) {
        const LOOKS: u32 = 4;
        let (mut quiet, mut before) = (0, self.activity.begun());
        while quiet < LOOKS {
            tokio::time::sleep(self.listening.settings.idle_deadline / LOOKS).await;
            let now = self.activity.begun();
            let still = now == before && self.activity.under_way.load(Ordering::Relaxed) == 0;
            quiet = if still { quiet + 1 } else { 0 };
            before = now;
        }
    }

    async fn answer<S>(
        self: Arc<Self>,
        service: S,
        request: http::Request<Incoming>,
    ) -> Result<http::Response<Answer>, Infallible>
    where
        S: Service<Request, Response = Response, Error = Infallible>,
    {
        let under_way = self.activity.begin();
        let first_version = request.version() < Version::HTTP_2;
        let Ok(mut response) = service.oneshot(self.introduce(request)).await;
        if first_version && self.listening.closing.load(Ordering::Relaxed) {
            response
                .headers_mut()
                .insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(response.map(|body| Answer {
            body,
            _under_way: under_way,
        }))
    }

    /// The request as handlers see it.
    fn introduce(&self, request: http::Request<Incoming>) -> Request {
        let patience = self.listening.settings.stall_deadline;
        let mut request = request.map(|body| match body.is_end_stream() {
            true => Body::empty(),
            false => Body::new(Upload::new(body, patience, Arc::clone(&self.activity))),
        });
        request.extensions_mut().insert(PeerAddress(self.peer));
        if self.listening.settings.internal {
            request.extensions_mut().insert(InternalListener);
        }
        request
    }
}

/// The body of an answer, which keeps its request under way.
struct Answer {
    body: Body,
    _under_way: UnderWay,
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Runs the requests of HTTP/2 connections as tasks that the end of the server waits for.
#[derive(Clone)]
pub(super) struct Tracked {
    pub(super) connections: TaskTracker,
    pub(super) cut: CancellationToken,
}

impl<F> hyper::rt::Executor<F> for Tracked
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, request: F) {
        let cut = self.cut.child_token();
        self.connections
            .spawn(async move { cut.run_until_cancelled(request).await });
    }
}
