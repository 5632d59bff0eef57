//! Users that another service adds.

use axum::body::Body;
use http::{Request, StatusCode};
use plaza_kernel::{Caller, SystemRole};
use plaza_testkit::{Reply, callers};
use plaza_web::InternalListener;
use serde_json::{Value, json};

use crate::house::{House, PASSWORD, Tokens};

const PATH: &str = "/api/v1/auth/internal/users";
const MAX: &str = "max@example.org";

fn request(body: &Value) -> Request<Body> {
    Request::post(PATH)
        .header("content-type", "application/json")
        .body(Body::from(body.to_string()))
        .unwrap()
}

/// As a service asks, on the internal listener.
async fn add(house: &House, body: Value) -> Reply {
    let mut request = request(&body);
    request.extensions_mut().insert(InternalListener);
    house.mounted.anonymous().send(request).await
}

#[tokio::test]
async fn a_service_adds_a_member_who_comes_in_by_a_link() {
    let house = House::open().await;
    let acme = house.tenant_with_owner("acme", "ada@example.org").await;
    let body = json!({"tenant_id": acme, "email": MAX, "name": "Max", "role": "member"});
    let first = add(&house, body.clone())
        .await
        .assert_status(StatusCode::CREATED)
        .value();
    let second = add(&house, body).await.assert_status(StatusCode::CREATED).value();
    assert_eq!(first["user_id"], second["user_id"]);
    let token = |reply: &Value| reply["token"].as_str().unwrap().to_owned();
    house
        .set_up(&token(&first), MAX, PASSWORD)
        .await
        .assert_failed(StatusCode::BAD_REQUEST, "SETUP_LINK_INVALID");
    house.set_up(&token(&second), MAX, PASSWORD).await.assert_ok();
    let caller = Tokens::of(house.log_in(MAX).await).caller();
    assert_eq!((caller.role, caller.tenant()), (SystemRole::Member, Some(acme)));
    let said = house.said().await;
    assert_eq!(said.len(), 1, "announced once");
    assert_eq!(
        (said[0].0.as_str(), &said[0].1["role"]),
        ("user.registered", &json!("member"))
    );
    let again = json!({"tenant_id": acme, "email": MAX, "role": "member"});
    add(&house, again)
        .await
        .assert_failed(StatusCode::CONFLICT, "USER_EXISTS");
}

#[tokio::test]
async fn an_owner_comes_in_by_a_link_unless_the_platform_vouches_for_the_address() {
    let house = House::open().await;
    let acme = house.tenant_with_owner("acme", "ada@example.org").await;
    let rival = house.know_tenant("rival", "active");
    let body = json!({"tenant_id": rival, "email": MAX, "role": "owner"});
    let link = add(&house, body).await.assert_status(StatusCode::CREATED).value();
    let token = link["token"].as_str().unwrap();
    assert!(link["expires_at"].is_string());
    house.set_up(token, MAX, PASSWORD).await.assert_ok();
    assert_eq!(
        Tokens::of(house.log_in(MAX).await).caller().role,
        SystemRole::Owner
    );

    let body = json!({"tenant_id": rival, "email": "ada@example.org", "role": "owner"});
    let known = add(&house, body).await.assert_status(StatusCode::CREATED).value();
    assert_eq!((known.get("token"), known.get("expires_at")), (None, None));
    let ada = Tokens::of(house.log_in_at("rival", "ada@example.org").await).caller();
    assert_eq!((ada.role, ada.tenant()), (SystemRole::Owner, Some(rival)));
    assert_ne!(acme, rival);
}

#[tokio::test]
async fn what_cannot_be_is_refused() {
    let house = House::open().await;
    let acme = house.tenant("acme", "ada@example.org").await;
    for body in [
        json!({"tenant_id": "", "email": MAX, "role": "member"}),
        json!({"tenant_id": "00000000-0000-0000-0000-000000000000", "email": MAX, "role": "member"}),
        json!({"email": MAX, "role": "member"}),
        json!({"tenant_id": null, "email": MAX, "role": "member"}),
        json!({"tenant_id": acme, "email": MAX}),
        json!({"tenant_id": acme, "email": MAX, "role": "platform_admin"}),
        json!({"tenant_id": acme, "email": MAX, "role": "Platform Admin"}),
        json!({"tenant_id": acme, "email": MAX, "role": "member", "status": "active"}),
        json!({"tenant_id": acme, "email": MAX, "role": "member", "password": PASSWORD}),
    ] {
        let reply = add(&house, body).await;
        reply.assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_BODY");
    }
    let body = json!({"tenant_id": acme, "email": "not an address", "role": "member"});
    add(&house, body)
        .await
        .assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_EMAIL");
    let body = json!({"tenant_id": callers::tenant(), "email": MAX, "role": "member"});
    add(&house, body)
        .await
        .assert_failed(StatusCode::NOT_FOUND, "TENANT_NOT_FOUND");
    assert_eq!(house.count("SELECT count(*) FROM identity.users").await, 1);
}

#[tokio::test]
async fn to_everybody_else_there_is_nothing_at_this_address() {
    let house = House::open().await;
    let acme = house.tenant_with_owner("acme", "ada@example.org").await;
    let body = json!({"tenant_id": acme, "email": MAX, "role": "owner"});
    let ada = Tokens::of(house.log_in("ada@example.org").await).caller();
    let root = callers::platform_admin();
    let people: [Option<&Caller>; 3] = [None, Some(&ada), Some(&root)];
    for person in people {
        let client = match person {
            Some(person) => house.mounted.as_caller(person),
            None => house.mounted.anonymous(),
        };
        let reply = client.send(request(&body)).await;
        reply.assert_failed(StatusCode::NOT_FOUND, "NOT_FOUND");
        // Nor for a person whose request got to the internal listener.
        if person.is_some() {
            let mut inside = request(&body);
            inside.extensions_mut().insert(InternalListener);
            let reply = client.send(inside).await;
            reply.assert_failed(StatusCode::NOT_FOUND, "NOT_FOUND");
        }
    }
    assert_eq!(house.count("SELECT count(*) FROM identity.memberships").await, 1);
}
