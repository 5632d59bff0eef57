//! Deadlines and limits for clients that are slow, greedy or many.

use std::time::{Duration, Instant};

use plaza_web::server::ServerSettings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep, timeout};

use super::{Running, problem, quick, rest, until};

#[tokio::test]
async fn a_head_that_trickles_in_is_cut() {
    let server = Running::start(quick()).await;
    let (mut stream, begun) = (server.connect().await, Instant::now());
    stream.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    let trickle = async {
        while stream.write_all(b"x").await.is_ok() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(3), trickle).await.unwrap();
    assert!(
        begun.elapsed() >= Duration::from_millis(250),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn a_second_head_has_the_same_deadline_as_the_first() {
    let server = Running::start(quick()).await;
    let mut stream = server.connect().await;
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    until(&mut stream, "hello").await;
    // A pause between requests is no head, and costs the next one nothing.
    sleep(Duration::from_millis(500)).await;
    stream.write_all(b"GET / HTTP/1.1\r\nhos").await.unwrap();
    sleep(Duration::from_millis(150)).await;
    stream.write_all(b"t: x\r\n\r\n").await.unwrap();
    until(&mut stream, "hello").await;
    let begun = Instant::now();
    stream.write_all(b"GET / HTTP/1.1\r\nhos").await.unwrap();
    assert_eq!(rest(&mut stream).await, "");
    assert!(
        (250..800).contains(&begun.elapsed().as_millis()),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn a_client_that_says_nothing_is_cut_and_an_idle_one_later() {
    let server = Running::start(quick()).await;
    let (mut silent, begun) = (server.connect().await, Instant::now());
    assert_eq!(rest(&mut silent).await, "");
    assert!(
        (250..800).contains(&begun.elapsed().as_millis()),
        "{:?}",
        begun.elapsed()
    );

    let mut idle = server.connect().await;
    idle.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    until(&mut idle, "hello").await;
    let begun = Instant::now();
    assert_eq!(rest(&mut idle).await, "");
    assert!(
        (800..2_500).contains(&begun.elapsed().as_millis()),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn a_body_that_stops_to_arrive_is_answered_408() {
    let server = Running::start(quick()).await;
    let head =
        "POST /numbers HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n[1,";
    let answer = server.exchange(head).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert_eq!(problem(&answer).code, "REQUEST_TIMEOUT");
}

#[tokio::test]
async fn chunks_over_the_limit_are_answered_413() {
    let server = Running::start(quick()).await;
    let mut request = "POST /numbers HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n".to_owned();
    request.push_str(&format!("40\r\n{}\r\n", "[".repeat(64)).repeat(17));
    let answer = server.exchange(&request).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert_eq!(problem(&answer).code, "BODY_TOO_LARGE");
}

#[tokio::test]
async fn heads_with_too_much_in_them_are_answered_431() {
    let server = Running::start(quick()).await;
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(101));
    assert!(server.exchange(&many).await.starts_with("HTTP/1.1 431 "));
    let long = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(80 << 10));
    let answer = server.exchange(&long).await;
    assert!(
        answer.starts_with("HTTP/1.1 431 ") || answer.is_empty(),
        "{answer}"
    );
    assert!(
        server
            .exchange("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            .await
            .ends_with("hello")
    );
}

#[tokio::test]
async fn a_body_that_is_announced_too_long_is_refused_instead_of_invited() {
    let server = Running::start(quick()).await;
    let head = "POST /numbers HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nexpect: 100-continue\r\ncontent-length: 1099511627776\r\n\r\n";
    let answer = server.exchange(head).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_cut() {
    let server = Running::start(quick()).await;
    let mut greedy = server.connect().await;
    greedy
        .write_all(b"GET /big HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    sleep(Duration::from_millis(900)).await;
    assert!(
        server.end().await < Duration::from_millis(700),
        "it was still being served"
    );
}

#[tokio::test]
async fn further_connections_wait_until_there_is_a_place() {
    let server = Running::start(ServerSettings {
        connections: 1,
        ..quick()
    })
    .await;
    let mut first = server.connect().await;
    first
        .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    until(&mut first, "hello").await;
    let mut second = server.connect().await;
    second
        .write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    assert!(
        timeout(Duration::from_millis(200), second.read_u8())
            .await
            .is_err()
    );
    drop(first);
    assert!(rest(&mut second).await.ends_with("hello"));
}

#[tokio::test]
async fn half_a_head_behind_a_whole_request_is_not_kept_forever() {
    let server = Running::start(quick()).await;
    let mut stream = server.connect().await;
    stream
        .write_all(b"GET /sleeps/100 HTTP/1.1\r\nhost: x\r\n\r\nGET / HTTP/1.1\r\nhos")
        .await
        .unwrap();
    assert!(rest(&mut stream).await.ends_with("slept"));
}
