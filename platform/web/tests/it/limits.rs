//! What one request may cost.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use plaza_kernel::SystemRole;
use plaza_web::{Anyone, Api, Granted, Json, Owner, RouteLimits};
use utoipa_axum::routes;

use crate::support::{SERVICE, ask, caller, get, nothing_granted, post};

#[utoipa::path(post, path = "/numbers")]
async fn numbers(_: Granted<Anyone>, Json(numbers): Json<Vec<u32>>) -> String {
    numbers.len().to_string()
}

#[utoipa::path(post, path = "/owned")]
async fn owned(_: Granted<Owner>, Json(numbers): Json<Vec<u32>>) -> String {
    numbers.len().to_string()
}

#[utoipa::path(get, path = "/slow")]
async fn slow(_: Granted<Anyone>) {
    tokio::time::sleep(Duration::from_secs(60)).await;
}

fn shop() -> Router {
    let limits = RouteLimits {
        body: 100,
        deadline: Duration::from_millis(200),
    };
    Api::<()>::new(SERVICE)
        .route_within::<Anyone>(limits, routes!(numbers))
        .route_within::<Owner>(limits, routes!(owned))
        .route_within::<Anyone>(limits, routes!(slow))
        .build((), nothing_granted())
        .router
}

/// A body in chunks, as one of unknown length arrives.
fn chunks(count: usize) -> Body {
    Body::from_stream(stream::iter(
        (0..count).map(|_| Ok::<_, std::io::Error>(Bytes::from_static(b"[1,1,1,1,1"))),
    ))
}

#[tokio::test]
async fn a_body_up_to_the_limit_is_read_and_a_longer_one_refused() {
    let body = |length: usize| format!("[1{}]", " ".repeat(length - 3));
    assert_eq!(
        ask(&shop(), post("/numbers", "application/json", body(100)))
            .await
            .body,
        b"1"
    );
    ask(&shop(), post("/numbers", "application/json", body(101)))
        .await
        .assert_failed(413, "BODY_TOO_LARGE");
}

#[tokio::test]
async fn a_declared_length_is_refused_before_anything_is_read() {
    for length in ["101", "1099511627776", "99999999999999999999999999"] {
        let never = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
        let mut request = post("/owned", "application/json", never);
        request
            .headers_mut()
            .insert("content-length", length.parse().unwrap());
        ask(&shop(), request).await.assert_failed(413, "BODY_TOO_LARGE");
    }
}

#[tokio::test]
async fn chunks_are_counted_and_so_is_what_a_lying_length_hides() {
    ask(&shop(), post("/numbers", "application/json", chunks(11)))
        .await
        .assert_failed(413, "BODY_TOO_LARGE");
    let mut lying = post("/numbers", "application/json", chunks(11));
    lying
        .headers_mut()
        .insert("content-length", "10".parse().unwrap());
    ask(&shop(), lying).await.assert_failed(413, "BODY_TOO_LARGE");
}

#[tokio::test]
async fn a_stranger_cannot_make_us_read_a_body() {
    let read = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let seen = read.clone();
    let body = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"[1]"))])
        .inspect(move |_| seen.store(true, std::sync::atomic::Ordering::Relaxed));
    let mut request: Request = post("/owned", "application/json", Body::from_stream(body));
    ask(&shop(), request).await.assert_failed(401, "UNAUTHENTICATED");
    assert!(!read.load(std::sync::atomic::Ordering::Relaxed));

    request = post("/owned", "application/json", "[1]");
    request.extensions_mut().insert(caller(SystemRole::Owner, true));
    assert_eq!(ask(&shop(), request).await.status, 200);
}

#[tokio::test]
async fn a_handler_that_is_too_slow_is_given_up() {
    let reply = ask(&shop(), get("/slow")).await;
    reply.assert_failed(503, "DEADLINE_EXCEEDED");
    assert_eq!(reply.headers["retry-after"], "1");
}

#[tokio::test]
async fn a_body_that_never_comes_is_the_clients_fault() {
    let never = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
    ask(&shop(), post("/numbers", "application/json", never))
        .await
        .assert_failed(408, "REQUEST_TIMEOUT");
}

#[tokio::test]
async fn a_body_that_breaks_off_is_malformed() {
    let broken = stream::iter([Ok(Bytes::from_static(b"[1")), Err(std::io::Error::other("reset"))]);
    let reply = ask(
        &shop(),
        post("/numbers", "application/json", Body::from_stream(broken)),
    )
    .await;
    reply.assert_failed(400, "MALFORMED_BODY");
}

#[tokio::test]
async fn a_body_that_would_have_to_be_inflated_is_refused_unread() {
    for coding in ["gzip", "br", "deflate", "zstd", "gzip, identity", "x-gzip", ""] {
        let mut request = post("/numbers", "application/json", "[1]");
        let coding = coding.parse().unwrap();
        request.headers_mut().insert("content-encoding", coding);
        ask(&shop(), request)
            .await
            .assert_failed(415, "UNSUPPORTED_MEDIA_TYPE");
    }
    let mut request = post("/numbers", "application/json", "[1]");
    let coding = "Identity".parse().unwrap();
    request.headers_mut().insert("content-encoding", coding);
    assert_eq!(ask(&shop(), request).await.body, b"1");
}
