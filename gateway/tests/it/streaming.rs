//! Bodies pass through piece by piece, both ways.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use axum::extract::Request;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::Method;
use http_body_util::BodyExt;
use plaza_gateway::GatewaySettings;
use tower::ServiceExt;

use crate::house::{House, request};

const CHUNK: usize = 64 << 10;
const CHUNKS: usize = 1_600;

/// 100 MB, made when asked for.
fn large(made: Arc<AtomicUsize>) -> Body {
    let chunks = stream::iter(0..CHUNKS).map(move |_| {
        made.fetch_add(1, Ordering::SeqCst);
        Ok::<_, std::io::Error>(Bytes::from_static(&[7; CHUNK]))
    });
    Body::from_stream(chunks)
}

#[tokio::test]
async fn a_large_request_body_is_never_held_whole() {
    let made = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&made);
    // Looks after each piece how many were made by then.
    let upstream = axum::Router::new().fallback(async move |request: Request| {
        let (mut body, mut read) = (request.into_body(), 0);
        while let Some(frame) = body.frame().await {
            read += frame.unwrap().into_data().unwrap().len() / CHUNK;
            let ahead = seen.load(Ordering::SeqCst) - read;
            assert!(ahead <= 1, "{ahead} pieces are held");
        }
        read.to_string()
    });
    let house = House::with(GatewaySettings::default(), upstream).unwrap();
    let request = request(Method::POST, "localhost", "/webhooks/meta")
        .body(large(made))
        .unwrap();
    let answer = house.send(request).await;
    assert_eq!(answer.body, CHUNKS.to_string().as_bytes());
}

#[tokio::test]
async fn a_large_answer_is_never_held_whole() {
    let made = Arc::new(AtomicUsize::new(0));
    let source = Arc::clone(&made);
    let upstream = axum::Router::new().fallback(async move || large(Arc::clone(&source)));
    let house = House::with(GatewaySettings::default(), upstream).unwrap();
    let request = request(Method::GET, "localhost", "/setup")
        .body(Body::empty())
        .unwrap();
    let mut body = house.gateway.router().oneshot(request).await.unwrap().into_body();
    let mut read = 0;
    while let Some(frame) = body.frame().await {
        read += frame.unwrap().into_data().unwrap().len() / CHUNK;
        assert!(made.load(Ordering::SeqCst) - read <= 1);
    }
    assert_eq!(read, CHUNKS);
}

#[tokio::test]
async fn the_same_bytes_of_the_target_arrive() {
    let house = House::new();
    for target in [
        "/api/v1/auth/public/a%20b?q=%2e%2e%2F..;x&y=a+b%zz&empty=&&",
        "/api/v1/auth/public/%c3%a4",
        "/api/v1/auth/public/a:b@c,d=e+f!$&'()*",
        "/api/v1/auth/public/7?",
        "/api/v1/auth/public/...",
    ] {
        assert_eq!(
            house.call(Method::GET, "localhost", target).await.echo().target,
            target
        );
    }
}
