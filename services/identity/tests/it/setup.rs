use http::StatusCode;
use plaza_kernel::SystemRole;
use secrecy::ExposeSecret;

use crate::house::{House, PASSWORD, Tokens};

#[tokio::test]
async fn the_setup_link_is_the_same_until_it_is_used_and_then_gone() {
    let house = House::open().await;
    let link = house.identity.setup_link().await.unwrap().unwrap();
    let after_restart = house.another(house.database.of(plaza_contracts::services::IDENTITY));
    assert_eq!(
        after_restart.setup_link().await.unwrap().unwrap().expose_secret(),
        link.expose_secret()
    );

    let body = house
        .set_up(link.expose_secret(), "Root@Example.org", PASSWORD)
        .await
        .assert_ok()
        .value();
    assert_eq!(body["role"], "platform_admin");
    assert!(house.identity.setup_link().await.unwrap().is_none());
    assert!(after_restart.setup_link().await.unwrap().is_none());
    let again = house
        .set_up(link.expose_secret(), "evil@example.org", PASSWORD)
        .await;
    again.assert_failed(StatusCode::BAD_REQUEST, "SETUP_LINK_INVALID");

    let tokens = Tokens::of(house.log_in("root@example.org").await);
    let caller = tokens.caller();
    assert_eq!((caller.role, caller.tenant()), (SystemRole::PlatformAdmin, None));
    assert!(house.stands(&caller).await);
    let me = house
        .mounted
        .as_caller(&caller)
        .get("/api/v1/auth/me")
        .await
        .assert_ok()
        .value();
    assert_eq!(
        (me["email"].as_str(), me["role"].as_str()),
        (Some("Root@Example.org"), Some("platform_admin"))
    );
    assert!(me.get("tenant_id").is_none());
}

#[tokio::test]
async fn two_parallel_uses_of_the_setup_link_have_one_winner() {
    let house = House::open().await;
    let link = house.identity.setup_link().await.unwrap().unwrap();
    let (one, other) = tokio::join!(
        house.set_up(link.expose_secret(), "one@example.org", PASSWORD),
        house.set_up(link.expose_secret(), "other@example.org", PASSWORD),
    );
    let (winner, loser) = if one.status.is_success() {
        (one, other)
    } else {
        (other, one)
    };
    winner.assert_ok();
    loser.assert_failed(StatusCode::BAD_REQUEST, "SETUP_LINK_INVALID");
    assert_eq!(
        house.count("SELECT count(*) FROM identity.platform_admins").await,
        1
    );
    assert_eq!(house.count("SELECT count(*) FROM identity.users").await, 1);
}

#[tokio::test]
async fn a_refused_password_does_not_use_the_link_up() {
    let house = House::open().await;
    let link = house.identity.setup_link().await.unwrap().unwrap();
    let link = link.expose_secret();
    for (password, code) in [
        ("short", "PASSWORD_TOO_SHORT"),
        ("password123", "PASSWORD_TOO_WEAK"),
        (&"x".repeat(129), "PASSWORD_TOO_LONG"),
    ] {
        let reply = house.set_up(link, "root@example.org", password).await;
        let body = reply
            .assert_failed(StatusCode::UNPROCESSABLE_ENTITY, code)
            .value();
        assert_eq!(body["errors"][0]["pointer"], "/password");
    }
    let reply = house.set_up(link, "no address", PASSWORD).await;
    reply.assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_EMAIL");
    house.set_up(link, "root@example.org", PASSWORD).await.assert_ok();
}

#[tokio::test]
async fn a_token_that_nobody_made_opens_nothing() {
    let house = House::open().await;
    for token in ["", "x", &"A".repeat(64), &"B".repeat(64), &"C".repeat(10_000)] {
        let reply = house.set_up(token, "root@example.org", PASSWORD).await;
        reply.assert_failed(StatusCode::BAD_REQUEST, "SETUP_LINK_INVALID");
    }
}

#[tokio::test]
async fn only_an_argon2id_hash_of_the_password_is_stored() {
    let house = House::open().await;
    house.administrator("root@example.org").await;
    let admin = house.database.admin().await;
    let phc: String = admin
        .query_one("SELECT phc FROM identity.credentials", &[])
        .await
        .unwrap()
        .get(0);
    assert!(phc.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{phc}");
}

#[tokio::test]
async fn looking_at_the_page_uses_nothing_up() {
    let house = House::open().await;
    let link = house.identity.setup_link().await.unwrap().unwrap();
    let page = house
        .mounted
        .anonymous()
        .get(&format!("/setup?token={}", link.expose_secret()))
        .await
        .assert_ok();
    assert!(page.text().contains("<form"));
    assert!(
        !page.text().contains(link.expose_secret()),
        "the token is not part of the page"
    );
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(
        policy.starts_with("default-src 'none'; script-src 'sha256-"),
        "{policy}"
    );
    house
        .set_up(link.expose_secret(), "root@example.org", PASSWORD)
        .await
        .assert_ok();
}
