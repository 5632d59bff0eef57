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

const LOGIN: &str = "/api/v1/auth/login";

async fn status(house: &House, host: &str) -> u16 {
    house.call(Method::POST, host, LOGIN).await.status.as_u16()
}

#[tokio::test]
async fn a_flood_of_hosts_that_are_nobodys_makes_no_tenant_forgotten() {
    let house = House::new();
    let shops: Vec<String> = (0..200).map(|n| format!("shop-{n}.localhost")).collect();
    for shop in &shops {
        assert_eq!(status(&house, shop).await, 200);
    }
    for n in 0..10_000 {
        assert_eq!(status(&house, &format!("nobody-{n}.localhost")).await, 404);
    }
    let resolved = house.tenancy.resolved();
    for shop in &shops {
        assert_eq!(status(&house, shop).await, 200);
    }
    assert_eq!(
        house.tenancy.resolved(),
        resolved,
        "tenants had to be asked for again"
    );
}

#[tokio::test]
async fn a_known_tenant_stays_known_for_half_a_minute_more_while_tenancy_is_away() {
    let house = House::new();
    assert_eq!(status(&house, "acme.localhost").await, 200);
    assert_eq!(status(&house, "nobody.localhost").await, 404);
    house.tenancy.away(true);
    house.wait(31_000);
    assert_eq!(status(&house, "acme.localhost").await, 200);
    assert_eq!(
        status(&house, "nobody.localhost").await,
        503,
        "nobody has no grace"
    );
    house.wait(28_000);
    assert_eq!(status(&house, "acme.localhost").await, 200);
    house.wait(2_000);
    assert_eq!(status(&house, "acme.localhost").await, 503);
    house.tenancy.away(false);
    house.wait(1_000);
    assert_eq!(status(&house, "acme.localhost").await, 200);
}

#[tokio::test]
async fn eight_unknown_hosts_are_looked_up_at_a_time_and_known_tenants_do_not_notice() {
    let house = House::new();
    assert_eq!(status(&house, "acme.localhost").await, 200);
    house.tenancy.hold(true);
    let hosts: Vec<String> = (0..8).map(|n| format!("nobody-{n}.localhost")).collect();
    let first = futures_util::future::join_all(hosts.iter().map(|host| status(&house, host)));
    let meanwhile = async {
        while house.tenancy.resolved() < 9 {
            tokio::task::yield_now().await;
        }
        let ninth = house.call(Method::POST, "shop-1.localhost", LOGIN).await;
        assert_eq!(ninth.problem(), (503, "SERVICE_UNAVAILABLE".to_owned()));
        assert_eq!(ninth.header("retry-after"), Some("1"));
        assert_eq!(house.tenancy.resolved(), 9, "the ninth was asked for");
        assert_eq!(status(&house, "acme.localhost").await, 200);
        house.tenancy.hold(false);
    };
    let (first, ()) = futures_util::future::join(first, meanwhile).await;
    assert_eq!(first, [404; 8]);
    house.wait(1_000);
    assert_eq!(
        status(&house, "shop-1.localhost").await,
        200,
        "the places are free again"
    );
}

#[tokio::test]
async fn a_known_tenants_look_up_takes_no_strangers_place() {
    let house = House::new();
    assert_eq!(status(&house, "acme.localhost").await, 200);
    house.wait(31_000);
    house.tenancy.hold(true);
    let hosts: Vec<String> = (0..8).map(|n| format!("nobody-{n}.localhost")).collect();
    let strangers = futures_util::future::join_all(hosts.iter().map(|host| status(&house, host)));
    let known = async {
        while house.tenancy.resolved() < 9 {
            tokio::task::yield_now().await;
        }
        let known = status(&house, "acme.localhost");
        let release = async {
            while house.tenancy.resolved() < 10 {
                tokio::task::yield_now().await;
            }
            house.tenancy.hold(false);
        };
        let (known, ()) = futures_util::future::join(known, release).await;
        assert_eq!(known, 200);
    };
    let (strangers, ()) = futures_util::future::join(strangers, known).await;
    assert_eq!(strangers, [404; 8]);
}

#[tokio::test]
async fn a_slug_that_gets_a_tenant_and_loses_it_is_seen() {
    let house = House::new();
    assert_eq!(status(&house, "acme.localhost").await, 200);
    house.tenancy.rename("globex");
    house.wait(31_000);
    assert_eq!(status(&house, "acme.localhost").await, 404);
    assert_eq!(status(&house, "globex.localhost").await, 200);
    house.tenancy.rename("acme");
    house.wait(6_000);
    assert_eq!(status(&house, "acme.localhost").await, 200);
}
