//! Bodies stream both ways, however long, and however slow somebody is.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::Method;
use http_body_util::BodyExt;
use plaza_gateway::{GatewaySettings, RemoteSettings};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tower::ServiceExt;

use crate::elsewhere::{Served, impatient, read_all, settings, status_of};
use crate::house::{House, request};
use crate::rough::{Rough, Talk};

const CHUNK: usize = 64 << 10;
const CHUNKS: usize = 3_200;
/// What the buffers of sockets on the way may hold, in chunks: 48 MiB.
const ON_THE_WAY: usize = 768;

/// 200 MiB, made when asked for.
fn large(made: Arc<AtomicUsize>) -> Body {
    let chunks = stream::iter(0..CHUNKS).map(move |_| {
        made.fetch_add(1, Ordering::SeqCst);
        Ok::<_, std::io::Error>(Bytes::from_static(&[7; CHUNK]))
    });
    Body::from_stream(chunks)
}

/// Counts a body and looks after each piece that no more was made than the way holds.
async fn count(mut body: Body, made: &AtomicUsize) -> usize {
    let mut read = 0;
    while let Some(frame) = body.frame().await {
        read += frame.unwrap().into_data().unwrap().len();
        let ahead = made.load(Ordering::SeqCst).saturating_sub(read / CHUNK);
        assert!(ahead <= ON_THE_WAY, "{ahead} pieces are held");
    }
    read
}

async fn before(router: axum::Router) -> (House, Served) {
    let clock = House::new().clock;
    let served = Served::start(router.layer(DefaultBodyLimit::disable()), &clock).await;
    let house = House::before_addresses(GatewaySettings::default(), std::slice::from_ref(&served.uri));
    (house, served)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_upload_passes_through_without_being_held() {
    let made = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&made);
    let (house, _served) = before(
        axum::Router::new()
            .fallback(async move |request: Request| count(request.into_body(), &seen).await.to_string()),
    )
    .await;
    let request = request(Method::POST, "localhost", "/webhooks/meta").body(large(made));
    let answer = house.send(request.unwrap()).await;
    assert_eq!(answer.body, (CHUNK * CHUNKS).to_string().as_bytes());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_download_passes_through_without_being_held() {
    let made = Arc::new(AtomicUsize::new(0));
    let source = Arc::clone(&made);
    let (house, _served) =
        before(axum::Router::new().fallback(async move || large(Arc::clone(&source)))).await;
    let request = request(Method::GET, "localhost", "/setup")
        .body(Body::empty())
        .unwrap();
    let response = house.gateway.router().oneshot(request).await.unwrap();
    assert_eq!(count(response.into_body(), &made).await, CHUNK * CHUNKS);
}

#[tokio::test]
async fn a_slow_client_may_take_longer_than_the_deadline() {
    let service = Rough::start(|_, mut talk: Talk| async move {
        talk.request().await?;
        let body = talk.body(6).await?;
        assert_eq!(body, b"abcdef");
        talk.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await
    })
    .await;
    let house = House::before_addresses(impatient(), std::slice::from_ref(&service.uri));
    let gateway = Served::gateway(&house).await;
    let mut client = TcpStream::connect(gateway.address).await.unwrap();
    let head =
        "POST /webhooks/meta HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\nConnection: close\r\n\r\n";
    client.write_all(head.as_bytes()).await.unwrap();
    for (pause, piece) in [(800, "ab"), (800, "cd"), (2_500, "ef")] {
        tokio::time::sleep(Duration::from_millis(pause)).await;
        client.write_all(piece.as_bytes()).await.unwrap();
    }
    assert_eq!(status_of(&read_all(&mut client).await), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_may_take_a_body_slower_than_the_deadline_as_long_as_it_takes_some() {
    let service = Rough::start(|_, mut talk: Talk| async move {
        talk.request().await?;
        for _ in 0..8 {
            tokio::time::sleep(Duration::from_millis(500)).await;
            talk.body(CHUNK * CHUNKS / 8).await?;
        }
        talk.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await
    })
    .await;
    let patient = RemoteSettings {
        deadline_seconds: 3,
        ..RemoteSettings::default()
    };
    let house = House::before_addresses(settings(patient), std::slice::from_ref(&service.uri));
    let request = request(Method::POST, "localhost", "/webhooks/meta")
        .header("content-length", CHUNK * CHUNKS)
        .body(large(Arc::default()));
    assert_eq!(house.send(request.unwrap()).await.status, 200);
}

#[tokio::test]
async fn a_service_that_does_not_take_the_body_is_given_up() {
    let service = Rough::start(|_, mut talk: Talk| async move {
        talk.request().await?;
        std::future::pending().await
    })
    .await;
    let house = House::before_addresses(impatient(), std::slice::from_ref(&service.uri));
    let made = Arc::new(AtomicUsize::new(0));
    let request = request(Method::POST, "localhost", "/webhooks/meta").body(large(Arc::clone(&made)));
    let answer = house.send(request.unwrap()).await;
    assert_eq!(answer.problem(), (503, "UPSTREAM_TIMEOUT".to_owned()));
    assert!(made.load(Ordering::SeqCst) < ON_THE_WAY);
}

#[tokio::test]
async fn a_body_that_was_sent_at_once_gives_no_more_time_for_the_answer() {
    let service = Rough::start(|_, mut talk: Talk| async move {
        talk.request().await?;
        std::future::pending().await
    })
    .await;
    let limited = RemoteSettings {
        deadline_seconds: 3,
        ..RemoteSettings::default()
    };
    let house = House::before_addresses(settings(limited), std::slice::from_ref(&service.uri));
    let request = request(Method::POST, "localhost", "/webhooks/meta").body(Body::from("{}"));
    let begun = std::time::Instant::now();
    let answer = house.send(request.unwrap()).await;
    assert_eq!(answer.problem(), (503, "UPSTREAM_TIMEOUT".to_owned()));
    // Twice the deadline would be six.
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn an_answer_before_the_end_of_the_body_is_the_answer() {
    let service = Rough::start(|_, mut talk: Talk| async move {
        talk.request().await?;
        talk.say("HTTP/1.1 413 Payload Too Large\r\nContent-Length: 8\r\n\r\ntoo much")
            .await?;
        talk.until_gone().await
    })
    .await;
    let house = House::before_addresses(impatient(), std::slice::from_ref(&service.uri));
    for _ in 0..2 {
        let made = Arc::new(AtomicUsize::new(0));
        let request = request(Method::POST, "localhost", "/webhooks/meta").body(large(Arc::clone(&made)));
        let answer = house.send(request.unwrap()).await;
        assert_eq!(
            (answer.status.as_u16(), answer.body.as_slice()),
            (413, &b"too much"[..])
        );
        assert!(made.load(Ordering::SeqCst) < CHUNKS);
    }
    // The rest of the first body stands between us and another request on its connection.
    assert_eq!(service.connections(), 2);
}

#[tokio::test]
async fn a_client_whose_body_breaks_off_is_to_blame_itself() {
    let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let service = Rough::start(move |_, mut talk: Talk| {
        let told = told.clone();
        async move {
            talk.request().await?;
            told.send(talk.body(100).await).unwrap();
            Some(())
        }
    })
    .await;
    let house = House::before_addresses(impatient(), std::slice::from_ref(&service.uri));
    for _ in 0..3 {
        let pieces = [
            Ok(Bytes::from_static(b"half")),
            Err(std::io::Error::other("gone")),
        ];
        let pieces = stream::iter(pieces).then(|piece| async {
            tokio::task::yield_now().await;
            piece
        });
        let request = request(Method::POST, "localhost", "/webhooks/meta")
            .header("content-length", "100")
            .body(Body::from_stream(pieces));
        let answer = house.send(request.unwrap()).await;
        assert_eq!(answer.problem(), (400, "MALFORMED_BODY".to_owned()));
        // The service never has what looks like a whole request.
        assert_eq!(heard.recv().await, Some(None));
    }
    assert!(house.gateway.unreachable().is_empty());
}

#[tokio::test]
async fn a_body_without_a_length_stops_at_the_limit_of_its_route() {
    let folder = std::env::temp_dir().join(format!("plaza-limit-{}.yaml", std::process::id()));
    let routes = "routes: [{path: /webhooks, target_url: 'service:notification', auth_required: false, body_limit_bytes: 100000}]";
    std::fs::write(&folder, routes).unwrap();
    let settings = GatewaySettings {
        routes_file: Some(folder.clone()),
        ..impatient()
    };
    let service = Rough::start(|_, mut talk: Talk| async move { talk.until_gone().await }).await;
    let house = House::before_addresses(settings, std::slice::from_ref(&service.uri));
    std::fs::remove_file(folder).unwrap();
    let body = large(Arc::default());
    let request = request(Method::POST, "localhost", "/webhooks/meta").body(body);
    let answer = house.send(request.unwrap()).await;
    assert_eq!(answer.problem(), (413, "BODY_TOO_LARGE".to_owned()));
}
