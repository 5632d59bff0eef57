//! Forgotten passwords.

use axum::body::Body;
use chrono::TimeDelta;
use http::{Request, StatusCode, header};
use plaza_contracts::edge::{ClientAddress, HostTenant};
use plaza_identity::IdentityConfig;
use plaza_kernel::Kind;
use serde_json::json;

use crate::house::{House, PASSWORD, Tokens, open_house, unhurried};

const NEW: &str = "amber quarry 9 kestrels";
const ADA: &str = "ada@example.org";

#[tokio::test]
async fn a_forgotten_password_is_replaced_with_the_link_out_of_a_mail() {
    let house = House::open().await;
    house.tenant_with_owner("acme", ADA).await;
    let before = Tokens::of(house.log_in(ADA).await);
    house
        .post(
            "/api/v1/auth/forgot-password",
            json!({"email": "ADA@example.org"}),
        )
        .await
        .assert_status(StatusCode::ACCEPTED);
    let mails = house.mails().await;
    let [mail] = &mails[..] else { panic!("{mails:?}") };
    assert_eq!((mail.recipient.as_str(), mail.template.as_str()), (ADA, "reset"));
    assert_eq!(mail.value("minutes"), "30");
    assert!(
        mail.value("link")
            .starts_with("https://plaza.example/reset#token=")
    );

    let reply = house.reset(&mail.token(), NEW).await;
    reply.assert_status(StatusCode::NO_CONTENT);
    house
        .log_in(ADA)
        .await
        .assert_failed(StatusCode::UNAUTHORIZED, "INVALID_CREDENTIALS");
    assert!(!house.stands(&before.caller()).await);
    house
        .refresh(&before.refresh)
        .await
        .assert_failed(StatusCode::UNAUTHORIZED, "INVALID_REFRESH_TOKEN");
    let after = Tokens::of(house.log_in_with(ADA, NEW).await);
    assert!(house.stands(&after.caller()).await);
    let told = house.mails().await;
    assert_eq!(told.len(), 2);
    assert_eq!(
        (told[1].recipient.as_str(), told[1].template.as_str()),
        (ADA, "password_changed")
    );
}

#[tokio::test]
async fn known_and_unknown_addresses_are_answered_alike_and_do_the_same_work() {
    let house = House::open().await;
    house.tenant_with_owner("acme", ADA).await;
    let ask = |email: &str| house.post("/api/v1/auth/forgot-password", json!({"email": email}));
    let known = ask(ADA).await;
    let rows = "SELECT count(*) FROM identity.due_mails";
    assert_eq!(house.count(rows).await, 1);
    let unknown = ask("nobody@example.org").await;
    assert_eq!(house.count(rows).await, 2);
    assert_eq!((known.status, &known.body), (unknown.status, &unknown.body));
    let mails = house.mails().await;
    assert_eq!(mails.len(), 1, "nobody is written to who has no account");
    assert_eq!(house.count(rows).await, 0);
    assert_eq!(house.count("SELECT count(*) FROM identity.users").await, 1);
    ask("not an address")
        .await
        .assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_EMAIL");
}

/// Loose enough for a busy machine; an account that were looked up and written to would be far off.
#[tokio::test]
async fn known_and_unknown_addresses_take_the_same_time() {
    let house = House::with(IdentityConfig {
        throttle: unhurried(),
        ..open_house()
    })
    .await;
    house.tenant_with_owner("acme", ADA).await;
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for round in 0..80 {
        let stranger = format!("n{round}@example.org");
        let mut pair = [(ADA, &mut known), (stranger.as_str(), &mut unknown)];
        if round % 2 == 1 {
            pair.reverse();
        }
        for (email, times) in pair {
            let began = std::time::Instant::now();
            let body = json!({"email": email});
            house.post("/api/v1/auth/forgot-password", body).await;
            times.push(began.elapsed());
        }
    }
    known.sort();
    unknown.sort();
    // The lower quartile: what else the machine does only ever adds to a time.
    let ratio = known[20].as_secs_f64() / unknown[20].as_secs_f64();
    assert!(
        (0.6..1.67).contains(&ratio),
        "{:?} and {:?}",
        known[20],
        unknown[20]
    );
}

#[tokio::test]
async fn a_link_is_good_once_for_half_an_hour_and_only_the_newest() {
    let house = House::open().await;
    house.tenant_with_owner("acme", ADA).await;
    let used = |token: String| {
        let house = &house;
        async move {
            let reply = house.reset(&token, NEW).await;
            reply.assert_failed(StatusCode::BAD_REQUEST, "TOKEN_USED");
        }
    };
    let first = house.forgot(ADA).await;
    let second = house.forgot(ADA).await;
    assert_ne!(first, second);
    used(first).await;
    house
        .reset(&second, NEW)
        .await
        .assert_status(StatusCode::NO_CONTENT);
    used(second).await;

    let late = house.forgot(ADA).await;
    house.time.advance(TimeDelta::minutes(30));
    used(late).await;
    Tokens::of(house.log_in_with(ADA, NEW).await);
}

#[tokio::test]
async fn a_password_that_is_not_taken_leaves_the_link_as_it_was() {
    let house = House::open().await;
    house.tenant_with_owner("acme", ADA).await;
    let token = house.forgot(ADA).await;
    for (password, code) in [
        ("short", "PASSWORD_TOO_SHORT"),
        ("password1", "PASSWORD_TOO_WEAK"),
        (ADA, "PASSWORD_TOO_WEAK"),
        (&"x".repeat(129), "PASSWORD_TOO_LONG"),
        (&"x".repeat(15_000), "PASSWORD_TOO_LONG"),
    ] {
        let reply = house.reset(&token, password).await;
        let problem = reply
            .assert_failed(StatusCode::UNPROCESSABLE_ENTITY, code)
            .value();
        assert_eq!(problem["errors"][0]["pointer"], "/password");
    }
    Tokens::of(house.log_in(ADA).await);
    house
        .reset(&token, NEW)
        .await
        .assert_status(StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn of_two_who_use_a_link_at_once_one_sets_the_password() {
    let house = House::open().await;
    house.tenant_with_owner("acme", ADA).await;
    let token = house.forgot(ADA).await;
    let other = "cobalt meadow 5 herons";
    let (one, two) = tokio::join!(house.reset(&token, NEW), house.reset(&token, other));
    let mut statuses = [one.status, two.status];
    statuses.sort();
    assert_eq!(statuses, [StatusCode::NO_CONTENT, StatusCode::BAD_REQUEST]);
    let winner = if one.status == StatusCode::NO_CONTENT {
        NEW
    } else {
        other
    };
    Tokens::of(house.log_in_with(ADA, winner).await);
}

#[tokio::test]
async fn nothing_that_was_set_up_before_outlives_a_new_password() {
    let house = House::open().await;
    // Somebody registers Ada's address before Ada does, and waits.
    let theirs = json!({"email": ADA, "password": PASSWORD});
    house
        .post("/api/v1/auth/register", theirs)
        .await
        .assert_status(StatusCode::ACCEPTED);
    let acme = house.tenant("acme", ADA).await;
    let owners_link = house.owner_link(acme).await.unwrap();
    let verification = {
        house.mails().await;
        house.newest("verify").token()
    };
    let token = house.forgot(ADA).await;
    house
        .reset(&token, NEW)
        .await
        .assert_status(StatusCode::NO_CONTENT);

    let body = json!({"token": verification});
    house
        .post("/api/v1/auth/verify-email", body)
        .await
        .assert_failed(StatusCode::BAD_REQUEST, "TOKEN_USED");
    // The owner's link was made for whoever has the address: now it asks for Ada's password, and does not replace it.
    house
        .set_up(&owners_link, ADA, "a password of eve's own 66")
        .await
        .assert_failed(StatusCode::UNAUTHORIZED, "INVALID_CREDENTIALS");
    house.set_up(&owners_link, ADA, NEW).await.assert_ok();
    let caller = Tokens::of(house.log_in_with(ADA, NEW).await).caller();
    assert_eq!(caller.tenant(), Some(acme));
    let me = house.mounted.as_caller(&caller).get("/api/v1/auth/me").await;
    assert_eq!(me.assert_ok().value()["email_verified"], true);
}

#[tokio::test]
async fn a_new_password_ends_sessions_in_every_tenant() {
    let house = House::open().await;
    house.tenant_with_owner("acme", ADA).await;
    house.tenant("rival", ADA).await;
    house.tenant_with_owner("other", "bob@example.org").await;
    let sessions = [
        Tokens::of(house.log_in_at("acme", ADA).await),
        Tokens::of(house.log_in_at("rival", ADA).await),
    ];
    let bob = Tokens::of(house.log_in("bob@example.org").await);
    let token = house.forgot(ADA).await;
    house
        .reset(&token, NEW)
        .await
        .assert_status(StatusCode::NO_CONTENT);
    for session in sessions {
        assert!(!house.stands(&session.caller()).await);
    }
    assert!(house.stands(&bob.caller()).await);
}

#[tokio::test]
async fn a_disabled_account_is_not_let_in_by_recovery() {
    let house = House::open().await;
    house.tenant_with_owner("acme", ADA).await;
    let token = house.forgot(ADA).await;
    let disable = "UPDATE identity.users SET status = 'disabled'";
    house.database.admin().await.batch_execute(disable).await.unwrap();
    house
        .reset(&token, NEW)
        .await
        .assert_failed(StatusCode::BAD_REQUEST, "TOKEN_USED");
    let before = house.mails().await.len();
    house
        .post("/api/v1/auth/forgot-password", json!({"email": ADA}))
        .await
        .assert_status(StatusCode::ACCEPTED);
    assert_eq!(house.mails().await.len(), before);
}

#[tokio::test]
async fn a_token_of_one_kind_is_none_of_another() {
    let house = House::open().await;
    house.tenant_with_owner("acme", ADA).await;
    let rival = house.tenant("rival", "bob@example.org").await;
    let link = house.owner_link(rival).await.unwrap();
    let max = json!({"email": "max@example.org", "password": PASSWORD});
    house.post("/api/v1/auth/register", max).await;
    let reset = house.forgot(ADA).await;
    let verify = house.newest("verify").token();
    let session = Tokens::of(house.log_in(ADA).await);

    for token in [
        &link,
        &verify,
        &session.refresh,
        &session.access,
        "",
        &"A".repeat(64),
        &"x".repeat(9_000),
    ] {
        house
            .reset(token, NEW)
            .await
            .assert_failed(StatusCode::BAD_REQUEST, "TOKEN_USED");
    }
    for token in [&link, &reset, &session.refresh, &session.access] {
        house
            .post("/api/v1/auth/verify-email", json!({"token": token}))
            .await
            .assert_failed(StatusCode::BAD_REQUEST, "TOKEN_USED");
    }
    for token in [&reset, &verify] {
        house
            .refresh(token)
            .await
            .assert_failed(StatusCode::UNAUTHORIZED, "INVALID_REFRESH_TOKEN");
        house
            .set_up(token, ADA, NEW)
            .await
            .assert_failed(StatusCode::BAD_REQUEST, "SETUP_LINK_INVALID");
    }
    house
        .reset(&reset, NEW)
        .await
        .assert_status(StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_link_leads_to_the_configured_origin_whatever_the_request_says() {
    let house = House::open().await;
    house.tenant_with_owner("acme", ADA).await;
    let rival = house.tenant_with_owner("rival", "bob@example.org").await;
    let request = Request::post("/api/v1/auth/forgot-password")
        .header("content-type", "application/json")
        .header(header::HOST, "evil.example")
        .header("x-forwarded-host", "evil.example")
        .header("forwarded", "host=evil.example")
        .header("x-original-url", "https://evil.example/")
        .extension(HostTenant {
            tenant_id: rival,
            slug: "rival".to_owned(),
        })
        .body(Body::from(json!({"email": ADA}).to_string()))
        .unwrap();
    let reply = house.mounted.anonymous().send(request).await;
    reply.assert_status(StatusCode::ACCEPTED);
    let mails = house.mails().await;
    assert!(
        mails[0]
            .value("link")
            .starts_with("https://plaza.example/reset#token=")
    );
    assert_eq!(mails[0].recipient, ADA);
}

#[tokio::test]
async fn an_address_is_written_to_a_few_times_an_hour_and_a_client_asks_a_few_times() {
    let house = House::open().await;
    house.tenant_with_owner("acme", ADA).await;
    let ask = |email: String| {
        house.post_from(
            "192.0.2.7",
            "/api/v1/auth/forgot-password",
            json!({"email": email}),
        )
    };
    for _ in 0..5 {
        ask(ADA.to_owned()).await.assert_status(StatusCode::ACCEPTED);
    }
    assert_eq!(house.mails().await.len(), 3, "silently");
    for other in 0..5 {
        let reply = ask(format!("n{other}@example.org")).await;
        reply.assert_status(StatusCode::ACCEPTED);
    }
    let refused = ask("another@example.org".to_owned()).await;
    let seconds: u32 = refused.headers[header::RETRY_AFTER]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=360).contains(&seconds), "{seconds}");
    assert_eq!(refused.headers["ratelimit-policy"], "\"recovery\";q=10;w=3600");
    refused.assert_failed(StatusCode::TOO_MANY_REQUESTS, "THROTTLED");
    // Another line of another provider is another client.
    let body = json!({"email": "another@example.org"});
    house
        .post_from("192.0.2.8", "/api/v1/auth/forgot-password", body)
        .await
        .assert_status(StatusCode::ACCEPTED);
}

#[tokio::test]
async fn a_mail_that_cannot_be_handed_over_goes_later_and_is_the_same_mail() {
    let house = House::open().await;
    house.tenant_with_owner("acme", ADA).await;
    house.notification.fail(Kind::Unavailable, false);
    house
        .post("/api/v1/auth/forgot-password", json!({"email": ADA}))
        .await
        .assert_status(StatusCode::ACCEPTED);
    assert!(house.mails().await.is_empty());
    // Taken, and the answer lost.
    house.notification.fail(Kind::DeadlineExceeded, true);
    house.time.advance(TimeDelta::minutes(25));
    assert_eq!(house.mails().await.len(), 1);
    house.notification.recover();
    house.time.advance(TimeDelta::minutes(4));
    let mails = house.mails().await;
    assert_eq!(mails.len(), 2);
    assert_eq!(mails[0], mails[1], "notification knows it by its id");
    assert_eq!(house.count("SELECT count(*) FROM identity.due_mails").await, 0);
    // Its time begins when it goes out.
    house.time.advance(TimeDelta::minutes(20));
    let reply = house.reset(&mails[1].token(), NEW).await;
    reply.assert_status(StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_mail_that_is_refused_or_a_day_late_is_given_up() {
    let house = House::open().await;
    house.tenant_with_owner("acme", ADA).await;
    let rows = "SELECT count(*) FROM identity.due_mails";
    let ask = || house.post("/api/v1/auth/forgot-password", json!({"email": ADA}));
    house.notification.fail(Kind::Invalid, false);
    ask().await;
    house.mails().await;
    assert_eq!(house.count(rows).await, 0);
    house.notification.fail(Kind::Unavailable, false);
    ask().await;
    house.mails().await;
    assert_eq!(house.count(rows).await, 1);
    house.time.advance(TimeDelta::hours(24));
    house.mails().await;
    assert_eq!(house.count(rows).await, 0);
}

#[tokio::test]
async fn a_mail_speaks_the_language_that_its_reader_named() {
    let house = House::open().await;
    house.tenant_with_owner("acme", ADA).await;
    let ada = Tokens::of(house.log_in(ADA).await).caller();
    house.forgot(ADA).await;
    assert_eq!(house.newest("reset").locale, "");
    let client = house.mounted.as_caller(&ada);
    client
        .put("/api/v1/auth/me", &json!({"locale": "de-AT"}))
        .await
        .assert_ok();
    house.forgot(ADA).await;
    assert_eq!(house.newest("reset").locale, "de-AT");
}

#[tokio::test]
async fn the_page_behind_the_link_says_nothing_and_uses_nothing_up() {
    let house = House::open().await;
    house.tenant_with_owner("acme", ADA).await;
    let token = house.forgot(ADA).await;
    let anonymous = house.mounted.anonymous();
    let page = anonymous
        .get(&format!("/reset?token={token}&utm_source=mail"))
        .await
        .assert_ok();
    assert_eq!(page.headers[header::CONTENT_TYPE], "text/html; charset=utf-8");
    assert_eq!(page.headers[header::REFERRER_POLICY], "no-referrer");
    assert!(
        page.headers[header::CONTENT_SECURITY_POLICY]
            .to_str()
            .unwrap()
            .contains("default-src 'none'")
    );
    assert!(!page.text().contains(&token));
    assert_eq!(page.body, anonymous.get("/reset").await.assert_ok().body);
    house
        .reset(&token, NEW)
        .await
        .assert_status(StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn neither_token_nor_code_lies_in_the_database() {
    let house = House::open().await;
    let max = json!({"email": "max@example.org", "password": PASSWORD});
    house.post("/api/v1/auth/register", max).await;
    house.mails().await;
    let mail = house.newest("verify");
    let token = mail.token();
    let bytes = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, &token).unwrap();
    let hex: String = bytes[16..].iter().map(|byte| format!("{byte:02x}")).collect();
    let code = mail.value("code").replace('-', "");
    let code_hex: String = code.bytes().map(|byte| format!("{byte:02x}")).collect();
    let admin = house.database.admin().await;
    let mut dump = String::new();
    for table in ["proofs", "due_mails", "users", "outbox"] {
        let sql = format!("SELECT to_jsonb(t)::text FROM identity.{table} AS t");
        let rows = admin.query(&sql, &[]).await.unwrap();
        dump.extend(rows.iter().map(|row| row.get::<_, String>(0)));
    }
    assert!(dump.contains("max@example.org"));
    for secret in [&token, &hex, &code, &code_hex] {
        assert!(!dump.contains(secret.as_str()), "{secret}");
    }
}

#[tokio::test]
async fn whoever_set_a_new_password_is_let_in_though_strangers_tried_theirs() {
    let house = House::with(IdentityConfig {
        throttle: plaza_identity::ThrottleConfig {
            login_per_account: "5/h".parse().unwrap(),
            ..plaza_identity::ThrottleConfig::default()
        },
        ..open_house()
    })
    .await;
    house.tenant_with_owner("acme", ADA).await;
    let login = |address: String, password: &'static str| {
        let body = json!({"email": ADA, "password": password});
        let house = &house;
        async move { house.post_from(&address, "/api/v1/auth/login", body).await }
    };
    for stranger in 0..5 {
        login(format!("198.51.{stranger}.1"), "wrong")
            .await
            .assert_status(StatusCode::UNAUTHORIZED);
    }
    let reply = login("203.0.113.1".to_owned(), PASSWORD).await;
    reply.assert_failed(StatusCode::TOO_MANY_REQUESTS, "THROTTLED");
    let token = house.forgot(ADA).await;
    let request = Request::post("/api/v1/auth/reset-password")
        .header("content-type", "application/json")
        .extension(ClientAddress("203.0.113.1".parse().unwrap()))
        .body(Body::from(json!({"token": token, "password": NEW}).to_string()))
        .unwrap();
    let reply = house.mounted.anonymous().send(request).await;
    reply.assert_status(StatusCode::NO_CONTENT);
    Tokens::of(login("203.0.113.1".to_owned(), NEW).await);
}
