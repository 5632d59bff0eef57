//! Which addresses exist, for whom, and what the others answer.

use http::Method;
use plaza_gateway::{Gateway, GatewaySettings};
use plaza_rpc::{Directory, RpcSettings};

use crate::echo;
use crate::house::{House, operations, upstreams};

/// Of a stranger, an owner of acme and the platform's administrator.
type Row = (&'static str, &'static str, [u16; 3]);

const ROWS: [Row; 34] = [
    ("POST", "/api/v1/auth/login", [200, 200, 200]),
    ("GET", "/api/v1/auth/login", [405, 405, 405]),
    ("GET", "/api/v1/auth/me", [401, 200, 200]),
    ("HEAD", "/api/v1/auth/me", [401, 200, 200]),
    ("PUT", "/api/v1/auth/me", [401, 200, 200]),
    ("DELETE", "/api/v1/auth/me", [405, 405, 405]),
    ("OPTIONS", "/api/v1/auth/me", [405, 405, 405]),
    ("GET", "/api/v1/auth/me/", [404, 404, 404]),
    ("GET", "/api/v1/auth/ME", [404, 404, 404]),
    ("GET", "/API/v1/auth/me", [404, 404, 404]),
    ("GET", "/api/v1/authx/me", [404, 404, 404]),
    ("GET", "/api/v1/auth", [404, 404, 404]),
    ("GET", "/api/v1/auth/", [404, 404, 404]),
    ("GET", "/api/v1/auth/public/7", [200, 200, 200]),
    ("GET", "/api/v1/auth/public/", [404, 404, 404]),
    ("GET", "/api/v1/auth/public/7/8", [200, 200, 200]),
    ("GET", "/api/v1/auth/public/7/8/9", [404, 404, 404]),
    ("GET", "/api/v1/auth/internal/users", [404, 404, 404]),
    ("GET", "/api/v1/auth/%69nternal/users", [404, 404, 404]),
    ("POST", "/api/v1/auth/introspect", [404, 404, 404]),
    ("GET", "/api/v1/auth/public/%37", [404, 404, 404]),
    ("GET", "/api/v1/admin/tenants", [401, 403, 200]),
    ("POST", "/api/v1/admin/tenants", [401, 403, 200]),
    ("GET", "/api/v1/administrator", [404, 404, 404]),
    ("GET", "/api/v1/admin/roles", [401, 200, 200]),
    ("GET", "/api/v1/admin/open", [401, 403, 200]),
    ("GET", "/api/v1/notifications/messages/7", [401, 200, 200]),
    ("GET", "/api/v1/notifications/messages/latest", [401, 200, 200]),
    ("POST", "/webhooks/meta", [200, 200, 200]),
    ("GET", "/.well-known/jwks.json", [200, 200, 200]),
    ("GET", "/setup?token=abc", [200, 200, 200]),
    ("GET", "/nowhere/at/all", [404, 404, 404]),
    ("GET", "/", [404, 404, 404]),
    ("GET", "/metrics", [404, 404, 404]),
];

#[tokio::test]
async fn every_address_answers_everybody_as_the_table_says() {
    let house = House::new();
    let (owner, administrator) = (house.owner(), house.administrator());
    for (method, target, expected) in ROWS {
        let method: Method = method.parse().unwrap();
        let answers = [
            house.call(method.clone(), "localhost", target).await,
            house.call_as(&owner, method.clone(), "localhost", target).await,
            house
                .call_as(&administrator, method.clone(), "localhost", target)
                .await,
        ];
        assert_eq!(
            answers.map(|answer| answer.status.as_u16()),
            expected,
            "{method} {target}"
        );
    }
}

#[tokio::test]
async fn methods_that_are_not_forwarded_are_405_everywhere() {
    let house = House::new();
    for method in ["TRACE", "CONNECT", "FOO", "PROPFIND", "get"] {
        for target in ["/api/v1/auth/login", "/nothing", "/api/v1/auth/internal/users"] {
            let answer = house.call(method.parse().unwrap(), "localhost", target).await;
            assert_eq!(
                answer.problem(),
                (405, "METHOD_NOT_ALLOWED".to_owned()),
                "{method} {target}"
            );
        }
    }
}

#[tokio::test]
async fn a_405_names_the_methods_there_are() {
    let answer = House::new()
        .call(Method::DELETE, "localhost", "/api/v1/auth/me")
        .await;
    assert_eq!(answer.header("allow"), Some("GET, HEAD, PUT"));
}

#[tokio::test]
async fn refusals_are_problems_with_stable_codes() {
    let house = House::new();
    let me = "/api/v1/auth/me";
    let (nobody, bad) = (
        house.call(Method::GET, "localhost", me).await,
        house.call_as("x.y.z", Method::GET, "localhost", me).await,
    );
    assert_eq!(nobody.problem(), (401, "UNAUTHENTICATED".to_owned()));
    assert_eq!(nobody.header("www-authenticate"), Some("Bearer"));
    assert_eq!(bad.problem(), (401, "INVALID_TOKEN".to_owned()));
    assert_eq!(
        bad.header("www-authenticate"),
        Some("Bearer error=\"invalid_token\"")
    );
    let nothing = house
        .call(Method::GET, "localhost", "/api/v1/auth/internal/users")
        .await;
    let random = house.call(Method::GET, "localhost", "/api/v1/auth/random").await;
    assert_eq!(nothing.problem(), (404, "NOT_FOUND".to_owned()));
    assert_eq!(nothing.problem(), random.problem());
}

#[tokio::test]
async fn the_caller_arrives_and_the_token_does_not() {
    let house = House::new();
    let echo = house.me(&house.owner()).await.echo();
    assert_eq!(echo.caller.as_ref().unwrap().tenant(), Some(house.acme));
    assert_eq!(echo.header("authorization"), None);
    let echo = house.me(&house.administrator()).await.echo();
    assert!(echo.caller.unwrap().is_platform_admin());
}

#[tokio::test]
async fn on_a_public_operation_a_good_token_is_read_and_a_bad_one_ignored() {
    let house = House::new();
    let login = "/api/v1/auth/login";
    let good = house
        .call_as(&house.owner(), Method::POST, "localhost", login)
        .await
        .echo();
    assert!(good.caller.is_some());
    // Webhooks come with credentials of their own, which their service has to see.
    let bad = house
        .call_as("of-somebody-else", Method::POST, "localhost", login)
        .await
        .echo();
    assert!(bad.caller.is_none());
    assert_eq!(bad.header("authorization"), Some("Bearer of-somebody-else"));
}

fn with_routes(yaml: &str) -> Result<House, String> {
    let name = format!(
        "plaza-gateway-{}-{:?}.yaml",
        std::process::id(),
        std::thread::current().id()
    );
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, yaml).unwrap();
    let settings = GatewaySettings {
        routes_file: Some(path.clone()),
        ..GatewaySettings::default()
    };
    let house = House::with(settings, echo::router()).map_err(|error| error.to_string());
    std::fs::remove_file(path).unwrap();
    house
}

#[tokio::test]
async fn a_file_of_routes_replaces_the_built_in_one() {
    let house = with_routes(
        r#"
routes:
  - path: "/api/v1/auth"
    target_url: "http://localhost:8081"
    auth_required: false
    methods: [GET]
"#,
    );
    let house = house.unwrap();
    let status =
        async |method: Method, target: &str| house.call(method, "localhost", target).await.status.as_u16();
    assert_eq!(status(Method::GET, "/api/v1/auth/public/7").await, 200);
    assert_eq!(
        status(Method::POST, "/api/v1/auth/login").await,
        404,
        "not one of its methods"
    );
    assert_eq!(
        status(Method::POST, "/webhooks/meta").await,
        404,
        "no prefix of the file"
    );
}

#[tokio::test]
async fn enforced_roles_narrow_the_operations_own_rules() {
    let routes = r#"
routes:
  - {path: "/api/v1/auth", target_url: "service:identity", auth_required: false}
  - {path: "/api/v1/auth/me", target_url: "service:identity", roles: ["Platform Admin"], enforce_roles: true}
"#;
    let house = with_routes(routes).unwrap();
    assert_eq!(
        house.me(&house.owner()).await.problem(),
        (403, "FORBIDDEN".to_owned())
    );
    assert_eq!(house.me(&house.administrator()).await.status, 200);
}

#[tokio::test]
async fn a_limit_of_the_route_holds_for_declared_and_for_streamed_bodies() {
    let routes = r#"
routes:
  - {path: "/webhooks", target_url: "service:notification", auth_required: false, body_limit_bytes: 10}
"#;
    let house = with_routes(routes).unwrap();
    let post = |body: axum::body::Body, length: Option<&str>| {
        let request = crate::house::request(Method::POST, "localhost", "/webhooks/meta");
        let request = length.into_iter().fold(request, |request, length| {
            request.header("content-length", length)
        });
        house.send(request.body(body).unwrap())
    };
    assert_eq!(post("0123456789".into(), Some("10")).await.echo().body_bytes, 10);
    assert_eq!(
        post("0123456789a".into(), Some("11")).await.problem(),
        (413, "BODY_TOO_LARGE".to_owned())
    );
    assert_eq!(
        post("x".into(), Some("99999999999999999999999")).await.status,
        413
    );
    // The echo panics on a body that breaks off, as it should: nothing of the eleventh byte reached it.
    assert_eq!(post("0123456789a".into(), None).await.status, 500);
}

#[tokio::test]
async fn mistakes_in_the_configuration_stop_the_start() {
    let wrong =
        with_routes("routes: [{path: /api/v1/auth, target_url: 'service:tenancy', auth_required: false}]");
    assert!(wrong.err().unwrap().contains("belongs to identity"));
    let (clock, directory) = (
        plaza_kernel::Clock::system(),
        Directory::new(RpcSettings::default()),
    );
    let start = |settings, upstreams, operations| {
        Gateway::new(settings, upstreams, operations, &directory, clock.clone())
            .err()
            .map(|error| error.to_string())
    };
    let none = plaza_gateway::Upstreams::new();
    assert!(
        start(GatewaySettings::default(), none, operations())
            .unwrap()
            .contains("no upstream")
    );
    let twice = [operations(), operations()].concat();
    assert!(
        start(GatewaySettings::default(), upstreams(&echo::router()), twice)
            .unwrap()
            .contains("twice")
    );
    let wild = GatewaySettings {
        cors_origins: vec!["*".to_owned()],
        ..GatewaySettings::default()
    };
    assert!(
        start(wild, upstreams(&echo::router()), operations())
            .unwrap()
            .contains("cors_origins")
    );
    let url = GatewaySettings {
        base_domain: "https://plaza.example".to_owned(),
        ..GatewaySettings::default()
    };
    assert!(
        start(url, upstreams(&echo::router()), operations())
            .unwrap()
            .contains("base_domain")
    );
}

#[tokio::test]
async fn explain_says_what_would_happen() {
    let house = House::new();
    let text = house
        .gateway
        .explain("get", "http://acme.localhost:8080/api/v1/admin/tenants")
        .to_string();
    for part in [
        "tenant `acme`",
        "route /api/v1/admin",
        "of tenancy",
        "platform_admin",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(
        house
            .gateway
            .explain("GET", "/api/v1/auth/internal/users")
            .to_string()
            .contains("404")
    );
    assert!(house.gateway.explain("TRACE", "/").to_string().contains("405"));
    assert!(
        house
            .gateway
            .explain("PATCH", "/api/v1/auth/me")
            .to_string()
            .contains("GET, HEAD, PUT")
    );
}
