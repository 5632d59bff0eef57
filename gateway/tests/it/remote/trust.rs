//! What a service elsewhere is told, by whom, and that no client can say it.

use axum::body::Body;
use http::{HeaderName, Method};
use plaza_contracts::services::{GATEWAY, IDENTITY, NOTIFICATION};
use plaza_gateway::GatewaySettings;
use plaza_kernel::{ServiceName, TenantId};
use plaza_telemetry::trace;
use tracing_subscriber::layer::SubscriberExt;

use crate::echo;
use crate::elsewhere::{Served, keys, trusting};
use crate::headers::spellings;
use crate::house::{House, request};
use crate::rough::{Rough, Talk};

/// A gateway before an echo elsewhere, which lets only the gateway in and plays this service.
async fn before_echo(service: ServiceName) -> (House, Served) {
    // The clock of the house is only known once it stands, and the address before.
    let clock = House::new().clock;
    let served = Served::start(trusting(echo::router(), service, &clock), &clock).await;
    let uris = [served.uri.clone()];
    (House::before_addresses(GatewaySettings::default(), &uris), served)
}

#[tokio::test]
async fn a_service_elsewhere_learns_who_asks_and_under_which_host() {
    let (house, _served) = before_echo(IDENTITY).await;
    let token = house.owner();
    let answer = house
        .call_as(&token, Method::GET, "acme.localhost", "/api/v1/auth/me")
        .await;
    let echo = answer.echo();
    let caller = echo.caller.clone().unwrap();
    assert_eq!(caller.scope, Some(house.acme));
    assert_eq!(echo.host_slug.as_deref(), Some("acme"));
    assert_eq!(echo.header("authorization"), None);
    assert_eq!(echo.header("host"), Some("acme.localhost"));
    assert_eq!(echo.header("x-request-id"), answer.header("x-request-id"));
    let stranger = house
        .call(Method::GET, "localhost", "/api/v1/auth/public/7")
        .await;
    let echo = stranger.echo();
    assert_eq!((echo.caller, echo.host_slug), (None, None));
}

#[tokio::test]
async fn the_same_bytes_of_the_target_arrive_elsewhere() {
    let (house, _served) = before_echo(IDENTITY).await;
    for target in [
        "/api/v1/auth/public/a%20b?q=%2e%2e%2F..;x&y=a+b%zz&empty=&&",
        "/api/v1/auth/public/%c3%a4",
        "/api/v1/auth/public/a:b@c,d=e+f!$&'()*",
        "/api/v1/auth/public/7?",
        "/api/v1/auth/public/...",
    ] {
        let answer = house.call(Method::GET, "localhost", target).await;
        assert_eq!(answer.echo().target, target);
    }
}

#[tokio::test]
async fn a_token_is_good_for_the_service_that_is_called_and_no_other() {
    let (house, _served) = before_echo(NOTIFICATION).await;
    let callback = house.call(Method::POST, "localhost", "/webhooks/meta").await;
    assert_eq!(callback.status, 200);
    let elsewhere = house.call(Method::GET, "localhost", "/setup").await;
    assert_eq!(elsewhere.problem(), (503, "UPSTREAM_INTERRUPTED".to_owned()));
}

#[tokio::test]
async fn no_spelling_of_the_internal_token_reaches_a_service_from_outside() {
    let (house, _served) = before_echo(IDENTITY).await;
    // The best that a forger could have: a token of the gateway for this very service, of somebody else.
    let mut other = serde_json::from_value::<plaza_contracts::tokens::AccessClaims>(
        house.claims(TenantId::generate(&house.clock)),
    )
    .unwrap()
    .caller()
    .unwrap();
    other.role = plaza_kernel::SystemRole::Owner;
    let signer = keys().signer(GATEWAY, house.clock.clone()).unwrap();
    let poison = signer.token(IDENTITY, Some(&other), None);
    let mut tried = 0;
    for target in ["/api/v1/auth/public/7", "/setup", "/api/v1/auth/me"] {
        for name in spellings("X-Plaza-Internal-Token") {
            let token = house.owner();
            let mut request = request(Method::GET, "localhost", target);
            for _ in 0..2 {
                request = request.header(HeaderName::try_from(&name).unwrap(), &poison);
            }
            if target.ends_with("/me") {
                request = request
                    .header("authorization", format!("Bearer {token}"))
                    .header("connection", "x-plaza-internal-token");
            }
            let echo = house.send(request.body(Body::empty()).unwrap()).await.echo();
            let poison = poison.to_str().unwrap();
            assert!(
                echo.headers.iter().all(|(_, value)| value != poison),
                "{name} on {target}"
            );
            let tokens = echo.headers.iter().filter(|(name, _)| name.contains("internal"));
            assert_eq!(tokens.count(), 1, "{name} on {target}");
            assert_ne!(echo.caller.and_then(|caller| caller.scope), other.scope);
            tried += 1;
        }
    }
    assert_eq!(tried, 36);
}

/// Answers with the head of the request.
async fn repeat_head(mut talk: Talk) -> Option<()> {
    loop {
        let head = talk.request().await?;
        let length = head.len();
        talk.say(&format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{head}"
        ))
        .await?;
    }
}

#[tokio::test]
async fn a_request_looks_as_if_no_other_program_had_sent_it() {
    let service = Rough::start(|_, talk| repeat_head(talk)).await;
    let uris = [service.uri.clone()];
    let house = House::before_addresses(GatewaySettings::default(), &uris);
    // The absolute form and HTTP/2 name the host in the target; cookies come in pieces.
    let mut request = request(Method::GET, "localhost", "http://localhost/setup?x")
        .version(http::Version::HTTP_2)
        .header("cookie", "a=1")
        .header("cookie", "b=2")
        .header("te", "trailers")
        .header("keep-alive", "timeout=5")
        .header("expect", "100-continue")
        .header("x-request-id", "mine")
        .header("connection", "x-request-id, keep-alive")
        .body(Body::empty())
        .unwrap();
    request.headers_mut().remove("host");
    let head = String::from_utf8(house.send(request).await.body).unwrap();
    let mut lines: Vec<&str> = head.trim_end().split("\r\n").collect();
    assert_eq!(lines.remove(0), "GET /setup?x HTTP/1.1");
    lines.retain(|line| !line.starts_with("x-plaza-internal-token: "));
    lines.sort_unstable();
    assert_eq!(
        lines,
        ["cookie: a=1; b=2", "host: localhost", "x-request-id: mine"]
    );
}

#[tokio::test]
async fn the_trace_goes_on_and_is_not_the_clients_to_choose() {
    let registry = tracing_subscriber::registry().with(trace::layer());
    let _traced = tracing::subscriber::set_default(registry);
    let service = Rough::start(|_, talk| repeat_head(talk)).await;
    let house = House::before_addresses(GatewaySettings::default(), std::slice::from_ref(&service.uri));
    let chosen = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let request = request(Method::GET, "localhost", "/setup")
        .header("traceparent", chosen)
        .body(Body::empty());
    let head = String::from_utf8(house.send(request.unwrap()).await.body).unwrap();
    let sent: Vec<&str> = head
        .lines()
        .filter_map(|line| line.strip_prefix("traceparent: "))
        .collect();
    let trace = |text| trace::TraceContext::parse(text).unwrap().trace_id();
    assert_eq!(sent.len(), 1, "{head}");
    assert_ne!(trace(sent[0]), trace(chosen));
}
