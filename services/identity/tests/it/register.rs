use http::StatusCode;
use plaza_identity::IdentityConfig;
use plaza_kernel::SystemRole;
use serde_json::json;

use crate::house::{House, PASSWORD, Tokens, open_house, unhurried};

#[tokio::test]
async fn who_registers_at_a_tenant_becomes_a_member_and_logs_in() {
    let house = House::open().await;
    let tenant = house.tenant_with_owner("acme", "ada@example.org").await;
    let body = json!({"email": "Max@example.org", "password": PASSWORD, "name": "Max", "tenant": "acme"});
    let reply = house
        .post("/api/v1/auth/register", body)
        .await
        .assert_status(StatusCode::ACCEPTED);
    assert_eq!(reply.value(), json!({"status": "accepted"}));
    let said = house.said().await;
    assert_eq!(said.len(), 1);
    assert_eq!(said[0].0, "user.registered");
    assert_eq!(
        (&said[0].1["email"], &said[0].1["role"]),
        (&json!("Max@example.org"), &json!("member"))
    );
    let caller = Tokens::of(house.log_in("max@example.org").await).caller();
    assert_eq!((caller.role, caller.tenant()), (SystemRole::Member, Some(tenant)));
}

#[tokio::test]
async fn without_its_event_nobody_is_registered() {
    let house = House::open().await;
    house.tenant_with_owner("acme", "ada@example.org").await;
    let admin = house.database.admin().await;
    // What is in it by now may stay.
    let full = "ALTER TABLE identity.outbox ADD CONSTRAINT full_up CHECK (false) NOT VALID";
    admin.batch_execute(full).await.unwrap();
    let body = json!({"email": "max@example.org", "password": PASSWORD, "tenant": "acme"});
    let refused = house.post("/api/v1/auth/register", body.clone()).await;
    assert!(refused.status.is_server_error(), "{}", refused.status);
    let members = "SELECT count(*) FROM identity.memberships";
    let users = "SELECT count(*) FROM identity.users";
    assert_eq!((house.count(members).await, house.count(users).await), (1, 1));

    let emptied = "ALTER TABLE identity.outbox DROP CONSTRAINT full_up";
    admin.batch_execute(emptied).await.unwrap();
    let taken = house.post("/api/v1/auth/register", body).await;
    taken.assert_status(StatusCode::ACCEPTED);
    assert_eq!(house.count(members).await, 2);
}

#[tokio::test]
async fn a_known_address_answers_alike_and_is_not_changed() {
    let house = House::open().await;
    house.tenant_with_owner("acme", "ada@example.org").await;
    house.tenant_with_owner("rival", "bob@example.org").await;
    let body =
        |email: &str| json!({"email": email, "password": "a password of eve's own 66", "tenant": "rival"});
    let known = house.post("/api/v1/auth/register", body("ADA@example.org")).await;
    let unknown = house.post("/api/v1/auth/register", body("new@example.org")).await;
    assert_eq!((known.status, &known.body), (unknown.status, &unknown.body));
    assert_eq!(house.count("SELECT count(*) FROM identity.memberships").await, 3);
    let eve = json!({"email": "ada@example.org", "password": "a password of eve's own 66"});
    house
        .post("/api/v1/auth/login", eve)
        .await
        .assert_failed(StatusCode::UNAUTHORIZED, "INVALID_CREDENTIALS");
    Tokens::of(house.log_in_at("acme", "ada@example.org").await);
}

#[tokio::test]
async fn without_a_tenant_an_account_belongs_nowhere() {
    let house = House::open().await;
    let body = json!({"email": "max@example.org", "password": PASSWORD});
    house
        .post("/api/v1/auth/register", body)
        .await
        .assert_status(StatusCode::ACCEPTED);
    assert!(house.said().await.is_empty());
    house
        .log_in("max@example.org")
        .await
        .assert_failed(StatusCode::CONFLICT, "TENANT_REQUIRED");
}

#[tokio::test]
async fn nobody_makes_themselves_more_than_a_member() {
    let house = House::open().await;
    house.know_tenant("acme", "active");
    for (name, value) in [
        ("role", json!("owner")),
        ("verified_at", json!("2026-01-01")),
        ("status", json!("active")),
    ] {
        let mut body = json!({"email": "max@example.org", "password": PASSWORD, "tenant": "acme"});
        body[name] = value;
        house
            .post("/api/v1/auth/register", body)
            .await
            .assert_status(StatusCode::UNPROCESSABLE_ENTITY);
    }
    assert_eq!(house.count("SELECT count(*) FROM identity.users").await, 0);
}

#[tokio::test]
async fn tenants_that_are_not_there_or_not_open_are_not_joined() {
    let house = House::open().await;
    house.know_tenant("sleepy", "suspended");
    let body = |tenant: &str| json!({"email": "max@example.org", "password": PASSWORD, "tenant": tenant});
    let reply = house.post("/api/v1/auth/register", body("nowhere")).await;
    reply.assert_failed(StatusCode::NOT_FOUND, "TENANT_NOT_FOUND");
    let reply = house.post("/api/v1/auth/register", body("sleepy")).await;
    reply.assert_failed(StatusCode::FORBIDDEN, "TENANT_SUSPENDED");
}

#[tokio::test]
async fn registration_is_closed_unless_somebody_opened_it() {
    let house = House::with(IdentityConfig::default()).await;
    house.know_tenant("acme", "active");
    for body in [
        json!({"email": "max@example.org", "password": PASSWORD}),
        json!({"email": "max@example.org", "password": PASSWORD, "tenant": "acme"}),
    ] {
        house
            .post("/api/v1/auth/register", body)
            .await
            .assert_failed(StatusCode::FORBIDDEN, "REGISTRATION_CLOSED");
    }
    assert_eq!(house.count("SELECT count(*) FROM identity.users").await, 0);
}

/// Loose enough for a busy machine; an account looked up without hashing would be an order of magnitude off.
#[tokio::test]
async fn known_and_unknown_addresses_take_the_same_time() {
    let house = House::with(IdentityConfig {
        throttle: unhurried(),
        ..open_house()
    })
    .await;
    house.tenant_with_owner("acme", "ada@example.org").await;
    for path in ["/api/v1/auth/login", "/api/v1/auth/register"] {
        let (mut known, mut unknown) = (Vec::new(), Vec::new());
        for round in 0..60 {
            let stranger = format!("n{round}@example.org");
            let mut pair = [("ada@example.org", &mut known), (stranger.as_str(), &mut unknown)];
            // Whatever comes first finds another machine than what comes second.
            if round % 2 == 1 {
                pair.reverse();
            }
            for (email, times) in pair {
                let began = std::time::Instant::now();
                house
                    .post(
                        path,
                        json!({"email": email, "password": "violet ember 12 lanterns"}),
                    )
                    .await;
                times.push(began.elapsed());
            }
        }
        known.sort();
        unknown.sort();
        // The lower quartile: what else the machine does only ever adds to a time.
        let ratio = known[15].as_secs_f64() / unknown[15].as_secs_f64();
        assert!(
            (0.67..1.5).contains(&ratio),
            "{path}: {:?} and {:?}",
            known[15],
            unknown[15]
        );
    }
}
