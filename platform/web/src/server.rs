//! The HTTP server: HTTP/1.1 and HTTP/2 on one listener, with a deadline on everything a client can be slow at, and
//! an end that loses no request.

mod connection;
mod socket;
mod upload;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::extract::Request;
use axum::response::Response;
use hyper_util::rt::TokioTimer;
use hyper_util::server::conn::auto;
use plaza_kernel::Clock;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;

use crate::outermost::{Surroundings, surrounded};
use connection::{Client, Tracked};

/// The address of who is at the other end of the connection, in the extensions of every request: the last proxy, if
/// there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerAddress(pub SocketAddr);

/// What the server bears from clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerSettings {
    /// How long a request's head may take from its first byte to its last.
    pub head_deadline: Duration,
    /// How long a connection may stay without a request.
    pub idle_deadline: Duration,
    /// How long a client may pause within a body, or not take an answer.
    pub stall_deadline: Duration,
    /// The longest head in bytes.
    pub head_bytes: usize,
    /// Requests at a time on one HTTP/2 connection.
    pub streams: u32,
    /// Connections at a time; further ones wait in the listener's queue.
    pub connections: usize,
    /// How long to go on accepting after the stop, and then to go on answering as before.
    pub settle: Duration,
    /// How long requests that are under way may take after the stop.
    pub drain: Duration,
    /// Whether this is the internal listener: its requests carry [`crate::InternalListener`].
    pub internal: bool,
    /// Whether requests say themselves which trace they belong to (`traceparent`). On the internal listener they always do.
    pub trust_trace_context: bool,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            head_deadline: Duration::from_secs(10),
            idle_deadline: Duration::from_secs(60),
            stall_deadline: Duration::from_secs(10),
            head_bytes: 64 << 10,
            streams: 100,
            connections: 10_000,
            settle: Duration::from_millis(100),
            drain: Duration::from_secs(20),
            internal: false,
            trust_trace_context: false,
        }
    }
}

/// What the connections of one listener share.
struct Listening {
    settings: ServerSettings,
    protocols: auto::Builder<Tracked>,
    connections: TaskTracker,
    /// HTTP/1.1 clients are asked to close, so that none sends a request into a connection that ends.
    closing: AtomicBool,
    /// Connections end after the request they are at.
    drain: CancellationToken,
    /// Connections end at once.
    cut: CancellationToken,
}

/// Serves until stopped; returns when the last connection is gone.
///
/// The end has four steps: connections that wait in the listener's queue are taken in, no new ones are accepted,
/// clients close by themselves or are told to, and what is left after [`ServerSettings::drain`] is cut.
pub async fn serve<S>(
    listener: TcpListener,
    service: S,
    settings: ServerSettings,
    clock: Clock,
    stop: CancellationToken,
    tasks: &TaskTracker,
) where
    S: Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static,
{
    let listening = Arc::new(Listening::new(settings));
    let internal = listening.settings.internal;
    let surroundings = Surroundings {
        trust_trace: internal || listening.settings.trust_trace_context,
        calls: internal,
    };
    let service = surrounded(service, clock, surroundings);
    tokio::select! {
        () = stop.cancelled() => {}
        () = accept(&listener, &listening, &service, tasks) => {}
    }
    listening.closing.store(true, Ordering::Relaxed);
    let settle = listening.settings.settle;
    // Whoever was in the queue got no refusal, so it gets an answer.
    let _ = tokio::time::timeout(settle, accept(&listener, &listening, &service, tasks)).await;
    take_the_rest(listener, &listening, &service, tasks);
    tokio::time::sleep(settle).await;
    listening.end().await;
}

async fn accept<S>(listener: &TcpListener, listening: &Arc<Listening>, service: &S, tasks: &TaskTracker)
where
    S: Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static,
{
    let places = Arc::new(Semaphore::new(listening.settings.connections));
    // The semaphore is never closed; the loop ends by being dropped.
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        let (stream, peer) = next(listener).await;
        begin(stream, peer, listening, service, tasks, Some(place));
    }
}

/// Serves a connection, which holds its place until it ends.
fn begin<S>(
    stream: TcpStream,
    peer: SocketAddr,
    listening: &Arc<Listening>,
    service: &S,
    tasks: &TaskTracker,
    place: Option<OwnedSemaphorePermit>,
) where
    S: Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static,
{
    let client = Client::new(peer, Arc::clone(listening));
    let service = service.clone();
    let connection = async move {
        client.serve(stream, service).await;
        drop(place);
    };
    tasks.spawn(listening.connections.track_future(connection));
}

/// Empties the listener's queue and closes it, with nothing in between that takes time. The operating system is asked
/// itself: the runtime may not have heard of the last connections yet.
fn take_the_rest<S>(listener: TcpListener, listening: &Arc<Listening>, service: &S, tasks: &TaskTracker)
where
    S: Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static,
{
    let Ok(listener) = listener.into_std() else {
        return;
    };
    while let Ok((stream, peer)) = listener.accept() {
        let stream = stream
            .set_nonblocking(true)
            .and_then(|()| TcpStream::from_std(stream));
        if let Ok(stream) = stream {
            begin(stream, peer, listening, service, tasks, None);
        }
    }
}

async fn next(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                // Out of file descriptors, most likely: the next moment may have one.
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "no connection could be accepted"
                );
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

fn is_of_one_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    )
}

impl Listening {
    fn new(settings: ServerSettings) -> Self {
        let (connections, cut) = (TaskTracker::new(), CancellationToken::new());
        let tracked = Tracked {
            connections: connections.clone(),
            cut: cut.clone(),
        };
        Self {
            protocols: protocols(&settings, tracked),
            settings,
            connections,
            closing: AtomicBool::new(false),
            drain: CancellationToken::new(),
            cut,
        }
    }

    async fn end(&self) {
        self.drain.cancel();
        self.connections.close();
        if tokio::time::timeout(self.settings.drain, self.connections.wait())
            .await
            .is_err()
        {
            tracing::warn!(connections = self.connections.len(), "connections are cut");
            self.cut.cancel();
            self.connections.wait().await;
        }
    }
}

fn protocols(settings: &ServerSettings, tracked: Tracked) -> auto::Builder<Tracked> {
    let mut protocols = auto::Builder::new(tracked);
    protocols
        .http1()
        // hyper's deadline begins with the pause before a head and costs a timer each time: `socket.rs` times the
        // head itself, `connection.rs` the pauses.
        .header_read_timeout(None)
        // Not `pipeline_flush`: hyper 1.12 then closes without having written its last answer whenever the client
        // still has bytes in the buffer, which is what every 413 and 431 is about.
        // A head has to fit into the buffer; hyper takes no less than 8 KiB.
        .max_buf_size(settings.head_bytes.max(8 << 10));
    protocols
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(settings.streams)
        .max_header_list_size(u32::try_from(settings.head_bytes).unwrap_or(u32::MAX))
        // A peer that is gone without a word is found out.
        .keep_alive_interval(settings.idle_deadline / 2)
        .keep_alive_timeout(settings.stall_deadline);
    protocols
}
