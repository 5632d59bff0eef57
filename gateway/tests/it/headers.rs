//! Trusted headers: no client can write one, on any route, in any spelling.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, Method};
use plaza_gateway::GatewaySettings;
use serde::Deserialize;

use crate::house::{House, request};
use crate::raw::exchange;

const TRUSTED: [&str; 25] = [
    "X-Tenant-ID",
    "X-User-ID",
    "X-User-Role",
    "X-Subdomain",
    "X-Internal-Token",
    "X-Internal-Caller",
    "X-Plaza-Caller",
    "X-Plaza-Client",
    "X-Plaza-Request-Id",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Forwarded-Uri",
    "X-Forwarded-Prefix",
    "Forwarded",
    "X-Original-URL",
    "X-Rewrite-URL",
    "X-HTTP-Method-Override",
    "X-HTTP-Method",
    "X-Method-Override",
    "X-Real-IP",
    "X-Auth-Request-User",
    "X-Remote-User",
    "Traceparent",
    "Baggage",
];

pub(crate) fn spellings(name: &str) -> [String; 12] {
    let capital = |at: usize, character: char| {
        if at.is_multiple_of(2) {
            character.to_ascii_uppercase()
        } else {
            character
        }
    };
    let mixed = name
        .to_ascii_lowercase()
        .char_indices()
        .map(|(at, character)| capital(at, character))
        .collect();
    let doubled = name.replace('-', "--");
    [
        name.to_owned(),
        name.to_ascii_lowercase(),
        name.to_ascii_uppercase(),
        mixed,
        name.replace('-', "_"),
        name.replacen('-', "_", 1),
        name.to_ascii_lowercase().replace('-', "_"),
        name.replace('-', "."),
        name.replace('-', ""),
        doubled,
        format!("_{name}"),
        format!("{name}-"),
    ]
}

#[tokio::test]
async fn no_spelling_of_a_trusted_name_reaches_a_service_on_any_route() {
    let house = House::new();
    let token = house.administrator();
    let routes = [
        (Method::GET, "/api/v1/auth/me"),
        (Method::POST, "/api/v1/auth/login"),
        (Method::GET, "/api/v1/auth/public/7"),
        (Method::GET, "/api/v1/admin/tenants"),
        (Method::POST, "/webhooks/meta"),
        (Method::GET, "/setup"),
    ];
    let mut tried = 0;
    for (method, target) in routes {
        for name in TRUSTED.iter().flat_map(|name| spellings(name)) {
            let mut request = request(method.clone(), "localhost", target)
                .header("authorization", format!("Bearer {token}"))
                .header("x-ordinary", "stays");
            for value in ["poison-1", "poison-2"] {
                request = request.header(HeaderName::try_from(&name).unwrap(), value);
            }
            let echo = house.send(request.body(Body::empty()).unwrap()).await.echo();
            let reached = echo.headers.iter().find(|(_, value)| value.contains("poison"));
            assert_eq!(reached, None, "{name} on {target}");
            assert_eq!(echo.header("x-ordinary"), Some("stays"));
            tried += 1;
        }
    }
    assert_eq!(tried, 6 * 25 * 12);
}

#[tokio::test]
async fn a_space_before_the_colon_is_400() {
    let house = House::new();
    let request = "GET /api/v1/auth/public/7 HTTP/1.1\r\nHost: localhost\r\nX-Tenant-ID : poison\r\nConnection: close\r\n\r\n";
    assert!(
        exchange(&house, request.as_bytes())
            .await
            .starts_with("HTTP/1.1 400")
    );
}

#[tokio::test]
async fn a_trailer_reaches_nobody() {
    let house = House::new();
    let request = "POST /api/v1/auth/login HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nTrailer: x-tenant-id\r\n\
                   TE: trailers\r\nConnection: close\r\n\r\n3\r\nabc\r\n0\r\nX-Tenant-ID: poison\r\n\r\n";
    let answer = exchange(&house, request.as_bytes()).await;
    assert!(answer.contains("\"trailers\":0"), "{answer}");
    assert!(answer.contains("\"body_bytes\":3"), "{answer}");
    assert!(
        !answer.contains("poison") && !answer.contains("\"te\""),
        "{answer}"
    );
}

#[tokio::test]
async fn connection_cannot_take_away_what_the_gateway_says() {
    let house = House::new();
    let request = request(Method::GET, "localhost", "/api/v1/auth/me")
        .header("authorization", format!("Bearer {}", house.owner()))
        .header("x-request-id", "mine")
        .header("x-once", "gone")
        .header("connection", "x-internal-token, x-request-id, x-once, close");
    let answer = house.send(request.body(Body::empty()).unwrap()).await;
    let echo = answer.echo();
    assert!(echo.caller.is_some());
    assert_eq!(echo.header("x-once"), None);
    assert_eq!(answer.header("x-request-id"), Some("mine"));
}

#[tokio::test]
async fn a_caller_that_another_layer_left_behind_is_not_believed() {
    let house = House::new();
    let claims = plaza_contracts::tokens::AccessClaims::deserialize(house.claims(house.acme)).unwrap();
    let mut request = request(Method::GET, "localhost", "/api/v1/auth/public/7")
        .body(Body::empty())
        .unwrap();
    request.extensions_mut().insert(claims.caller().unwrap());
    assert!(house.send(request).await.echo().caller.is_none());
}

async fn leaky() -> Response {
    let mut response = "a page".into_response();
    for (name, value) in [
        ("connection", "x-hop"),
        ("x-hop", "1"),
        ("keep-alive", "timeout=5"),
        ("x-plaza-internal", "1"),
        ("x-internal-host", "db1"),
        ("content-security-policy", "default-src 'self'"),
        ("cache-control", "max-age=60"),
        ("x-kept", "1"),
    ] {
        response
            .headers_mut()
            .insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}

#[tokio::test]
async fn answers_lose_what_was_meant_for_the_gateway_and_gain_what_browsers_need() {
    let settings = GatewaySettings {
        https: true,
        ..GatewaySettings::default()
    };
    let house = House::with(settings, axum::Router::new().fallback(leaky)).unwrap();
    let answer = house.call(Method::GET, "localhost", "/setup").await;
    for name in [
        "connection",
        "x-hop",
        "keep-alive",
        "x-plaza-internal",
        "x-internal-host",
    ] {
        assert_eq!(answer.header(name), None, "{name}");
    }
    for (name, value) in [
        ("x-kept", "1"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("x-frame-options", "DENY"),
        ("content-security-policy", "default-src 'self'"),
        ("cache-control", "max-age=60"),
        ("strict-transport-security", "max-age=63072000; includeSubDomains"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
}

#[tokio::test]
async fn refusals_have_the_security_headers_too_and_http_does_not_demand_https() {
    let answer = House::new().call(Method::GET, "localhost", "/nothing").await;
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(
        answer.header("content-security-policy"),
        Some("default-src 'none'; frame-ancestors 'none'")
    );
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("strict-transport-security"), None);
}
