//! HTTP/2 as an attacker writes it, frame by frame (RFC 9113 §4.1): what costs the client next to nothing must not cost us much.

use std::time::Duration;

use plaza_web::server::ServerSettings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Running, quick};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
/// `:method GET`, `:scheme http`, `:path /sleeps/20000` and `:authority x`, as HPACK (RFC 7541) writes them.
const ASKS: &[u8] = b"\x82\x86\x04\x0d/sleeps/20000\x01\x01x";

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// How a connection ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// With a reason.
    GoAway(u32),
    Closed,
}

/// Reads frames until the server has had enough, or for too long.
async fn end(stream: &mut TcpStream) -> End {
    let reading = async {
        loop {
            let mut head = [0; 9];
            if stream.read_exact(&mut head).await.is_err() {
                return End::Closed;
            }
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; usize::try_from(length).unwrap()];
            if stream.read_exact(&mut payload).await.is_err() {
                return End::Closed;
            }
            if head[3] == GOAWAY {
                return End::GoAway(u32::from_be_bytes(payload[4..8].try_into().unwrap()));
            }
        }
    };
    timeout(Duration::from_secs(20), reading).await.unwrap()
}

async fn open(server: &Running) -> TcpStream {
    let mut stream = server.connect().await;
    stream.write_all(PREFACE).await.unwrap();
    stream.write_all(&frame(SETTINGS, 0, 0, &[])).await.unwrap();
    stream.write_all(&frame(SETTINGS, ACK, 0, &[])).await.unwrap();
    stream
}

/// Somebody else is served meanwhile.
async fn serves_others(server: &Running) {
    let asked = server.exchange("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    let answer = timeout(Duration::from_secs(5), asked).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
}

#[tokio::test]
async fn requests_that_are_taken_back_at_once_are_not_worked_on() {
    let server = Running::start(quick()).await;
    let mut stream = open(&server).await;
    let mut flood = Vec::new();
    for request in 0..1_000 {
        let number = 2 * request + 1;
        flood.extend(frame(HEADERS, END_STREAM | END_HEADERS, number, ASKS));
        flood.extend(frame(RST_STREAM, 0, number, &8_u32.to_be_bytes()));
    }
    // The server may hang up in the middle of it.
    let _ = stream.write_all(&flood).await;
    serves_others(&server).await;
    drop(stream);
    // None of the thousand sleeps on.
    assert!(server.end().await < Duration::from_secs(5));
}

#[tokio::test]
async fn more_requests_at_a_time_than_allowed_are_refused() {
    let server = Running::start(ServerSettings {
        streams: 10,
        ..quick()
    })
    .await;
    let mut stream = open(&server).await;
    for request in 0..200 {
        let asked = frame(HEADERS, END_STREAM | END_HEADERS, 2 * request + 1, ASKS);
        if stream.write_all(&asked).await.is_err() {
            break;
        }
    }
    serves_others(&server).await;
    let mut refused = 0;
    let counting = async {
        while refused < 190 {
            let mut head = [0; 9];
            if stream.read_exact(&mut head).await.is_err() {
                return;
            }
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; usize::try_from(length).unwrap()];
            stream.read_exact(&mut payload).await.unwrap();
            match head[3] {
                RST_STREAM => refused += 1,
                GOAWAY => return,
                _ => {}
            }
        }
    };
    timeout(Duration::from_secs(10), counting).await.unwrap();
}

#[tokio::test]
async fn a_head_without_an_end_ends_the_connection() {
    let server = Running::start(quick()).await;
    let mut stream = open(&server).await;
    stream
        .write_all(&frame(HEADERS, END_STREAM, 1, ASKS))
        .await
        .unwrap();
    // A header field that is new to the table each time: 16 KB of them in a frame, up to 160 MB.
    let field = [&b"\x40\x01a\x7f\x80\x01"[..], &[b'a'; 255]].concat();
    let piece = frame(CONTINUATION, 0, 1, &field.repeat(60));
    // However long the client goes on, the server does not.
    let flood = async { while stream.write_all(&piece).await.is_ok() {} };
    timeout(Duration::from_secs(10), flood).await.unwrap();
    serves_others(&server).await;
}

#[tokio::test]
async fn a_client_that_takes_no_answer_is_not_heard_for_ever() {
    let server = Running::start(quick()).await;
    for (kind, payload) in [(SETTINGS, &[][..]), (PING, &[0; 8][..])] {
        let mut stream = open(&server).await;
        // Each has to be answered, and nobody reads that: the server stops to read as well, or hangs up.
        let flood = frame(kind, 0, 0, payload).repeat(10_000);
        let mut sent = 0;
        let pour = async {
            while stream.write_all(&flood).await.is_ok() {
                sent += flood.len();
            }
        };
        let _ = timeout(Duration::from_secs(5), pour).await;
        assert!(sent < 256 << 20, "{sent} bytes were taken in");
        serves_others(&server).await;
    }
}

/// What a client still sends after the last answer is taken in for a moment, so that the answer is not lost. Only for a moment.
#[tokio::test]
async fn a_client_that_never_stops_is_hung_up_on() {
    let server = Running::start(quick()).await;
    let mut stream = server.connect().await;
    let head = "POST /numbers HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9999999999\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let flood = vec![b' '; 1 << 16];
    let pouring = async { while stream.write_all(&flood).await.is_ok() {} };
    timeout(Duration::from_secs(10), pouring).await.unwrap();
    serves_others(&server).await;
}

#[tokio::test]
async fn frames_that_make_no_sense_end_the_connection() {
    let server = Running::start(quick()).await;
    for (name, bytes) in [
        (
            "headers on an even stream",
            frame(HEADERS, END_STREAM | END_HEADERS, 2, ASKS),
        ),
        (
            "a continuation of nothing",
            frame(CONTINUATION, END_HEADERS, 1, ASKS),
        ),
        ("settings of a stream", frame(SETTINGS, 0, 1, &[])),
        (
            "a frame that is too long",
            frame(HEADERS, END_STREAM | END_HEADERS, 1, &[0; 20_000]),
        ),
        (
            "a reset of nothing",
            frame(RST_STREAM, 0, 1, &8_u32.to_be_bytes()),
        ),
        ("another frame within a head", {
            let mut bytes = frame(HEADERS, END_STREAM, 1, ASKS);
            bytes.extend(frame(PING, 0, 0, &[0; 8]));
            bytes
        }),
    ] {
        let mut stream = open(&server).await;
        stream.write_all(&bytes).await.unwrap();
        assert_ne!(end(&mut stream).await, End::GoAway(0), "{name}");
    }
    serves_others(&server).await;
}
