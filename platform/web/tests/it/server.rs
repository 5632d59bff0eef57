//! The server on real sockets. Every wait is bounded.

mod end;
mod floods;
mod http2;
mod slow;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::Extension;
use axum::routing::{get, post};
use plaza_kernel::{Clock, RequestId};
use plaza_web::server::{PeerAddress, ServerSettings, serve};
use plaza_web::{Anyone, Api, Granted, InternalListener, Json, Problem, RouteLimits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use utoipa_axum::routes;

use crate::support::{SERVICE, nothing_granted};

/// A server of its own, stopped by its test or with it.
struct Running {
    address: SocketAddr,
    stop: CancellationToken,
    tasks: TaskTracker,
}

#[utoipa::path(post, path = "/numbers")]
async fn numbers(_: Granted<Anyone>, Json(numbers): Json<Vec<u32>>) -> String {
    numbers.len().to_string()
}

fn shop() -> Router {
    let who = |Extension(peer): Extension<PeerAddress>,
               id: Extension<RequestId>,
               inside: Option<Extension<InternalListener>>| async move {
        format!("{} {} {}", peer.0.ip(), id.0, inside.is_some())
    };
    let limits = RouteLimits {
        body: 1_000,
        deadline: Duration::from_secs(20),
    };
    Api::<()>::new(SERVICE)
        .route_within::<Anyone>(limits, routes!(numbers))
        .build((), nothing_granted())
        .router
        .route("/", get(|| async { "hello" }))
        .route("/who", get(who))
        .route("/big", get(|| async { vec![b'x'; 64 << 20] }))
        .route(
            "/panics",
            get(|| async {
                if true {
                    panic!("boo")
                }
            }),
        )
        .route("/sleeps/{milliseconds}", get(sleeps))
        .route("/echo", post(|body: bytes::Bytes| async move { body }))
}

async fn sleeps(axum::extract::Path(milliseconds): axum::extract::Path<u64>) -> &'static str {
    sleep(Duration::from_millis(milliseconds)).await;
    "slept"
}

fn quick() -> ServerSettings {
    ServerSettings {
        head_deadline: Duration::from_millis(300),
        idle_deadline: Duration::from_millis(900),
        stall_deadline: Duration::from_millis(300),
        settle: Duration::from_millis(50),
        drain: Duration::from_secs(2),
        ..ServerSettings::default()
    }
}

impl Running {
    async fn start(settings: ServerSettings) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let (stopped, tracked) = (stop.clone(), tasks.clone());
        tasks.spawn(
            async move { serve(listener, shop(), settings, Clock::system(), stopped, &tracked).await },
        );
        tasks.close();
        Self { address, stop, tasks }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends these bytes and reads what comes until the end of the connection.
    async fn exchange(&self, request: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        rest(&mut stream).await
    }

    /// Stops, and returns how long it took until everything was gone.
    async fn end(&self) -> Duration {
        let begun = Instant::now();
        self.stop.cancel();
        timeout(Duration::from_secs(10), self.tasks.wait()).await.unwrap();
        begun.elapsed()
    }
}

async fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    // A reset after the answer is an end too.
    let _ = timeout(Duration::from_secs(5), stream.read_to_end(&mut answer))
        .await
        .unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

/// Reads one answer whose end is known by these bytes, and leaves the connection open.
async fn until(stream: &mut TcpStream, end: &str) -> String {
    let mut answer = Vec::new();
    while !String::from_utf8_lossy(&answer).ends_with(end) {
        let byte = timeout(Duration::from_secs(5), stream.read_u8())
            .await
            .unwrap()
            .unwrap();
        answer.push(byte);
    }
    String::from_utf8(answer).unwrap()
}

fn problem(answer: &str) -> Problem {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(
        head.contains("content-type: application/problem+json"),
        "{answer}"
    );
    serde_json::from_str(body).unwrap()
}

#[tokio::test]
async fn handlers_learn_the_peer_and_the_request_id_and_the_client_does_too() {
    let server = Running::start(quick()).await;
    let answer = server
        .exchange("GET /who HTTP/1.1\r\nhost: x\r\nx-request-id: mine\r\nconnection: close\r\n\r\n")
        .await;
    assert!(
        answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("127.0.0.1 mine false"),
        "{answer}"
    );
    assert!(answer.contains("x-request-id: mine\r\n"));

    let internal = Running::start(ServerSettings {
        internal: true,
        ..quick()
    })
    .await;
    let answer = internal
        .exchange("GET /who HTTP/1.1\r\nhost: x\r\nx-request-id: mine\r\nconnection: close\r\n\r\n")
        .await;
    assert!(answer.ends_with("127.0.0.1 mine true"), "{answer}");
}

#[tokio::test]
async fn one_connection_serves_many_requests_also_when_they_come_at_once() {
    let server = Running::start(quick()).await;
    let mut stream = server.connect().await;
    for _ in 0..3 {
        stream
            .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .unwrap();
        until(&mut stream, "hello").await;
    }
    stream
        .write_all(&b"GET / HTTP/1.1\r\nhost: x\r\n\r\n".repeat(20))
        .await
        .unwrap();
    let mut answers = String::new();
    while answers.matches("hello").count() < 20 {
        answers.push_str(&until(&mut stream, "hello").await);
    }
    assert_eq!(answers.matches("200 OK").count(), 20);
}

#[tokio::test]
async fn a_panic_ends_its_request_and_not_the_connection() {
    let server = Running::start(quick()).await;
    let mut stream = server.connect().await;
    stream
        .write_all(b"GET /panics HTTP/1.1\r\nhost: x\r\nx-request-id: that-one\r\n\r\n")
        .await
        .unwrap();
    let problem = problem(&until(&mut stream, "}").await);
    assert_eq!(
        (problem.code.as_str(), problem.request_id.as_deref()),
        ("INTERNAL", Some("that-one"))
    );
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    until(&mut stream, "hello").await;
}

#[tokio::test]
async fn strange_targets_are_answered_and_harm_nobody() {
    let server = Running::start(quick()).await;
    for line in [
        "CONNECT x:80",
        "OPTIONS *",
        "TRACE /",
        "FOO /",
        "GET http://other/who/",
        "GET //",
        "GET /%00",
        "GET /a/../b",
        "GET /;x",
    ] {
        let answer = server
            .exchange(&format!(
                "{line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
            ))
            .await;
        let status = answer.get(9..12).unwrap_or("none");
        assert!(["400", "404", "405"].contains(&status), "{line}: {answer}");
    }
    for broken in [
        "GET / HTTP/1.1\r\nhost : x\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "\0\0\r\n\r\n",
        "GET /\t HTTP/1.1\r\n\r\n",
    ] {
        assert!(
            server.exchange(broken).await.starts_with("HTTP/1.1 400 "),
            "{broken:?}"
        );
    }
}

#[tokio::test]
async fn both_a_length_and_chunks_are_one_request_at_most() {
    let server = Running::start(quick()).await;
    let smuggling = "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 6\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\nhost: x\r\n\r\n";
    let answer = server.exchange(smuggling).await;
    assert!(answer.matches("HTTP/1.1 ").count() <= 1, "{answer}");
}
