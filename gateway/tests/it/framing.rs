//! Where a request ends: nobody may be made to see another end than we do, because what comes after it would be a request that
//! nobody checked.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::Request;
use axum::middleware::{self, Next};
use plaza_gateway::GatewaySettings;

use crate::echo;
use crate::house::House;
use crate::raw::{exchange, statuses};

const SMUGGLED: &str = "GET /api/v1/auth/public/smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n";
const LOGIN: &str = "POST /api/v1/auth/login HTTP/1.1\r\nHost: localhost\r\n";

/// A gateway, and how many requests got through it.
fn counting() -> (House, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&count);
    let counted = move |request: Request, next: Next| {
        seen.fetch_add(1, Ordering::SeqCst);
        next.run(request)
    };
    let upstream = echo::router().layer(middleware::from_fn(counted));
    (House::with(GatewaySettings::default(), upstream).unwrap(), count)
}

/// Writes this; the answers, and how many requests a service saw.
async fn talk(bytes: &str) -> (String, usize) {
    let (house, count) = counting();
    let answers = exchange(&house, bytes.as_bytes()).await;
    (answers, count.load(Ordering::SeqCst))
}

#[tokio::test]
async fn what_two_programs_could_end_in_two_places_is_refused() {
    for framing in [
        // A length and chunks, either first, on a connection that would go on.
        "Connection: keep-alive\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX",
        "Connection: keep-alive\r\nTransfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\nX",
        // Chunks that are none.
        "Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n\r\nhello\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhello0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n3\r\nhello\r\n0\r\n\r\n",
        // An extension that ends its line in another way than the line does.
        "Transfer-Encoding: chunked\r\n\r\n5;a=\nhello\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n5;a\rb\r\nhello\r\n0\r\n\r\n",
        // Codings that are not the only, last `chunked`.
        "Transfer-Encoding: gzip\r\n\r\n",
        "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding:\u{b}chunked\r\n\r\n0\r\n\r\n",
        // Names that are almost these.
        "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        "Content-Length\t: 0\r\n\r\n",
        // Lines that go on in the next one (RFC 9112 §5.2).
        "X-Folded: a\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "X-Folded: a\r\n\tb\r\nContent-Length: 0\r\n\r\n",
        "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
        // Lengths that are none.
        "Content-Length: 5, 6\r\n\r\nhello",
        "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        "Content-Length: -1\r\n\r\n",
        "Content-Length: 5.0\r\n\r\nhello",
        "Content-Length: 18446744073709551616\r\n\r\nhello",
        "Content-Length: \r\n\r\n",
        // A line end in a value.
        "X-Bare: a\rContent-Length: 0\r\n\r\n",
        "X-Nul: a\0b\r\nContent-Length: 0\r\n\r\n",
    ] {
        let (answers, seen) = talk(&format!("{LOGIN}{framing}{SMUGGLED}")).await;
        assert!(!answers.contains("public/smuggled"), "{framing:?}: {answers}");
        assert!(statuses(&answers).len() <= 1, "{framing:?}: {answers}");
        assert!(seen <= 1, "{framing:?}: a service saw {seen} requests");
    }
}

#[tokio::test]
async fn lines_that_end_with_a_line_feed_alone_end_where_we_say() {
    // RFC 9112 §2.2 allows to read them. Whoever does not would see one head without an end, and never a second request.
    let request = SMUGGLED.replace("\r\n", "\n");
    let (answers, seen) = talk(&format!("{LOGIN}Content-Length: 0\r\n\r\n{request}")).await;
    assert_eq!(statuses(&answers).len(), seen, "{answers}");
    let chunk = format!("{LOGIN}Transfer-Encoding: chunked\r\n\r\n0\n\n{SMUGGLED}");
    let (answers, seen) = talk(&chunk).await;
    assert!(seen <= 1 && !answers.contains("public/smuggled"), "{answers}");
}

#[tokio::test]
async fn chunks_are_not_for_http_1_0() {
    for framing in [
        "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ] {
        let old = LOGIN.replace("HTTP/1.1", "HTTP/1.0");
        let (answers, seen) = talk(&format!("{old}{framing}{SMUGGLED}")).await;
        assert!(!answers.contains("public/smuggled"), "{framing:?}: {answers}");
        assert!(seen <= 1, "{framing:?}: a service saw {seen} requests");
    }
}

#[tokio::test]
async fn a_body_of_a_get_or_head_is_its_body_and_no_request() {
    for method in ["GET", "HEAD", "OPTIONS", "DELETE"] {
        let length = SMUGGLED.len();
        let head = format!("{method} /api/v1/auth/public/7 HTTP/1.1\r\nHost: localhost\r\n");
        for framing in [
            format!("Content-Length: {length}\r\n\r\n{SMUGGLED}"),
            format!("Transfer-Encoding: chunked\r\n\r\n{length:x}\r\n{SMUGGLED}\r\n0\r\n\r\n"),
        ] {
            let (answers, seen) = talk(&format!("{head}{framing}")).await;
            assert_eq!(statuses(&answers).len(), 1, "{method}: {answers}");
            assert!(
                seen <= 1 && !answers.contains("public/smuggled"),
                "{method}: {answers}"
            );
        }
    }
}

#[tokio::test]
async fn an_expectation_moves_no_end() {
    let length = SMUGGLED.len();
    for expectation in [
        "100-continue",
        "100-Continue",
        "100-continue, 100-continue",
        "100-continue; x",
        "200-ok",
        " 100-continue ",
        "",
        "y 100-continue",
    ] {
        let request = format!("{LOGIN}Expect: {expectation}\r\nContent-Length: {length}\r\n\r\n{SMUGGLED}");
        let (answers, seen) = talk(&request).await;
        let finals = statuses(&answers);
        let finals: Vec<&u16> = finals.iter().filter(|status| **status >= 200).collect();
        assert_eq!(finals.len(), 1, "{expectation:?}: {answers}");
        assert!(
            seen <= 1 && !answers.contains("public/smuggled"),
            "{expectation:?}: {answers}"
        );
        assert!(!answers.contains("\"expect\""), "{expectation:?}: {answers}");
    }
}

#[tokio::test]
async fn a_trailer_that_says_how_to_read_the_body_says_nothing() {
    let trailers = "Content-Length: 500\r\nTransfer-Encoding: chunked\r\nAuthorization: Bearer x\r\nX-Tenant-ID: poison\r\n";
    let request =
        format!("{LOGIN}Transfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n{trailers}\r\n{SMUGGLED}");
    let (answers, seen) = talk(&request).await;
    // Two honest requests, one after the other, or the connection ended after the first.
    assert_eq!(statuses(&answers).len(), seen, "{answers}");
    assert!(
        answers.contains("\"trailers\":0") && !answers.contains("poison"),
        "{answers}"
    );
}
