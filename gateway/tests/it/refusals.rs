//! What is malformed is refused, on the wire.

use crate::house::House;
use crate::raw::{exchange, statuses};

const LOGIN: &str = "POST /api/v1/auth/login HTTP/1.1\r\n";

async fn status_of(house: &House, request: &str) -> u16 {
    let answers = exchange(house, request.as_bytes()).await;
    let statuses = statuses(&answers);
    assert!(
        statuses.len() <= 1,
        "one request, {} answers: {answers}",
        statuses.len()
    );
    statuses.first().copied().unwrap_or_default()
}

#[tokio::test]
async fn targets_that_can_be_read_in_two_ways_are_400() {
    let house = House::new();
    for target in [
        "/api/v1/auth/../admin/tenants",
        "/api/v1/auth/./me",
        "/api/v1/auth//internal",
        "//localhost/api/v1/admin",
        "//api/v1/auth/me",
        "/api/v1/auth/me;x",
        "/api/v1/auth;/internal/users",
        "/api/v1/auth/%2e%2e/admin/tenants",
        "/api/v1/auth/.%2e/admin",
        "/api/v1/auth/%2E%2E/admin",
        "/api/v1/auth/%252e%252e/admin",
        "/api/v1/auth/..%2fadmin",
        "/api/v1/auth/%2e%2e%2fadmin",
        "/api/v1/auth\\..\\admin",
        "/api/v1/auth/%5c..%5cadmin",
        "/api/v1/auth/me%00",
        "/api/v1/auth/me%0d%0aX:1",
        "/api/v1/auth/\u{e4}",
        "/api/v1/auth/%ff",
        "/api/v1/auth/m%",
        "/api/v1/auth/m%e",
        "/api/v1/auth/m%zz",
        "/api/v1/auth/me?x=%00",
        "/api/v1/auth/me?x=\\",
        "/api/v1/auth/me?\u{e4}",
        "*",
        "api/v1/auth/me",
        "/api/v1/auth/{id}",
        "/api/v1/auth/\"me\"",
        "/api/v1/auth/me\tx",
        "ftp://localhost/api/v1/auth/me",
        "http://evil.example/api/v1/auth/me",
        "http://user@localhost/api/v1/auth/me",
    ] {
        let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        assert_eq!(status_of(&house, &request).await, 400, "{target:?}");
    }
}

#[tokio::test]
async fn hosts_that_are_missing_doubled_or_none_are_400() {
    let house = House::new();
    for hosts in [
        "",
        "Host: localhost\r\nHost: localhost\r\n",
        "Host: localhost\r\nHost: acme.localhost\r\n",
        "Host: \r\n",
        "Host: user@localhost\r\n",
        "Host: localhost/evil\r\n",
        "Host: localhost evil\r\n",
        "Host: localhost:80:80\r\n",
        "Host: localhost:http\r\n",
        "Host: localhost, acme.localhost\r\n",
    ] {
        let request = format!("{LOGIN}{hosts}Content-Length: 0\r\nConnection: close\r\n\r\n");
        assert_eq!(status_of(&house, &request).await, 400, "{hosts:?}");
    }
}

#[tokio::test]
async fn an_absolute_target_with_the_same_host_is_the_same_request() {
    let house = House::new();
    let request = "GET http://localhost/api/v1/auth/public/7?q=1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let answer = exchange(&house, request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(
        answer.contains("\"target\":\"/api/v1/auth/public/7?q=1\""),
        "{answer}"
    );
}

#[tokio::test]
async fn hosts_of_others_are_404() {
    let house = House::new();
    for host in [
        "evil.example",
        "localhost.evil.example",
        "nobody.localhost",
        "a.b.localhost",
        "10.0.0.1",
    ] {
        let request = format!("{LOGIN}Host: {host}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        let answer = exchange(&house, request.as_bytes()).await;
        assert!(answer.contains("UNKNOWN_HOST"), "{host}: {answer}");
    }
}

#[tokio::test]
async fn two_authorization_headers_are_400() {
    let house = House::new();
    for path in ["/api/v1/auth/me", "/api/v1/auth/public/7"] {
        let token = house.owner();
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nauthorization: Bearer {token}\r\n\
             Connection: close\r\n\r\n"
        );
        assert_eq!(status_of(&house, &request).await, 400, "{path}");
    }
}

#[tokio::test]
async fn two_requests_on_one_connection_are_two() {
    let request = "GET /api/v1/auth/public/7 HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let answers = exchange(&House::new(), request.repeat(2).as_bytes()).await;
    assert_eq!(statuses(&answers), [200, 200]);
}

#[tokio::test]
async fn framing_in_two_ways_never_becomes_two_requests() {
    let house = House::new();
    let smuggled = "GET /api/v1/auth/public/smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for framing in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "Content-Length: 0\r\nContent-Length: 5\r\n\r\n",
        "Content-Length: +0\r\n\r\n",
        "Content-Length: 0x0\r\n\r\n",
        "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "Content-Length : 0\r\n\r\n",
        " Content-Length: 0\r\n\r\n",
    ] {
        let bytes = format!("{LOGIN}Host: localhost\r\n{framing}{smuggled}");
        let answers = exchange(&house, bytes.as_bytes()).await;
        assert!(!answers.contains("public/smuggled"), "{framing:?}: {answers}");
    }
}

#[tokio::test]
async fn an_upgrade_is_not_forwarded() {
    let house = House::new();
    let request = format!(
        "{LOGIN}Host: localhost\r\nConnection: Upgrade\r\nUpgrade: foo\r\nExpect: 200-ok\r\nContent-Length: 0\r\n\r\n"
    );
    let answer = exchange(&house, request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    for name in ["\"upgrade\"", "\"connection\"", "\"expect\""] {
        assert!(!answer.contains(name), "{name} in {answer}");
    }
}

#[tokio::test]
async fn a_token_in_the_query_is_no_token() {
    let house = House::new();
    let token = house.owner();
    for name in ["access_token", "token", "authorization", "jwt"] {
        let target = format!("/api/v1/auth/me?{name}={token}");
        let answer = house.call(http::Method::GET, "localhost", &target).await;
        assert_eq!(answer.problem(), (401, "UNAUTHENTICATED".to_owned()), "{name}");
    }
}
