use std::time::Duration;

use axum::body::Body;
use futures_util::future::join_all;
use http::{Request, StatusCode};
use plaza_contracts::edge::HostTenant;
use plaza_contracts::services::IDENTITY;
use plaza_identity::{Identity, IdentityConfig, PasswordConfig};
use plaza_kernel::SystemRole;
use plaza_testkit::{Mounted, Permit, Reply, RoundTrips, callers, eventually};
use serde_json::{Value, json};

use crate::house::{House, PASSWORD, Tokens, unhurried};

/// A problem without what is different in every answer.
fn without_id(reply: &Reply) -> Value {
    let mut body = reply.value();
    body.as_object_mut().unwrap().remove("request_id");
    body
}

#[tokio::test]
async fn wrong_password_unknown_account_and_no_membership_answer_alike() {
    let house = House::open().await;
    house.tenant_with_owner("acme", "ada@example.org").await;
    house.tenant_with_owner("rival", "bob@example.org").await;
    let refused = [
        house
            .post(
                "/api/v1/auth/login",
                json!({"email": "ada@example.org", "password": "wrong"}),
            )
            .await,
        house.log_in("nobody@example.org").await,
        house.log_in_at("rival", "ada@example.org").await,
        house.log_in_at("no-such-tenant", "ada@example.org").await,
        house.log_in_at("NOT A SLUG", "ada@example.org").await,
    ];
    for reply in &refused {
        reply
            .clone()
            .assert_failed(StatusCode::UNAUTHORIZED, "INVALID_CREDENTIALS");
        assert_eq!(without_id(reply), without_id(&refused[0]));
    }
    Tokens::of(house.log_in_at("acme", "ADA@example.org").await);
}

#[tokio::test]
async fn fifteen_thousand_characters_are_no_password_and_are_not_hashed() {
    let house = House::open().await;
    let began = std::time::Instant::now();
    for path in ["/api/v1/auth/login", "/api/v1/auth/register"] {
        let body = json!({"email": "ada@example.org", "password": "x".repeat(15_000)});
        house
            .post(path, body)
            .await
            .assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "PASSWORD_TOO_LONG");
    }
    let body = json!({"token": "t", "email": "ada@example.org", "password": "x".repeat(15_000)});
    let reply = house.post("/api/v1/auth/setup", body).await;
    reply.assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "PASSWORD_TOO_LONG");
    assert!(began.elapsed().as_secs() < 5);
}

#[tokio::test]
async fn passwords_that_differ_after_seventy_characters_are_different() {
    let house = House::open().await;
    let tenant = house.tenant("acme", "ada@example.org").await;
    let link = house.owner_link(tenant).await.unwrap();
    let long = format!("{PASSWORD} {}", "violet lantern ".repeat(5));
    house
        .set_up(&link, "ada@example.org", &format!("{long}a"))
        .await
        .assert_ok();
    let try_with = |password: String| {
        house.post(
            "/api/v1/auth/login",
            json!({"email": "ada@example.org", "password": password}),
        )
    };
    try_with(format!("{long}b"))
        .await
        .assert_failed(StatusCode::UNAUTHORIZED, "INVALID_CREDENTIALS");
    try_with(format!("{long}a")).await.assert_ok();
}

#[tokio::test]
async fn who_belongs_to_two_tenants_has_to_name_one() {
    let house = House::open().await;
    let acme = house.tenant_with_owner("acme", "ada@example.org").await;
    assert_eq!(
        Tokens::of(house.log_in("ada@example.org").await)
            .caller()
            .tenant(),
        Some(acme)
    );

    let rival = house.tenant("rival", "ada@example.org").await;
    house
        .log_in("ada@example.org")
        .await
        .assert_failed(StatusCode::CONFLICT, "TENANT_REQUIRED");
    for (slug, tenant) in [("acme", acme), ("rival", rival)] {
        let caller = Tokens::of(house.log_in_at(slug, "ada@example.org").await).caller();
        assert_eq!((caller.tenant(), caller.role), (Some(tenant), SystemRole::Owner));
        let me = house
            .mounted
            .as_caller(&caller)
            .get("/api/v1/auth/me")
            .await
            .assert_ok()
            .value();
        assert_eq!(me["tenant_id"], json!(tenant));
        assert_eq!(me["session_id"], json!(caller.session));
    }
}

#[tokio::test]
async fn the_host_names_the_tenant_and_a_slug_must_agree_with_it() {
    let house = House::open().await;
    let acme = house.tenant_with_owner("acme", "ada@example.org").await;
    house.tenant("rival", "ada@example.org").await;
    let at_acme = async |body: Value| {
        let request = Request::post("/api/v1/auth/login")
            .header("content-type", "application/json")
            .extension(HostTenant {
                tenant_id: acme,
                slug: "acme".to_owned(),
            })
            .body(Body::from(body.to_string()))
            .unwrap();
        house.mounted.anonymous().send(request).await
    };
    let body = json!({"email": "ada@example.org", "password": PASSWORD});
    assert_eq!(Tokens::of(at_acme(body).await).caller().tenant(), Some(acme));
    let body = json!({"email": "ada@example.org", "password": PASSWORD, "tenant": "rival"});
    at_acme(body)
        .await
        .assert_failed(StatusCode::UNAUTHORIZED, "INVALID_CREDENTIALS");
}

#[tokio::test]
async fn nobody_enters_a_suspended_tenant() {
    let house = House::open().await;
    house.tenant_with_owner("acme", "ada@example.org").await;
    let tokens = Tokens::of(house.log_in("ada@example.org").await);
    house.know_tenant("acme", "suspended");
    house
        .log_in("ada@example.org")
        .await
        .assert_failed(StatusCode::FORBIDDEN, "TENANT_SUSPENDED");
    house
        .log_in_at("acme", "ada@example.org")
        .await
        .assert_failed(StatusCode::FORBIDDEN, "TENANT_SUSPENDED");
    house
        .refresh(&tokens.refresh)
        .await
        .assert_failed(StatusCode::FORBIDDEN, "TENANT_SUSPENDED");
    // The refresh token was not used up.
    house.know_tenant("acme", "active");
    Tokens::of(house.refresh(&tokens.refresh).await);
}

#[tokio::test]
async fn logout_ends_the_session_at_once_and_only_this_one() {
    let house = House::open().await;
    house.tenant_with_owner("acme", "ada@example.org").await;
    let here = Tokens::of(house.log_in("ada@example.org").await);
    let there = Tokens::of(house.log_in("ada@example.org").await);
    assert!(house.stands(&here.caller()).await);

    let reply = house
        .mounted
        .as_caller(&here.caller())
        .post("/api/v1/auth/logout", &json!({}))
        .await;
    reply.assert_status(StatusCode::NO_CONTENT);
    assert!(!house.stands(&here.caller()).await);
    house
        .refresh(&here.refresh)
        .await
        .assert_failed(StatusCode::UNAUTHORIZED, "INVALID_REFRESH_TOKEN");
    assert!(house.stands(&there.caller()).await);
    Tokens::of(house.refresh(&there.refresh).await);
}

#[tokio::test]
async fn a_disabled_account_or_membership_ends_its_sessions() {
    for change in [
        "UPDATE identity.users SET status = 'disabled'",
        "UPDATE identity.memberships SET status = 'disabled'",
    ] {
        let house = House::open().await;
        house.tenant_with_owner("acme", "ada@example.org").await;
        let tokens = Tokens::of(house.log_in("ada@example.org").await);
        house.database.admin().await.batch_execute(change).await.unwrap();
        assert!(!house.stands(&tokens.caller()).await, "{change}");
        house
            .refresh(&tokens.refresh)
            .await
            .assert_failed(StatusCode::UNAUTHORIZED, "INVALID_REFRESH_TOKEN");
        house
            .log_in_at("acme", "ada@example.org")
            .await
            .assert_failed(StatusCode::UNAUTHORIZED, "INVALID_CREDENTIALS");
        let me = house
            .mounted
            .as_caller(&tokens.caller())
            .get("/api/v1/auth/me")
            .await;
        me.assert_failed(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED");
    }
}

#[tokio::test]
async fn a_session_does_not_stand_for_another_user_or_tenant() {
    let house = House::open().await;
    house.tenant_with_owner("acme", "ada@example.org").await;
    let rival = house.tenant_with_owner("rival", "bob@example.org").await;
    let caller = Tokens::of(house.log_in("ada@example.org").await).caller();
    let mut elsewhere = caller.clone();
    elsewhere.scope = Some(rival);
    let mut nowhere = caller.clone();
    nowhere.scope = None;
    let mut somebody = caller.clone();
    somebody.subject = callers::member(rival).subject;
    for forged in [elsewhere, nowhere, somebody] {
        assert!(!house.stands(&forged).await);
    }
    house.time.advance(chrono::TimeDelta::days(31));
    assert!(!house.stands(&caller).await, "past the absolute expiry");
}

#[tokio::test]
async fn me_is_one_round_trip() {
    let house = House::open().await;
    house.tenant_with_owner("acme", "ada@example.org").await;
    house.administrator("root@example.org").await;
    let owner = Tokens::of(house.log_in_at("acme", "ada@example.org").await).caller();
    let administrator = Tokens::of(house.log_in("root@example.org").await).caller();

    let proxy = RoundTrips::to(&house.database).await;
    let mounted = Mounted::new(house.another(proxy.of(IDENTITY)).http(Permit::none()));
    for caller in [owner, administrator] {
        mounted
            .as_caller(&caller)
            .get("/api/v1/auth/me")
            .await
            .assert_ok();
        proxy.take();
        mounted
            .as_caller(&caller)
            .get("/api/v1/auth/me")
            .await
            .assert_ok();
        assert_eq!(proxy.take(), 1);
    }
}

#[tokio::test]
async fn strangers_know_neither_me_nor_logout() {
    let house = House::open().await;
    house
        .mounted
        .anonymous()
        .get("/api/v1/auth/me")
        .await
        .assert_status(StatusCode::UNAUTHORIZED);
    house
        .post("/api/v1/auth/logout", json!({}))
        .await
        .assert_status(StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_login_renews_a_hash_of_weaker_settings() {
    let house = House::open().await;
    house.tenant_with_owner("acme", "ada@example.org").await;
    let config = IdentityConfig {
        password: PasswordConfig {
            passes: 3,
            ..PasswordConfig::default()
        },
        ..IdentityConfig::default()
    };
    let (database, clock) = (house.database.of(IDENTITY), house.clock.clone());
    let stronger = Identity::new(config, database, &house.directory, clock, house.ring.clone());
    let mounted = Mounted::new(stronger.http(Permit::none()));
    let body = json!({"email": "ada@example.org", "password": PASSWORD});
    mounted
        .anonymous()
        .post("/api/v1/auth/login", &body)
        .await
        .assert_ok();
    let renewed =
        "SELECT count(*) FROM identity.credentials WHERE phc LIKE '$argon2id$v=19$m=19456,t=3,p=1$%'";
    assert_eq!(house.count(renewed).await, 1);
    Tokens::of(house.log_in("ada@example.org").await);
}

#[tokio::test]
async fn a_flood_of_logins_is_turned_away_not_queued_without_end() {
    let config = IdentityConfig {
        password: PasswordConfig {
            at_once: 1,
            queue: 2,
            ..PasswordConfig::default()
        },
        throttle: unhurried(),
        ..IdentityConfig::default()
    };
    let house = House::with(config).await;
    let body = json!({"email": "nobody@example.org", "password": "whatever it may be"});
    let replies = join_all((0..40).map(|_| house.post("/api/v1/auth/login", body.clone()))).await;
    let busy = replies
        .iter()
        .filter(|reply| reply.status == StatusCode::SERVICE_UNAVAILABLE)
        .count();
    assert!(busy > 0 && busy < replies.len(), "{busy} of {}", replies.len());
    for reply in replies {
        match reply.status {
            StatusCode::SERVICE_UNAVAILABLE => assert!(reply.headers.contains_key("retry-after")),
            _ => drop(reply.assert_failed(StatusCode::UNAUTHORIZED, "INVALID_CREDENTIALS")),
        }
    }
}

#[tokio::test]
async fn strangers_cannot_make_us_hold_long_bodies() {
    let house = House::open().await;
    for verb in ["login", "register", "refresh", "setup"] {
        let path = format!("/api/v1/auth/{verb}");
        let reply = house.post(&path, json!({"password": "x".repeat(17 << 10)})).await;
        reply.assert_failed(StatusCode::PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE");
        let reply = house.post(&path, json!({"password": "x".repeat(15 << 10)})).await;
        reply.assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_BODY");
    }
}

#[tokio::test]
async fn who_is_disabled_while_they_log_in_has_no_session() {
    let house = House::open().await;
    house.tenant_with_owner("acme", "ada@example.org").await;
    let mut admin = house.database.admin().await;
    let disabling = admin.transaction().await.unwrap();
    let disable = "UPDATE identity.memberships SET status = 'disabled'";
    disabling.execute(disable, &[]).await.unwrap();
    // As it was before, the membership is found; then the login waits for what becomes of it.
    let disabled = async {
        let waiting = "SELECT count(*) FROM pg_stat_activity
                        WHERE datname = current_database() AND wait_event_type = 'Lock'";
        eventually(Duration::from_secs(20), || async {
            house.count(waiting).await > 0
        })
        .await;
        disabling.commit().await.unwrap();
    };
    let (login, ()) = tokio::join!(house.log_in("ada@example.org"), disabled);
    login.assert_failed(StatusCode::UNAUTHORIZED, "INVALID_CREDENTIALS");
    assert_eq!(house.count("SELECT count(*) FROM identity.sessions").await, 0);
}
