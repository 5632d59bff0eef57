//! Bodies pass through piece by piece, both ways.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{Method, header};
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

/// One event, and then nothing for ever.
async fn endless() -> ([(header::HeaderName, &'static str); 1], Body) {
    let events = stream::iter([Ok::<_, std::io::Error>("data: 1\n\n")]).chain(stream::pending());
    (
        [(header::CONTENT_TYPE, "text/event-stream")],
        Body::from_stream(events),
    )
}

/// Listens with this token, and says how many milliseconds after the first event the stream ended; none if it goes on for
/// seven seconds. The house's time passes as that of the machine does, or slower where that is slow.
async fn ended_after(house: &House, token: &str, then: impl FnOnce(&House)) -> Option<i64> {
    let request = request(Method::GET, "localhost", "/api/v1/auth/me");
    let request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    let request = request.body(Body::empty()).unwrap();
    let mut body = house.gateway.router().oneshot(request).await.unwrap().into_body();
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(&first[..], b"data: 1\n\n");
    then(house);
    let begun = house.clock.now();
    let passing = async {
        for _ in 0..140 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            house.wait(50);
        }
    };
    tokio::select! {
        frame = body.frame() => {
            assert!(frame.is_none(), "{frame:?}");
            Some((house.clock.now() - begun).num_milliseconds())
        }
        () = passing => None,
    }
}

fn house_with_a_stream() -> House {
    House::with(GatewaySettings::default(), axum::Router::new().fallback(endless)).unwrap()
}

#[tokio::test]
async fn whoever_is_shut_out_hears_no_more_within_five_seconds() {
    /// Why, within how many milliseconds, and how it comes about.
    type Way = (&'static str, i64, fn(&House));
    let ways: [Way; 5] = [
        ("the session has ended", 5_000, |house| {
            house.identity.end_sessions()
        }),
        ("the role has changed", 5_000, |house| {
            house.identity.change_role("member")
        }),
        ("the tenant is closed", 5_000, |house| {
            house.tenancy.set_status("suspended")
        }),
        ("the token is over", 5_000, |house| house.wait(602_000)),
        // What was confirmed last counts for five seconds, and is then asked for once more.
        ("nobody confirms it", 6_100, |house| house.identity.away(true)),
    ];
    let all = ways.map(async |(why, within, way)| {
        let house = house_with_a_stream();
        let ended = ended_after(&house, &house.owner(), way).await;
        assert!(ended.is_some_and(|ended| ended <= within), "{why}: {ended:?}");
    });
    futures_util::future::join_all(all).await;
}

#[tokio::test]
async fn whoever_stands_hears_on() {
    let house = house_with_a_stream();
    assert_eq!(ended_after(&house, &house.owner(), |_| {}).await, None);
    assert_ne!(house.identity.sessions_asked(), 1, "it was asked again");
}
