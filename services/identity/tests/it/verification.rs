//! Addresses that are proven.

use axum::body::Body;
use chrono::TimeDelta;
use futures_util::future::join_all;
use http::{Method, Request, StatusCode, header};
use plaza_identity::{EmailVerification, IdentityConfig, Registration, ThrottleConfig};
use plaza_testkit::Reply;
use serde_json::{Value, json};

use crate::house::{House, PASSWORD, Tokens, open_house, unhurried};
use crate::stub_notification::Taken;

const MAX: &str = "max@example.org";
const VERIFY: &str = "/api/v1/auth/verify-email";

/// Who registers has to prove the address.
async fn strict() -> House {
    House::with(IdentityConfig {
        email_verification: None,
        throttle: unhurried(),
        ..open_house()
    })
    .await
}

/// Registers at a tenant, and gets the mail.
async fn registered(house: &House, email: &str) -> Taken {
    let body = json!({"email": email, "password": PASSWORD, "tenant": "acme"});
    house
        .post("/api/v1/auth/register", body)
        .await
        .assert_status(StatusCode::ACCEPTED);
    house.mails().await;
    house.newest("verify")
}

async fn is_proven(house: &House, email: &str) -> bool {
    let sql = format!(
        "SELECT count(*) FROM identity.users WHERE email_norm = '{email}' AND email_verified_at IS NOT NULL"
    );
    house.count(&sql).await == 1
}

async fn look(house: &House, method: Method, target: &str, accept: &str) -> Reply {
    let request = Request::builder()
        .method(method)
        .uri(target)
        .header(header::ACCEPT, accept);
    let request = request.body(Body::empty()).unwrap();
    house.mounted.anonymous().send(request).await
}

fn code(email: &str, code: &str) -> Value {
    json!({"email": email, "code": code})
}

#[tokio::test]
async fn who_registers_follows_the_link_and_then_logs_in() {
    let house = strict().await;
    house.know_tenant("acme", "active");
    let mail = registered(&house, MAX).await;
    assert_eq!((mail.recipient.as_str(), mail.value("hours")), (MAX, "24"));
    assert!(
        mail.value("link")
            .starts_with("https://plaza.example/api/v1/auth/verify-email#token=")
    );
    house
        .log_in(MAX)
        .await
        .assert_failed(StatusCode::FORBIDDEN, "EMAIL_NOT_VERIFIED");
    // Who does not know the password learns nothing of it.
    house
        .log_in_with(MAX, "another password 77")
        .await
        .assert_failed(StatusCode::UNAUTHORIZED, "INVALID_CREDENTIALS");

    let body = json!({"token": mail.token()});
    let reply = house.post(VERIFY, body.clone()).await.assert_ok();
    assert_eq!(reply.value(), json!({"verified": true}));
    let caller = Tokens::of(house.log_in(MAX).await).caller();
    let me = house.mounted.as_caller(&caller).get("/api/v1/auth/me").await;
    assert_eq!(me.assert_ok().value()["email_verified"], true);
    house
        .post(VERIFY, body)
        .await
        .assert_failed(StatusCode::BAD_REQUEST, "TOKEN_USED");
}

#[tokio::test]
async fn programs_that_look_at_links_prove_nothing() {
    let house = strict().await;
    house.know_tenant("acme", "active");
    let mail = registered(&house, MAX).await;
    let target = format!("{VERIFY}?token={}", mail.token());
    for accept in [
        "*/*",
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        "",
    ] {
        for method in [Method::GET, Method::HEAD] {
            let page = look(&house, method, &target, accept).await.assert_ok();
            assert_eq!(page.headers[header::CONTENT_TYPE], "text/html; charset=utf-8");
            assert!(!page.text().contains(&mail.token()));
        }
    }
    look(&house, Method::HEAD, &target, "application/json")
        .await
        .assert_ok();
    assert!(!is_proven(&house, MAX).await);
    // An application that asks for JSON is no such program.
    let reply = look(&house, Method::GET, &target, "application/json")
        .await
        .assert_ok();
    assert_eq!(reply.value(), json!({"verified": true}));
    assert_eq!(reply.headers[header::CACHE_CONTROL], "no-store");
    assert!(is_proven(&house, MAX).await);
    look(&house, Method::GET, &target, "application/json")
        .await
        .assert_failed(StatusCode::BAD_REQUEST, "TOKEN_USED");
    look(&house, Method::GET, VERIFY, "application/json")
        .await
        .assert_failed(StatusCode::BAD_REQUEST, "TOKEN_USED");
}

#[tokio::test]
async fn the_code_proves_the_address_it_was_sent_to_and_no_other_and_once() {
    let house = strict().await;
    house.know_tenant("acme", "active");
    let max = registered(&house, MAX).await;
    let eve = registered(&house, "eve@example.org").await;
    let wrong = async |body: Value| {
        let reply = house.post(VERIFY, body).await;
        reply.assert_failed(StatusCode::UNAUTHORIZED, "CODE_WRONG");
    };
    wrong(code(MAX, eve.value("code"))).await;
    wrong(code("nobody@example.org", max.value("code"))).await;
    for rubbish in ["", "BCDFGHJK", "12345678", &"B".repeat(9_000)] {
        wrong(code(MAX, rubbish)).await;
    }
    let typed = max.value("code").to_lowercase().replace('-', " ");
    house
        .post(VERIFY, code("MAX@example.org", &typed))
        .await
        .assert_ok();
    assert!(is_proven(&house, MAX).await);
    assert!(!is_proven(&house, "eve@example.org").await);
    wrong(code(MAX, max.value("code"))).await;
    for body in [
        json!({}),
        json!({"email": MAX}),
        json!({"code": "BCDFGHJK"}),
        json!({"token": "x", "email": MAX, "code": "BCDFGHJK"}),
        json!({"token": "x", "verified": true}),
    ] {
        let reply = house.post(VERIFY, body).await;
        reply.assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_BODY");
    }
}

#[tokio::test]
async fn a_code_is_tried_ten_times_however_many_try_at_once() {
    let house = strict().await;
    house.know_tenant("acme", "active");
    let mail = registered(&house, MAX).await;
    join_all((0..40).map(|_| house.post(VERIFY, code(MAX, "BBBBBBBB")))).await;
    assert_eq!(
        house
            .count("SELECT max(tries)::bigint FROM identity.proofs")
            .await,
        10
    );
    house
        .post(VERIFY, code(MAX, mail.value("code")))
        .await
        .assert_failed(StatusCode::UNAUTHORIZED, "CODE_WRONG");
    // The link is another secret.
    house
        .post(VERIFY, json!({"token": mail.token()}))
        .await
        .assert_ok();
}

#[tokio::test]
async fn ten_thousand_guesses_from_everywhere_are_a_few_an_hour() {
    let house = House::with(IdentityConfig {
        throttle: ThrottleConfig {
            code_per_mailbox: ThrottleConfig::default().code_per_mailbox,
            ..unhurried()
        },
        ..open_house()
    })
    .await;
    house.know_tenant("acme", "active");
    registered(&house, MAX).await;
    let mut looked_at = 0;
    for round in 0..5 {
        // A new code each time: the tries of an address are counted, not only those of a code.
        house
            .post("/api/v1/auth/verify-email/resend", json!({"email": MAX}))
            .await;
        house.mails().await;
        for guess in 0..20 {
            let address = format!("198.51.{round}.{guess}");
            let reply = house.post_from(&address, VERIFY, code(MAX, "BBBBBBBB")).await;
            match reply.status {
                StatusCode::TOO_MANY_REQUESTS => {
                    drop(reply.assert_failed(StatusCode::TOO_MANY_REQUESTS, "THROTTLED"))
                }
                _ => {
                    reply.assert_failed(StatusCode::UNAUTHORIZED, "CODE_WRONG");
                    looked_at += 1;
                }
            }
        }
    }
    // One more comes back in two minutes.
    assert!((30..=32).contains(&looked_at), "{looked_at}");
}

#[tokio::test]
async fn asking_again_ends_what_was_sent_before_and_who_is_proven_is_not_asked() {
    let house = strict().await;
    house.know_tenant("acme", "active");
    let first = registered(&house, MAX).await;
    let resend = async |email: &str| {
        house
            .post("/api/v1/auth/verify-email/resend", json!({"email": email}))
            .await
            .assert_status(StatusCode::ACCEPTED);
        house.mails().await
    };
    assert_eq!(resend("nobody@example.org").await.len(), 1);
    let second = resend(MAX).await.pop().unwrap();
    assert_ne!(
        (first.token(), first.value("code")),
        (second.token(), second.value("code"))
    );
    let with = |mail: &Taken| house.post(VERIFY, json!({"token": mail.token()}));
    with(&first)
        .await
        .assert_failed(StatusCode::BAD_REQUEST, "TOKEN_USED");
    with(&second).await.assert_ok();
    assert_eq!(resend(MAX).await.len(), 2, "proven");
    // Registering once more does not ask either.
    let body = json!({"email": MAX, "password": PASSWORD});
    house.post("/api/v1/auth/register", body).await;
    assert_eq!(house.mails().await.len(), 2);
}

#[tokio::test]
async fn a_verification_ends_after_a_day() {
    let house = strict().await;
    house.know_tenant("acme", "active");
    let mail = registered(&house, MAX).await;
    house.time.advance(TimeDelta::hours(24));
    house
        .post(VERIFY, json!({"token": mail.token()}))
        .await
        .assert_failed(StatusCode::BAD_REQUEST, "TOKEN_USED");
    house
        .post(VERIFY, code(MAX, mail.value("code")))
        .await
        .assert_failed(StatusCode::UNAUTHORIZED, "CODE_WRONG");
}

#[tokio::test]
async fn nobody_has_to_prove_what_somebody_else_vouches_for() {
    let house = strict().await;
    house.tenant_with_owner("acme", "ada@example.org").await;
    house.administrator("root@example.org").await;
    Tokens::of(house.log_in("root@example.org").await);
    let ada = Tokens::of(house.log_in("ada@example.org").await).caller();
    let invite = json!({"email": "ben@example.org"});
    let invite = house
        .mounted
        .as_caller(&ada)
        .post("/api/v1/auth/users", &invite)
        .await;
    let token = invite.assert_ok().value()["token"].as_str().unwrap().to_owned();
    house
        .set_up(&token, "ben@example.org", PASSWORD)
        .await
        .assert_ok();
    let ben = Tokens::of(house.log_in("ben@example.org").await).caller();
    let me = house.mounted.as_caller(&ben).get("/api/v1/auth/me").await;
    assert_eq!(me.assert_ok().value()["email_verified"], false);
    assert!(house.mails().await.is_empty());
}

#[tokio::test]
async fn proving_an_address_opens_no_door_that_needs_more_than_the_password() {
    let house = strict().await;
    // Eve registers Ada's address; Ada clicks on what she is sent.
    let mail = {
        house.know_tenant("acme", "active");
        registered(&house, "ada@example.org").await
    };
    house
        .post(VERIFY, json!({"token": mail.token()}))
        .await
        .assert_ok();
    // A tenant of Ada's is not Eve's.
    house.tenant("adas", "ada@example.org").await;
    house
        .log_in_at("adas", "ada@example.org")
        .await
        .assert_failed(StatusCode::UNAUTHORIZED, "INVALID_CREDENTIALS");
}

#[tokio::test]
async fn where_nobody_is_asked_no_mail_goes_out() {
    let house = House::with(IdentityConfig {
        email_verification: Some(EmailVerification::Off),
        ..open_house()
    })
    .await;
    let body = json!({"email": MAX, "password": PASSWORD});
    house.post("/api/v1/auth/register", body).await;
    let body = json!({"email": MAX});
    house
        .post("/api/v1/auth/verify-email/resend", body)
        .await
        .assert_status(StatusCode::ACCEPTED);
    assert!(house.mails().await.is_empty());
}

#[test]
fn an_open_door_asks_for_proof_unless_told_otherwise() {
    let with = |registration, email_verification| {
        let config = IdentityConfig {
            registration,
            email_verification,
            ..IdentityConfig::default()
        };
        config.verification()
    };
    assert_eq!(with(Registration::Open, None), EmailVerification::Required);
    assert_eq!(with(Registration::Closed, None), EmailVerification::Offered);
    let offered = Some(EmailVerification::Offered);
    assert_eq!(with(Registration::Open, offered), EmailVerification::Offered);
}
