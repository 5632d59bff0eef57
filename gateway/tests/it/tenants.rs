//! The host's tenant and the token's tenant.

use http::Method;
use plaza_kernel::TenantId;

use crate::house::House;

const ME: &str = "/api/v1/auth/me";

#[tokio::test]
async fn on_a_tenants_host_its_own_tokens_work() {
    let house = House::new();
    for host in ["acme.localhost", "ACME.localhost:8080"] {
        let echo = house.call_as(&house.owner(), Method::GET, host, ME).await.echo();
        assert_eq!(echo.host_slug.as_deref(), Some("acme"), "{host}");
    }
}

#[tokio::test]
async fn the_bare_domain_and_loopback_names_leave_the_tenant_to_the_token() {
    let house = House::new();
    for host in ["localhost", "localhost:8080", "127.0.0.1:8080", "[::1]:8080"] {
        let echo = house.call_as(&house.owner(), Method::GET, host, ME).await.echo();
        assert_eq!(
            (echo.host_slug, echo.caller.unwrap().tenant()),
            (None, Some(house.acme)),
            "{host}"
        );
    }
}

#[tokio::test]
async fn tokens_of_others_do_not_work_on_a_tenants_host() {
    let house = House::new();
    let stranger = house.claims(TenantId::generate(&house.clock));
    let stranger = house.forge.sign(&house.forge.header(), &stranger);
    for token in [stranger, house.administrator()] {
        let answer = house.call_as(&token, Method::GET, "acme.localhost", ME).await;
        assert_eq!(answer.problem(), (403, "TENANT_MISMATCH".to_owned()));
        assert_eq!(house.me(&token).await.status, 200, "the token itself is good");
    }
}

#[tokio::test]
async fn a_login_with_another_tenants_old_token_is_a_strangers_login() {
    let house = House::new();
    let answer = house
        .call_as(
            &house.administrator(),
            Method::POST,
            "acme.localhost",
            "/api/v1/auth/login",
        )
        .await;
    let echo = answer.echo();
    assert!(echo.caller.is_none());
    assert_eq!(echo.host_slug.as_deref(), Some("acme"));
}

#[tokio::test]
async fn a_tenant_that_does_not_exist_is_an_unknown_host() {
    let house = House::new();
    for target in [ME, "/api/v1/auth/login"] {
        let method = if target == ME { Method::GET } else { Method::POST };
        let answer = house
            .call_as(&house.owner(), method, "nobody.localhost", target)
            .await;
        assert_eq!(answer.problem(), (404, "UNKNOWN_HOST".to_owned()), "{target}");
    }
}

#[tokio::test]
async fn slugs_are_remembered_and_missing_ones_for_a_shorter_time() {
    let house = House::new();
    let call = async |host: &str| {
        house
            .call(Method::POST, host, "/api/v1/auth/login")
            .await
            .status
            .as_u16()
    };
    for _ in 0..3 {
        assert_eq!(call("acme.localhost").await, 200);
        assert_eq!(call("nobody.localhost").await, 404);
    }
    assert_eq!(house.tenancy.resolved(), 2);
    house.wait(5_000);
    assert_eq!(call("acme.localhost").await, 200);
    assert_eq!(house.tenancy.resolved(), 2);
    assert_eq!(call("nobody.localhost").await, 404);
    assert_eq!(house.tenancy.resolved(), 3);
    house.wait(25_000);
    assert_eq!(call("acme.localhost").await, 200);
    assert_eq!(house.tenancy.resolved(), 4);
}

#[tokio::test]
async fn while_tenancy_is_away_hosts_of_tenants_are_unavailable() {
    let house = House::new();
    house.tenancy.away(true);
    let answer = house
        .call(Method::POST, "acme.localhost", "/api/v1/auth/login")
        .await;
    assert_eq!(answer.problem(), (503, "SERVICE_UNAVAILABLE".to_owned()));
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(
        house
            .call(Method::POST, "localhost", "/api/v1/auth/login")
            .await
            .status,
        200
    );
}
