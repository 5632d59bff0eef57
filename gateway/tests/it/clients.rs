//! Where a client is: what the services are told of it, and that no client can say it.

use std::net::SocketAddr;

use axum::body::Body;
use http::Method;
use plaza_contracts::services::IDENTITY;
use plaza_gateway::{GatewaySettings, ProxyHeader};
use plaza_web::server::PeerAddress;

use crate::echo::{self, Echo};
use crate::elsewhere::{Served, trusting};
use crate::house::{House, request};

const PROXY: &str = "10.0.0.1:40000";
const STRANGER: &str = "198.51.100.9:40000";

fn behind_proxies(header: ProxyHeader) -> GatewaySettings {
    GatewaySettings {
        trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()],
        proxy_header: header,
        ..GatewaySettings::default()
    }
}

/// What a service is told of a request from this address with this header.
async fn told(house: &House, peer: &str, (name, value): (&str, &str)) -> Echo {
    let mut request = request(Method::GET, "localhost", "/api/v1/auth/public/7")
        .header(name, value)
        .body(Body::empty())
        .unwrap();
    let peer: SocketAddr = peer.parse().unwrap();
    request.extensions_mut().insert(PeerAddress(peer));
    house.send(request).await.echo()
}

#[tokio::test]
async fn a_service_learns_where_the_client_is() {
    let house = House::with(behind_proxies(ProxyHeader::XForwardedFor), echo::router()).unwrap();
    for (peer, line, client) in [
        (STRANGER, "192.0.2.1", "198.51.100.9"),
        (PROXY, "192.0.2.1", "192.0.2.1"),
        (PROXY, "1.2.3.4, 192.0.2.1, 10.7.7.7", "192.0.2.1"),
    ] {
        let echo = told(&house, peer, ("x-forwarded-for", line)).await;
        assert_eq!(echo.client.as_deref(), Some(client), "{peer}: {line}");
        assert_eq!(echo.header("x-forwarded-for"), None, "it is for us alone");
    }
    let house = House::with(behind_proxies(ProxyHeader::Forwarded), echo::router()).unwrap();
    let echo = told(&house, PROXY, ("forwarded", "for=1.2.3.4, for=192.0.2.1")).await;
    assert_eq!(echo.client.as_deref(), Some("192.0.2.1"));
}

#[tokio::test]
async fn without_trusted_proxies_nobody_is_believed() {
    let house = House::new();
    for name in [
        "x-forwarded-for",
        "forwarded",
        "x-real-ip",
        "x-plaza-client",
        "true-client-ip",
    ] {
        for value in ["192.0.2.1", "for=192.0.2.1", "127.0.0.1"] {
            let echo = told(&house, PROXY, (name, value)).await;
            assert_eq!(echo.client.as_deref(), Some("10.0.0.1"), "{name}: {value}");
        }
    }
}

#[tokio::test]
async fn a_service_elsewhere_learns_it_from_us_alone() {
    let clock = House::new().clock;
    let served = Served::start(trusting(echo::router(), IDENTITY, &clock), &clock).await;
    let house = House::before_addresses(GatewaySettings::default(), std::slice::from_ref(&served.uri));
    for name in ["x-forwarded-for", "x-plaza-client", "X_Plaza.Client"] {
        let echo = told(&house, STRANGER, (name, "127.0.0.1")).await;
        assert_eq!(echo.header("x-plaza-client"), Some("198.51.100.9"), "{name}");
    }
}

#[tokio::test]
async fn connection_takes_nothing_away_on_the_way_to_a_service_elsewhere() {
    let clock = House::new().clock;
    let served = Served::start(trusting(echo::router(), IDENTITY, &clock), &clock).await;
    let house = House::before_addresses(GatewaySettings::default(), std::slice::from_ref(&served.uri));
    let named = "close, x-plaza-internal-token, x-plaza-client, traceparent";
    // Without the token of the gateway it would not have been let in.
    let echo = told(&house, STRANGER, ("connection", named)).await;
    assert_eq!(echo.header("x-plaza-client"), Some("198.51.100.9"));
}
