//! An invitation to somebody who has a password asks for it: no other way to try passwords than the login.

use http::StatusCode;
use plaza_audit::{AuditFilter, list};
use plaza_contracts::services::IDENTITY;
use plaza_identity::{IdentityConfig, ThrottleConfig};
use plaza_kernel::{PageQuery, Scope};
use plaza_testkit::Reply;
use serde_json::{Value, json};

use crate::house::{House, PASSWORD, Tokens, cheap, open_house, unhurried};

const ADA: &str = "ada@example.org";
const HERE: &str = "192.0.2.7";

/// Ada has a password; Eve owns another tenant, and asks her in. The house and the link.
async fn house(throttle: ThrottleConfig) -> (House, String) {
    let house = House::with(IdentityConfig {
        throttle,
        password: cheap(),
        ..open_house()
    })
    .await;
    house.tenant_with_owner("acme", ADA).await;
    house.tenant_with_owner("lair", "eve@example.org").await;
    let eve = Tokens::of(house.log_in("eve@example.org").await).caller();
    let client = house.mounted.as_caller(&eve);
    let invited = client.post("/api/v1/auth/users", &json!({"email": ADA})).await;
    let token = invited.assert_status(StatusCode::CREATED).value()["token"]
        .as_str()
        .unwrap()
        .to_owned();
    (house, token)
}

async fn set_up_from(house: &House, address: &str, token: &str, password: &str) -> Reply {
    let body = json!({"token": token, "email": ADA, "password": password});
    house.post_from(address, "/api/v1/auth/setup", body).await
}

async fn log_in_from(house: &House, address: &str) -> Reply {
    let body = json!({"email": ADA, "password": PASSWORD, "tenant": "acme"});
    house.post_from(address, "/api/v1/auth/login", body).await
}

#[track_caller]
fn wrong(reply: Reply) {
    reply.assert_failed(StatusCode::UNAUTHORIZED, "INVALID_CREDENTIALS");
}

/// The name of the limit.
#[track_caller]
fn throttled(reply: Reply) -> String {
    let policy = reply.headers["ratelimit-policy"].to_str().unwrap();
    let policy = policy.split('"').nth(1).unwrap().to_owned();
    assert!(reply.headers.contains_key("retry-after"));
    reply.assert_failed(StatusCode::TOO_MANY_REQUESTS, "THROTTLED");
    policy
}

#[tokio::test]
async fn guesses_with_an_invitation_count_as_those_of_a_login() {
    let (house, token) = house(ThrottleConfig {
        login_per_client: unhurried().login_per_client,
        ..ThrottleConfig::default()
    })
    .await;
    for _ in 0..5 {
        wrong(set_up_from(&house, HERE, &token, "wrong").await);
    }
    let refused = set_up_from(&house, HERE, &token, PASSWORD).await;
    assert_eq!(throttled(refused), "login-failures");
    assert_eq!(throttled(log_in_from(&house, HERE).await), "login-failures");

    let (database, all) = (house.database.of(IDENTITY), AuditFilter::default());
    let platform = list(&database, Scope::Platform, &all, PageQuery::default());
    let rows = platform.await.unwrap().items;
    let refused: Vec<Value> = rows
        .iter()
        .map(plaza_audit::AuditRow::to_json)
        .filter(|row| row["action"] == "links.use" && row["outcome"] == "denied")
        .collect();
    assert_eq!(refused.len(), 5);
    assert!(refused.iter().all(|row| row["actor"]["kind"] == "nobody"));

    let taken = set_up_from(&house, "198.51.100.1", &token, PASSWORD).await;
    taken.assert_ok();
}

#[tokio::test]
async fn the_right_password_is_forgiven_what_was_wrong_before() {
    let (house, token) = house(ThrottleConfig {
        login_per_client: unhurried().login_per_client,
        ..ThrottleConfig::default()
    })
    .await;
    for _ in 0..4 {
        wrong(set_up_from(&house, HERE, &token, "wrong").await);
    }
    set_up_from(&house, HERE, &token, PASSWORD).await.assert_ok();
    Tokens::of(log_in_from(&house, HERE).await);
}

#[tokio::test]
async fn one_client_tries_as_seldom_as_it_logs_in() {
    let (house, token) = house(ThrottleConfig {
        login_per_client: "2/h".parse().unwrap(),
        ..unhurried()
    })
    .await;
    for _ in 0..2 {
        wrong(set_up_from(&house, HERE, &token, "wrong").await);
    }
    assert_eq!(
        throttled(set_up_from(&house, HERE, &token, PASSWORD).await),
        "login"
    );
}

#[tokio::test]
async fn one_link_is_good_for_so_many_guesses_from_wherever() {
    let (house, token) = house(unhurried()).await;
    for network in 0..10 {
        wrong(set_up_from(&house, &format!("198.51.{network}.1"), &token, "wrong").await);
    }
    let refused = set_up_from(&house, HERE, &token, PASSWORD).await;
    assert_eq!(throttled(refused), "setup-link");
    Tokens::of(log_in_from(&house, HERE).await);
}
