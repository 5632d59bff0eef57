//! Only tokens that identity issued, for us, now.

use plaza_testkit::forge::{Forge, Template, respelled, variants};
use serde_json::json;

use crate::house::House;

#[tokio::test]
async fn the_forge_makes_good_tokens_too() {
    let house = House::new();
    for token in [house.owner(), house.administrator()] {
        assert_eq!(house.me(&token).await.status, 200);
    }
}

#[tokio::test]
async fn no_forged_token_is_accepted() {
    let house = House::new();
    let claims = house.claims(house.acme);
    let mut variants = variants(&Template {
        forge: &house.forge,
        claims: &claims,
        now: house.now(),
        trap: "http://127.0.0.1:1",
    });
    assert!(variants.len() >= 100, "{}", variants.len());
    // More than a real listener would even read.
    let mut header = house.forge.header();
    header["kid"] = "x".repeat(1 << 20).into();
    variants.push(("1 MB kid".to_owned(), house.forge.sign(&header, &claims)));
    for (name, token) in variants {
        let answer = house.me(&token).await;
        assert_eq!(
            answer.problem(),
            (401, "INVALID_TOKEN".to_owned()),
            "{name}: {token:.200}"
        );
    }
}

#[tokio::test]
async fn a_forged_token_is_no_better_after_a_good_one() {
    let house = House::new();
    let good = house.owner();
    assert_eq!(house.me(&good).await.status, 200);
    assert_eq!(house.me(&respelled(&good)).await.status, 401);
    assert_eq!(house.me(&good).await.status, 200);
}

#[tokio::test]
async fn other_authorization_schemes_and_shapes_are_no_token() {
    let house = House::new();
    let token = house.owner();
    for value in [
        token.clone(),
        format!("Basic {token}"),
        format!("Bearer  {token}"),
        format!("Bearer {token} "),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        format!("Bearer {token}, Bearer {token}"),
        format!("Bearer\t{token}"),
        format!("Token {token}"),
        String::new(),
    ] {
        let request = crate::house::request(http::Method::GET, "localhost", "/api/v1/auth/me");
        let request = request
            .header("authorization", &value)
            .body(axum::body::Body::empty())
            .unwrap();
        let answer = house.send(request).await;
        assert_eq!(answer.problem(), (401, "INVALID_TOKEN".to_owned()), "{value:.40}");
    }
    let request = crate::house::request(http::Method::GET, "localhost", "/api/v1/auth/me");
    let request = request
        .header("authorization", format!("bearer {token}"))
        .body(axum::body::Body::empty())
        .unwrap();
    assert_eq!(house.send(request).await.status, 200, "the scheme has no case");
}

#[tokio::test]
async fn a_new_key_is_found_at_once() {
    let house = House::new();
    assert_eq!(house.me(&house.owner()).await.status, 200);
    let next = Forge::new("key-2");
    house.identity.show(Forge::jwks(&[&house.forge, &next]));
    let token = next.sign(&next.header(), &house.claims(house.acme));
    let answers = futures_util::future::join_all((0..10).map(|_| house.me(&token))).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert_eq!(house.identity.keys_asked(), 2);
}

#[tokio::test]
async fn a_flood_of_unknown_keys_asks_once_in_thirty_seconds() {
    let house = House::new();
    assert_eq!(house.me(&house.owner()).await.status, 200);
    let flood = async || {
        for n in 0..50 {
            let stranger = Forge::new(&format!("unknown-{n}"));
            let forged = stranger.sign(&stranger.header(), &house.claims(house.acme));
            assert_eq!(house.me(&forged).await.status, 401);
        }
    };
    flood().await;
    assert_eq!(house.identity.keys_asked(), 2);
    house.wait(29_999);
    flood().await;
    assert_eq!(house.identity.keys_asked(), 2);
    house.wait(1);
    flood().await;
    assert_eq!(house.identity.keys_asked(), 3);
}

#[tokio::test]
async fn a_key_that_is_shown_no_more_signs_nothing_new_after_five_minutes() {
    let house = House::new();
    assert_eq!(house.me(&house.owner()).await.status, 200);
    let next = Forge::new("key-2");
    house.identity.show(Forge::jwks(&[&next]));
    house.wait(300_000);
    assert_eq!(house.me(&house.owner()).await.status, 401);
}

#[tokio::test]
async fn keys_of_other_kinds_are_not_ours() {
    let house = House::new();
    let mut jwk = house.forge.jwk();
    jwk["kty"] = "oct".into();
    jwk["k"] = "c2VjcmV0".into();
    house
        .identity
        .show(json!({"keys": [jwk, {"kty": "RSA", "kid": "key-1"}, 7]}).to_string());
    assert_eq!(house.me(&house.owner()).await.status, 401);
}
