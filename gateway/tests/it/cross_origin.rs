//! Pages of other origins.

use axum::body::Body;
use http::Method;
use plaza_gateway::GatewaySettings;

use crate::echo;
use crate::house::{Answer, House, request};

const CONSOLE: &str = "https://console.example";

fn house() -> House {
    let settings = GatewaySettings {
        cors_origins: vec![CONSOLE.to_owned()],
        ..GatewaySettings::default()
    };
    House::with(settings, echo::router()).unwrap()
}

async fn from(house: &House, origin: &str, method: Method, target: &str, asks: Option<&str>) -> Answer {
    let request = request(method, "localhost", target).header("origin", origin);
    let request = asks.into_iter().fold(request, |request, method| {
        request.header("access-control-request-method", method)
    });
    house.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn a_configured_origin_may_read_answers_and_refusals() {
    let house = house();
    for target in ["/api/v1/auth/public/7", "/api/v1/auth/me", "/nothing"] {
        let answer = from(&house, CONSOLE, Method::GET, target, None).await;
        assert_eq!(
            answer.header("access-control-allow-origin"),
            Some(CONSOLE),
            "{target}"
        );
        assert_eq!(
            answer.header("access-control-allow-credentials"),
            Some("true"),
            "{target}"
        );
        assert_eq!(answer.header("vary"), Some("origin"), "{target}");
        let exposed = answer.header("access-control-expose-headers").unwrap();
        let exposed: Vec<&str> = exposed.split(", ").collect();
        for name in [
            "etag",
            "location",
            "retry-after",
            "x-request-id",
            "ratelimit",
            "ratelimit-policy",
        ] {
            assert!(exposed.contains(&name), "{name}: {exposed:?}");
        }
        assert!(exposed.contains(&"idempotency-replayed"), "{exposed:?}");
    }
}

#[tokio::test]
async fn other_origins_get_no_grant() {
    let house = house();
    for origin in [
        "https://evil.example",
        "http://console.example",
        "https://console.example:8443",
        "https://console.example.evil.com",
        "https://CONSOLE.example",
        "null",
        "*",
        "",
        "https://console.example/",
    ] {
        let answer = from(&house, origin, Method::GET, "/api/v1/auth/public/7", None).await;
        assert_eq!(answer.status, 200, "{origin}");
        assert_eq!(answer.header("access-control-allow-origin"), None, "{origin}");
        assert_eq!(
            answer.header("access-control-allow-credentials"),
            None,
            "{origin}"
        );
        assert_eq!(answer.header("vary"), Some("origin"), "{origin}");
        let asked = from(&house, origin, Method::OPTIONS, "/api/v1/auth/me", Some("PUT")).await;
        assert_eq!(
            asked.problem(),
            (403, "ORIGIN_NOT_ALLOWED".to_owned()),
            "{origin}"
        );
        assert_eq!(asked.header("access-control-allow-origin"), None, "{origin}");
    }
}

#[tokio::test]
async fn a_preflight_is_answered_here_without_a_token() {
    let answer = from(&house(), CONSOLE, Method::OPTIONS, "/api/v1/auth/me", Some("PUT")).await;
    assert_eq!(answer.status, 204);
    assert_eq!(answer.header("access-control-allow-origin"), Some(CONSOLE));
    assert_eq!(
        answer.header("access-control-allow-methods"),
        Some("GET, HEAD, PUT")
    );
    assert!(
        answer
            .header("access-control-allow-headers")
            .unwrap()
            .contains("authorization")
    );
    assert_eq!(answer.header("access-control-max-age"), Some("600"));
    assert!(answer.body.is_empty());
}

#[tokio::test]
async fn a_preflight_of_nothing_is_404() {
    let answer = from(
        &house(),
        CONSOLE,
        Method::OPTIONS,
        "/api/v1/auth/internal/users",
        Some("GET"),
    )
    .await;
    assert_eq!(answer.status, 404);
}

#[tokio::test]
async fn without_origins_nothing_is_said_about_them() {
    let answer = from(&House::new(), CONSOLE, Method::GET, "/api/v1/auth/public/7", None).await;
    assert_eq!(
        (
            answer.header("vary"),
            answer.header("access-control-allow-origin")
        ),
        (None, None)
    );
}
