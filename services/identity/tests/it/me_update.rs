//! What people say of themselves, and their passwords.

use http::{Method, Request, StatusCode, header};
use plaza_testkit::Reply;
use serde_json::{Value, json};

use crate::house::{House, PASSWORD, Tokens};

const NEW: &str = "amber quarry 9 kestrels";
const ADA: &str = "ada@example.org";
const ME: &str = "/api/v1/auth/me";

async fn logged_in() -> (House, Tokens) {
    let house = House::open().await;
    house.tenant_with_owner("acme", ADA).await;
    let tokens = Tokens::of(house.log_in(ADA).await);
    (house, tokens)
}

async fn put_if(house: &House, tokens: &Tokens, tag: &str, body: Value) -> Reply {
    let request = Request::builder()
        .method(Method::PUT)
        .uri(ME)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::IF_MATCH, tag)
        .body(axum::body::Body::from(body.to_string()))
        .unwrap();
    house.mounted.as_caller(&tokens.caller()).send(request).await
}

async fn change(house: &House, tokens: &Tokens, current: &str, new: &str) -> Reply {
    let body = json!({"current_password": current, "new_password": new});
    let client = house.mounted.as_caller(&tokens.caller());
    client.post("/api/v1/auth/me/password", &body).await
}

#[tokio::test]
async fn people_say_who_they_are_and_take_it_back() {
    let (house, tokens) = logged_in().await;
    let ada = house.mounted.as_caller(&tokens.caller());
    let before = ada.get(ME).await.assert_ok();
    assert_eq!(before.headers[header::ETAG], "\"v1\"");
    let body = json!({"name": " Ada ", "locale": "pt-BR", "timezone": "America/Sao_Paulo"});
    let said = ada.put(ME, &body).await.assert_ok();
    assert_eq!(said.headers[header::ETAG], "\"v2\"");
    let me = said.value();
    assert_eq!(
        (&me["name"], &me["locale"], &me["timezone"], &me["version"]),
        (
            &json!("Ada"),
            &json!("pt-BR"),
            &json!("America/Sao_Paulo"),
            &json!(2)
        )
    );
    assert_eq!(ada.get(ME).await.value(), me);
    let user = ada
        .get(&format!("/api/v1/auth/users/{}", me["user_id"].as_str().unwrap()))
        .await;
    assert_eq!(user.assert_ok().value()["timezone"], "America/Sao_Paulo");

    let me = ada.put(ME, &json!({"locale": ""})).await.assert_ok().value();
    assert_eq!((me.get("locale"), &me["name"]), (None, &json!("Ada")));
    for (body, code) in [
        (json!({"name": "a\u{7}b"}), "INVALID_NAME"),
        (json!({"locale": "deutsch"}), "INVALID_LOCALE"),
        (json!({"timezone": "Atlantis"}), "INVALID_TIMEZONE"),
    ] {
        ada.put(ME, &body)
            .await
            .assert_failed(StatusCode::UNPROCESSABLE_ENTITY, code);
    }
}

#[tokio::test]
async fn nobody_gives_themselves_a_role_a_tenant_or_a_proof() {
    let (house, tokens) = logged_in().await;
    let ada = house.mounted.as_caller(&tokens.caller());
    let before = ada.get(ME).await.value();
    for (name, value) in [
        ("role", json!("platform_admin")),
        ("tenant_id", json!(plaza_testkit::callers::tenant())),
        (
            "user_id",
            json!(plaza_testkit::callers::member(plaza_testkit::callers::tenant()).subject),
        ),
        ("email", json!("root@example.org")),
        ("email_verified", json!(true)),
        ("verified_at", json!("2026-01-01T00:00:00Z")),
        ("status", json!("active")),
        ("epoch", json!(0)),
        ("version", json!(99)),
        ("password", json!(NEW)),
    ] {
        let mut body = json!({"name": "Eve"});
        body[name] = value;
        ada.put(ME, &body)
            .await
            .assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_BODY");
    }
    assert_eq!(ada.get(ME).await.value(), before);
}

#[tokio::test]
async fn a_change_of_what_was_changed_meanwhile_is_refused() {
    let (house, tokens) = logged_in().await;
    put_if(&house, &tokens, "\"v1\"", json!({"name": "One"}))
        .await
        .assert_ok();
    put_if(&house, &tokens, "\"v1\"", json!({"name": "Two"}))
        .await
        .assert_failed(StatusCode::PRECONDITION_FAILED, "VERSION_MISMATCH");
    let me = put_if(&house, &tokens, "*", json!({"timezone": "UTC"}))
        .await
        .assert_ok();
    assert_eq!(
        (&me.value()["name"], &me.value()["version"]),
        (&json!("One"), &json!(3))
    );
}

#[tokio::test]
async fn what_is_said_in_one_tenant_is_not_said_in_another() {
    let (house, tokens) = logged_in().await;
    house.tenant("rival", ADA).await;
    let ada = house.mounted.as_caller(&tokens.caller());
    ada.put(ME, &json!({"name": "The boss"})).await.assert_ok();
    let there = Tokens::of(house.log_in_at("rival", ADA).await).caller();
    let me = house.mounted.as_caller(&there).get(ME).await.assert_ok().value();
    assert_eq!((&me["name"], &me["version"]), (&json!(""), &json!(1)));
}

#[tokio::test]
async fn who_runs_the_platform_says_who_they_are_too() {
    let house = House::open().await;
    house.administrator("root@example.org").await;
    let root = Tokens::of(house.log_in("root@example.org").await);
    let body = json!({"name": "Root", "locale": "en"});
    let client = house.mounted.as_caller(&root.caller());
    let me = client.put(ME, &body).await.assert_ok().value();
    assert_eq!(
        (&me["name"], &me["role"]),
        (&json!("Root"), &json!("platform_admin"))
    );
    change(&house, &root, PASSWORD, NEW)
        .await
        .assert_status(StatusCode::NO_CONTENT);
    assert!(house.stands(&root.caller()).await);
    Tokens::of(house.log_in_with("root@example.org", NEW).await);
}

#[tokio::test]
async fn who_has_no_access_any_more_says_nothing() {
    let (house, tokens) = logged_in().await;
    let disable = "UPDATE identity.memberships SET status = 'disabled'";
    house.database.admin().await.batch_execute(disable).await.unwrap();
    house
        .mounted
        .as_caller(&tokens.caller())
        .put(ME, &json!({"name": "Ada"}))
        .await
        .assert_failed(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED");
    house
        .mounted
        .anonymous()
        .put(ME, &json!({"name": "Ada"}))
        .await
        .assert_status(StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_changed_password_ends_every_other_session() {
    let (house, here) = logged_in().await;
    house.tenant("rival", ADA).await;
    let there = Tokens::of(house.log_in_at("acme", ADA).await);
    let elsewhere = Tokens::of(house.log_in_at("rival", ADA).await);
    change(&house, &here, PASSWORD, NEW)
        .await
        .assert_status(StatusCode::NO_CONTENT);
    assert!(house.stands(&here.caller()).await);
    Tokens::of(house.refresh(&here.refresh).await);
    for ended in [&there, &elsewhere] {
        assert!(!house.stands(&ended.caller()).await);
        house
            .refresh(&ended.refresh)
            .await
            .assert_failed(StatusCode::UNAUTHORIZED, "INVALID_REFRESH_TOKEN");
    }
    house
        .log_in_at("acme", ADA)
        .await
        .assert_failed(StatusCode::UNAUTHORIZED, "INVALID_CREDENTIALS");
    let mails = house.mails().await;
    assert_eq!(
        (
            mails.len(),
            mails[0].template.as_str(),
            mails[0].recipient.as_str()
        ),
        (1, "password_changed", ADA)
    );
}

#[tokio::test]
async fn nobody_changes_a_password_without_knowing_it() {
    let (house, tokens) = logged_in().await;
    for wrong in ["", "wrong", NEW, &"x".repeat(15_000)] {
        change(&house, &tokens, wrong, NEW)
            .await
            .assert_failed(StatusCode::FORBIDDEN, "WRONG_PASSWORD");
    }
    let ada = house.mounted.as_caller(&tokens.caller());
    for body in [
        json!({"new_password": NEW}),
        json!({"new_password": NEW, "current_password": null}),
        json!({"new_password": NEW, "current_password": PASSWORD, "user_id": tokens.caller().subject}),
    ] {
        let reply = ada.post("/api/v1/auth/me/password", &body).await;
        reply.assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_BODY");
    }
    for (weak, code) in [
        ("short", "PASSWORD_TOO_SHORT"),
        ("password1", "PASSWORD_TOO_WEAK"),
        (&"x".repeat(129), "PASSWORD_TOO_LONG"),
    ] {
        let reply = change(&house, &tokens, PASSWORD, weak).await;
        let problem = reply
            .assert_failed(StatusCode::UNPROCESSABLE_ENTITY, code)
            .value();
        assert_eq!(problem["errors"][0]["pointer"], "/new_password");
    }
    Tokens::of(house.log_in(ADA).await);
}

#[tokio::test]
async fn the_present_password_is_tried_a_few_times_an_hour() {
    let (house, tokens) = logged_in().await;
    for _ in 0..10 {
        change(&house, &tokens, "wrong", NEW)
            .await
            .assert_failed(StatusCode::FORBIDDEN, "WRONG_PASSWORD");
    }
    change(&house, &tokens, PASSWORD, NEW)
        .await
        .assert_failed(StatusCode::TOO_MANY_REQUESTS, "THROTTLED");
    // Only whoever is logged in is slowed down; a login is another matter.
    Tokens::of(house.log_in(ADA).await);
}

#[tokio::test]
async fn a_link_to_a_new_password_ends_when_the_password_is_changed() {
    let (house, tokens) = logged_in().await;
    let token = house.forgot(ADA).await;
    change(&house, &tokens, PASSWORD, NEW)
        .await
        .assert_status(StatusCode::NO_CONTENT);
    house
        .reset(&token, "cobalt meadow 5 herons")
        .await
        .assert_failed(StatusCode::BAD_REQUEST, "TOKEN_USED");
    Tokens::of(house.log_in_with(ADA, NEW).await);
}
