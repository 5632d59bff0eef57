//! HTTP/2 on the same listener.

use std::time::Duration;

use http::StatusCode;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use plaza_web::server::ServerSettings;
use tokio::time::{sleep, timeout};
use tokio_util::task::TaskTracker;

use super::{Running, quick};

type Http2 = hyper::client::conn::http2::SendRequest<Empty<bytes::Bytes>>;

async fn http2(server: &Running) -> (Http2, tokio::task::JoinHandle<hyper::Result<()>>) {
    let stream = TokioIo::new(server.connect().await);
    let (sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream)
        .await
        .unwrap();
    (sender, TaskTracker::new().spawn(connection))
}

async fn ask(sender: &mut Http2, path: &str) -> (StatusCode, String) {
    let request = http::Request::get(format!("http://x{path}"))
        .body(Empty::new())
        .unwrap();
    let response = timeout(Duration::from_secs(5), sender.send_request(request))
        .await
        .unwrap()
        .unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn http2_is_served_on_the_same_listener_and_pauses_do_not_matter() {
    let server = Running::start(quick()).await;
    let (mut sender, _connection) = http2(&server).await;
    sleep(Duration::from_millis(500)).await;
    assert_eq!(ask(&mut sender, "/").await, (StatusCode::OK, "hello".to_owned()));
    assert_eq!(
        ask(&mut sender, "/sleeps/500").await,
        (StatusCode::OK, "slept".to_owned())
    );
    assert_eq!(ask(&mut sender, "/nowhere").await.0, StatusCode::NOT_FOUND);
}

/// Whether a request comes in a span and gets an id, as all do but gRPC calls.
async fn is_surrounded(settings: ServerSettings, kind: &str) -> bool {
    let server = Running::start(settings).await;
    let (mut sender, _connection) = http2(&server).await;
    let request = http::Request::get("http://x/")
        .header(http::header::CONTENT_TYPE, kind)
        .body(Empty::new())
        .unwrap();
    let answer = timeout(Duration::from_secs(5), sender.send_request(request)).await;
    let answer = answer.unwrap().unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    answer.headers().contains_key("x-request-id")
}

#[tokio::test]
async fn calls_of_other_services_have_no_second_span_and_strangers_cannot_do_without_one() {
    let internal = || ServerSettings {
        internal: true,
        ..quick()
    };
    for kind in ["application/grpc", "application/grpc+proto"] {
        assert!(!is_surrounded(internal(), kind).await, "{kind}");
        assert!(is_surrounded(quick(), kind).await, "{kind}");
    }
    assert!(is_surrounded(internal(), "application/json").await);
}

#[tokio::test]
async fn http2_ends_with_its_streams_and_idle_connections_go() {
    let server = Running::start(quick()).await;
    let (mut sender, connection) = http2(&server).await;
    let asking = ask(&mut sender, "/sleeps/400");
    let stopping = async {
        sleep(Duration::from_millis(100)).await;
        server.stop.cancel();
    };
    assert_eq!(tokio::join!(asking, stopping).0.1, "slept");
    timeout(Duration::from_secs(1), server.tasks.wait())
        .await
        .unwrap();
    timeout(Duration::from_secs(1), connection)
        .await
        .unwrap()
        .unwrap()
        .unwrap();

    let server = Running::start(quick()).await;
    let (_idle, connection) = http2(&server).await;
    timeout(Duration::from_secs(4), connection)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
}
