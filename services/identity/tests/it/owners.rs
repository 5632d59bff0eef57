use std::sync::{Arc, Mutex};

use chrono::TimeDelta;
use http::StatusCode;
use plaza_contracts::events::{OwnerProvisioned, UserRegistered};
use plaza_contracts::services::IDENTITY;
use plaza_database::TenantTx;
use plaza_kernel::SystemRole;
use plaza_messaging::{Consumer, Unconsumed};
use plaza_testkit::settle;
use serde_json::json;

use crate::house::{House, PASSWORD, Tokens};

/// Listens, and remembers.
#[derive(Clone)]
struct Heard<E>(Arc<Mutex<Vec<E>>>);

impl<E> Default for Heard<E> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl Consumer for Heard<UserRegistered> {
    type Event = UserRegistered;
    const NAME: &'static str = "identity.test_heard_registered";

    async fn consume(&self, _: &TenantTx, event: &UserRegistered) -> Result<(), Unconsumed> {
        self.0.lock().unwrap().push(event.clone());
        Ok(())
    }
}

impl Consumer for Heard<OwnerProvisioned> {
    type Event = OwnerProvisioned;
    const NAME: &'static str = "identity.test_heard_provisioned";

    async fn consume(&self, _: &TenantTx, event: &OwnerProvisioned) -> Result<(), Unconsumed> {
        self.0.lock().unwrap().push(event.clone());
        Ok(())
    }
}

#[tokio::test]
async fn an_owner_sets_the_first_password_with_the_link_and_logs_in() {
    let house = House::open().await;
    let tenant = house.know_tenant("acme", "provisioning");
    assert!(house.owner_link(tenant).await.unwrap_err().is("OWNER_PENDING"));

    house.tenant("acme", "Ada@Example.org").await;
    let link = house.owner_link(tenant).await.unwrap();
    let other = house.set_up(&link, "eve@example.org", PASSWORD).await;
    other.assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "SETUP_EMAIL_MISMATCH");
    let body = house
        .set_up(&link, "ada@example.org", PASSWORD)
        .await
        .assert_ok()
        .value();
    assert_eq!(
        (body["role"].as_str(), &body["tenant_id"]),
        (Some("owner"), &json!(tenant))
    );

    let caller = Tokens::of(house.log_in("ada@example.org").await).caller();
    assert_eq!((caller.role, caller.tenant()), (SystemRole::Owner, Some(tenant)));
    house
        .set_up(&link, "ada@example.org", PASSWORD)
        .await
        .assert_failed(StatusCode::BAD_REQUEST, "SETUP_LINK_INVALID");
    assert!(
        house
            .owner_link(tenant)
            .await
            .unwrap_err()
            .is("OWNER_ALREADY_SET")
    );
}

#[tokio::test]
async fn a_new_link_ends_the_old_one_and_each_ends_after_three_days() {
    let house = House::open().await;
    let tenant = house.tenant("acme", "ada@example.org").await;
    let old = house.owner_link(tenant).await.unwrap();
    let new = house.owner_link(tenant).await.unwrap();
    house
        .set_up(&old, "ada@example.org", PASSWORD)
        .await
        .assert_failed(StatusCode::BAD_REQUEST, "SETUP_LINK_INVALID");
    house.time.advance(TimeDelta::hours(72));
    house
        .set_up(&new, "ada@example.org", PASSWORD)
        .await
        .assert_failed(StatusCode::BAD_REQUEST, "SETUP_LINK_INVALID");
    let third = house.owner_link(tenant).await.unwrap();
    house
        .set_up(&third, "ada@example.org", PASSWORD)
        .await
        .assert_ok();
}

#[tokio::test]
async fn two_parallel_uses_of_an_owners_link_have_one_winner() {
    let house = House::open().await;
    let tenant = house.tenant("acme", "ada@example.org").await;
    let link = house.owner_link(tenant).await.unwrap();
    let (one, other) = tokio::join!(
        house.set_up(&link, "ada@example.org", PASSWORD),
        house.set_up(&link, "ada@example.org", "another good pass phrase 9"),
    );
    assert_ne!(
        one.status.is_success(),
        other.status.is_success(),
        "{one}\n{other}"
    );
}

#[tokio::test]
async fn the_event_makes_the_owner_exactly_once() {
    let house = House::open().await;
    let tenant = house.know_tenant("acme", "provisioning");
    house.announce(tenant, "acme", "ada@example.org").await;
    let admin = house.database.admin().await;
    admin
        .batch_execute("CREATE TABLE kept AS SELECT * FROM identity.outbox")
        .await
        .unwrap();
    house.settle().await;
    // The same event again, as after a crash between publishing and forgetting: with the same id.
    let again =
        "INSERT INTO identity.outbox (event_id, tenant_id, key, name, version, source, payload, created_at)
                 SELECT event_id, tenant_id, key, name, version, source, payload, created_at FROM kept";
    admin.batch_execute(again).await.unwrap();
    house.settle().await;
    assert_eq!(house.count("SELECT count(*) FROM identity.users").await, 1);
    assert_eq!(house.count("SELECT count(*) FROM identity.memberships").await, 1);
    assert_eq!(house.count("SELECT count(*) FROM identity.inbox").await, 1);
    house.database.assert_nothing_unhandled().await;
}

#[tokio::test]
async fn a_provisioned_owner_is_announced() {
    let house = House::open().await;
    let tenant = house.know_tenant("acme", "provisioning");
    let (registered, provisioned) = (
        Heard::<UserRegistered>::default(),
        Heard::<OwnerProvisioned>::default(),
    );
    house.announce(tenant, "acme", "Ada@example.org").await;
    let subscriptions = house
        .identity
        .subscriptions()
        .with(registered.clone())
        .with(provisioned.clone());
    settle([(house.database.of(IDENTITY), subscriptions)]).await;

    let (registered, provisioned) = (registered.0.lock().unwrap(), provisioned.0.lock().unwrap());
    let [registered] = &registered[..] else {
        panic!("{registered:?}")
    };
    assert_eq!(
        (registered.email.as_str(), registered.role),
        ("Ada@example.org", SystemRole::Owner)
    );
    assert_eq!(
        provisioned[..],
        [OwnerProvisioned {
            tenant_id: tenant,
            user_id: registered.user_id
        }]
    );
}

#[tokio::test]
async fn who_registered_an_address_beforehand_does_not_become_owner_by_it() {
    let house = House::open().await;
    house.tenant_with_owner("lair", "eve@example.org").await;
    let body = json!({"email": "ada@example.org", "password": "the password of eve 666", "tenant": "lair"});
    house
        .post("/api/v1/auth/register", body)
        .await
        .assert_status(StatusCode::ACCEPTED);
    let eves = json!({"email": "ada@example.org", "password": "the password of eve 666"});
    let session = Tokens::of(house.post("/api/v1/auth/login", eves).await);

    let tenant = house.tenant("acme", "ada@example.org").await;
    let eves = json!({"email": "ada@example.org", "password": "the password of eve 666", "tenant": "acme"});
    let refused = house.post("/api/v1/auth/login", eves).await;
    refused.assert_failed(StatusCode::UNAUTHORIZED, "INVALID_CREDENTIALS");

    let link = house.owner_link(tenant).await.unwrap();
    house.set_up(&link, "ada@example.org", PASSWORD).await.assert_ok();
    assert!(
        !house.stands(&session.caller()).await,
        "what was there before has ended"
    );
    let eves = json!({"email": "ada@example.org", "password": "the password of eve 666", "tenant": "lair"});
    house
        .post("/api/v1/auth/login", eves)
        .await
        .assert_failed(StatusCode::UNAUTHORIZED, "INVALID_CREDENTIALS");
    Tokens::of(house.log_in_at("acme", "ada@example.org").await);
}

#[tokio::test]
async fn an_invitation_of_another_tenant_does_not_open_the_owners_door() {
    let house = House::open().await;
    house.tenant_with_owner("lair", "eve@example.org").await;
    let eve = Tokens::of(house.log_in("eve@example.org").await).caller();
    let tenant = house.tenant("acme", "ada@example.org").await;
    let invite = house
        .mounted
        .as_caller(&eve)
        .post("/api/v1/auth/users", &json!({"email": "ada@example.org"}))
        .await;
    let token = invite.assert_status(StatusCode::CREATED).value()["token"]
        .as_str()
        .unwrap()
        .to_owned();
    house
        .set_up(&token, "ada@example.org", "the password of eve 666")
        .await
        .assert_ok();
    let eves = json!({"email": "ada@example.org", "password": "the password of eve 666", "tenant": "acme"});
    house
        .post("/api/v1/auth/login", eves)
        .await
        .assert_failed(StatusCode::UNAUTHORIZED, "INVALID_CREDENTIALS");

    let link = house.owner_link(tenant).await.unwrap();
    house.set_up(&link, "ada@example.org", PASSWORD).await.assert_ok();
    Tokens::of(house.log_in_at("acme", "ada@example.org").await);
}

#[tokio::test]
async fn an_owner_of_two_tenants_keeps_one_password() {
    let house = House::open().await;
    house.tenant_with_owner("acme", "ada@example.org").await;
    let rival = house.tenant("rival", "ada@example.org").await;
    assert!(house.owner_link(rival).await.unwrap_err().is("OWNER_ALREADY_SET"));
    Tokens::of(house.log_in_at("rival", "ada@example.org").await);
}

#[tokio::test]
async fn an_event_without_a_usable_address_is_a_dead_letter_at_once() {
    let house = House::open().await;
    let tenant = house.know_tenant("acme", "provisioning");
    house.announce(tenant, "acme", "not an address").await;
    house.settle().await;
    assert_eq!(house.count("SELECT count(*) FROM identity.dead_letters").await, 1);
    assert_eq!(house.count("SELECT count(*) FROM identity.users").await, 0);
}

#[tokio::test]
async fn a_tenant_that_has_an_owner_gets_no_second_one_by_an_event() {
    let house = House::open().await;
    house.tenant_with_owner("lair", "eve@example.org").await;
    let acme = house.tenant_with_owner("acme", "ada@example.org").await;
    // Somebody at the broker says it of a tenant that exists, for an account that the platform vouches for …
    house.announce(acme, "acme", "eve@example.org").await;
    // … and for one that does not exist yet.
    house.announce(acme, "acme", "mallory@example.org").await;
    let disable = "UPDATE identity.memberships SET status = 'disabled' WHERE email_norm = 'ada@example.org'";
    house.settle().await;
    house.database.admin().await.batch_execute(disable).await.unwrap();
    house.announce(acme, "acme", "eve@example.org").await;
    house.settle().await;

    assert_eq!(house.count("SELECT count(*) FROM identity.dead_letters").await, 3);
    assert_eq!(house.count("SELECT count(*) FROM identity.users").await, 2);
    assert_eq!(house.count("SELECT count(*) FROM identity.memberships").await, 2);
    house
        .log_in_at("acme", "eve@example.org")
        .await
        .assert_failed(StatusCode::UNAUTHORIZED, "INVALID_CREDENTIALS");
}

#[tokio::test]
async fn what_is_said_again_of_the_same_owner_changes_nothing() {
    let house = House::open().await;
    let acme = house.tenant_with_owner("acme", "ada@example.org").await;
    house.announce(acme, "acme", "Ada@Example.org").await;
    house.settle().await;
    assert_eq!(house.count("SELECT count(*) FROM identity.dead_letters").await, 0);
    assert_eq!(house.count("SELECT count(*) FROM identity.memberships").await, 1);
    Tokens::of(house.log_in_at("acme", "ada@example.org").await);
}
