//! Only tokens that identity issued, for us, now.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use plaza_crypto::hmac_sha256;
use serde_json::{Value, json};

use crate::forge::{Forge, encode};
use crate::house::House;

fn with(value: &Value, name: &str, member: Value) -> Value {
    let mut changed = value.clone();
    changed[name] = member;
    changed
}

fn without(value: &Value, name: &str) -> Value {
    let mut changed = value.clone();
    changed.as_object_mut().unwrap().remove(name);
    changed
}

/// A token "signed" with a MAC whose key is public.
fn hs256(key: &[u8], header: &Value, claims: &Value) -> String {
    let message = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
    format!("{message}.{}", encode(hmac_sha256(key, message.as_bytes())))
}

/// Every way that is not the right one, with its name.
fn variants(house: &House) -> Vec<(String, String)> {
    let (forge, claims) = (&house.forge, house.claims(house.acme));
    let header = forge.header();
    let good = forge.sign(&header, &claims);
    let (message, signature) = good.rsplit_once('.').unwrap();
    let (head, body) = message.split_once('.').unwrap();
    let mut all: Vec<(String, String)> = Vec::new();
    let mut add = |name: &str, token: String| all.push((name.to_owned(), token));

    for alg in [
        "none", "nOnE", "None", "HS256", "HS512", "RS256", "ES256", "PS256", "Ed25519", "EDDSA", "eddsa", "",
    ] {
        add(
            &format!("alg {alg}"),
            forge.sign(&with(&header, "alg", alg.into()), &claims),
        );
    }
    add("no signature", format!("{message}."));
    add(
        "alg none, no signature",
        format!(
            "{}.{body}.",
            encode(with(&header, "alg", "none".into()).to_string())
        ),
    );
    let mac_header = with(&header, "alg", "HS256".into());
    add(
        "HS256 with our public key",
        hs256(forge.public_key(), &mac_header, &claims),
    );
    add(
        "HS256 with our key as JWK",
        hs256(forge.jwk().to_string().as_bytes(), &mac_header, &claims),
    );

    let other = Forge::new(&forge.kid);
    add("other key, same kid", other.sign(&header, &claims));
    add(
        "other key in jwk",
        other.sign(&with(&header, "jwk", other.jwk()), &claims),
    );
    for (name, value) in [
        ("jwk", forge.jwk()),
        ("jku", "http://127.0.0.1:1/jwks".into()),
        ("x5u", "http://127.0.0.1:1/x".into()),
        ("x5c", json!(["AA=="])),
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("zip", "DEF".into()),
        ("b64", false.into()),
        ("enc", "A256GCM".into()),
        ("cty", "JWT".into()),
    ] {
        add(
            &format!("header {name}"),
            forge.sign(&with(&header, name, value), &claims),
        );
    }
    for kid in ["", "../../dev/null", "' OR 1=1 --", "key-2", "KEY-1", "key-1 "] {
        add(
            &format!("kid {kid}"),
            forge.sign(&with(&header, "kid", kid.into()), &claims),
        );
    }
    add("no kid", forge.sign(&without(&header, "kid"), &claims));
    add("kid number", forge.sign(&with(&header, "kid", 1.into()), &claims));
    for typ in [
        "JWT",
        "jwt",
        "txn+jwt",
        "rt+jwt",
        "AT+JWT",
        "application/at+jwt",
        "",
    ] {
        add(
            &format!("typ {typ}"),
            forge.sign(&with(&header, "typ", typ.into()), &claims),
        );
    }
    add("no typ", forge.sign(&without(&header, "typ"), &claims));

    let now = house.now();
    for (name, value) in [
        ("exp", json!((now + 600).to_string())),
        ("exp", json!(600.5)),
        ("exp", json!(1e308)),
        ("exp", json!(-1)),
        ("exp", json!(0)),
        ("exp", json!(now - 5)),
        ("exp", Value::Null),
        ("exp", json!(now + 3_601)),
        ("exp", json!(i64::MAX)),
        ("iat", json!(now + 60)),
        ("iat", json!(now.to_string())),
        ("iat", json!(now + 600)),
        ("iat", json!(i64::MIN)),
        ("nbf", json!(now)),
        ("nbf", json!("now")),
        ("aud", json!("other")),
        ("aud", json!(1)),
        ("aud", json!(["plaza"])),
        ("aud", json!(["plaza", "other"])),
        ("aud", Value::Null),
        ("aud", json!("PLAZA")),
        ("iss", json!("evil")),
        ("iss", json!(1)),
        ("iss", json!("")),
        ("sub", json!("")),
        ("sub", json!(7)),
        ("sub", json!("someone")),
        ("tid", json!("")),
        ("tid", json!(uuid::Uuid::nil())),
        ("tid", json!(7)),
        ("tid", Value::Null),
        ("tid", json!(house.acme.to_string().to_uppercase())),
        ("tid", json!(house.acme.as_uuid().simple().to_string())),
        ("tid", json!(format!("{{{}}}", house.acme))),
        ("role", json!("platform_admin")),
        ("role", json!("Platform Admin")),
        ("role", json!("root")),
        ("role", json!("")),
        ("role", json!(["owner"])),
        ("jti", json!("")),
        ("permissions", json!(["*"])),
        ("tenant_id", json!(house.acme)),
        ("scope", json!("all")),
    ] {
        add(
            &format!("claim {name} {value}"),
            forge.sign(&header, &with(&claims, name, value.clone())),
        );
    }
    for name in ["iss", "aud", "sub", "tid", "sid", "role", "jti", "iat", "exp"] {
        add(
            &format!("no {name}"),
            forge.sign(&header, &without(&claims, name)),
        );
    }
    let doubled =
        claims
            .to_string()
            .replacen('{', &format!("{{\"tid\":\"{}\",", uuid::Uuid::from_u128(7)), 1);
    add("two tids", forge.sign_text(&header.to_string(), &doubled));
    let doubled = header.to_string().replacen('{', "{\"alg\":\"none\",", 1);
    add("two algs", forge.sign_text(&doubled, &claims.to_string()));
    add("claims no object", forge.sign_text(&header.to_string(), "[]"));
    add("claims no JSON", forge.sign_text(&header.to_string(), "plaza"));
    add(
        "claims and more",
        forge.sign_text(&header.to_string(), &format!("{claims}{claims}")),
    );
    add("header no JSON", forge.sign_text("EdDSA", &claims.to_string()));

    add("two parts", message.to_owned());
    add("one part", head.to_owned());
    add("four parts", format!("{good}.{signature}"));
    add(
        "five parts",
        format!("{head}.{body}.{signature}.{body}.{signature}"),
    );
    add("trailing dot", format!("{good}."));
    add("trailing garbage", format!("{good}AAAA"));
    add(
        "padding",
        format!("{message}.{}", URL_SAFE.encode(other.public_key())),
    );
    add(
        "standard base64",
        format!("{}.{body}.{signature}", STANDARD.encode(header.to_string())),
    );
    add("signature cut", good[..good.len() - 1].to_owned());
    add("signature respelled", respelled(&good));
    add("space inside", good.replacen('.', ". ", 1));
    add(
        "4 KB",
        forge.sign(&header, &with(&claims, "jti", "x".repeat(4_096).into())),
    );
    add(
        "1 MB kid",
        forge.sign(&with(&header, "kid", "x".repeat(1 << 20).into()), &claims),
    );
    add("claims of another token", swapped(house, &good));
    add(
        "a bit of the claims",
        good.replacen(&body[10..11], if &body[10..11] == "A" { "B" } else { "A" }, 1),
    );
    all
}

/// The last character of 64 bytes in base64 has four bits that count for nothing.
fn respelled(token: &str) -> String {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (front, last) = token.split_at(token.len() - 1);
    let at = ALPHABET.find(last).unwrap();
    format!("{front}{}", &ALPHABET[at + 1..at + 2])
}

fn swapped(house: &House, good: &str) -> String {
    let administrator = house.administrator();
    let claims = administrator.split('.').nth(1).unwrap();
    let parts: Vec<&str> = good.split('.').collect();
    format!("{}.{claims}.{}", parts[0], parts[2])
}

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
    let variants = variants(&house);
    assert!(variants.len() >= 100, "{}", variants.len());
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
