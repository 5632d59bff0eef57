//! Tokens that must not be believed.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use plaza_crypto::hmac_sha256;
use plaza_rpc::NotTrusted::{self, Audience, Claims, Form, Signature, Time};
use serde_json::{Value, json};

use crate::forge::{ACCESS, Forge, NOW, clock, encode, keys, seed};

type Forged = (&'static str, String, NotTrusted);

/// Signed as it should be, but by or with the wrong thing.
fn wrong_signatures() -> Vec<Forged> {
    let good = Forge::good();
    let token = good.sign();
    let (message, signature) = token.rsplit_once('.').unwrap();
    let with = |seed| Forge { seed, ..good.clone() }.sign();
    let public = aws_lc_rs::signature::Ed25519KeyPair::from_seed_unchecked(&seed("gateway")).unwrap();
    let public = aws_lc_rs::signature::KeyPair::public_key(&public)
        .as_ref()
        .to_vec();
    let swapped = encode(
        good.claims
            .to_string()
            .replace("\"member\"", "\"owner\"")
            .as_bytes(),
    );
    let (header, _) = message.split_once('.').unwrap();
    let hmac = {
        let header = encode(
            json!({ "alg": "HS256", "typ": "txn+jwt", "kid": "gateway" })
                .to_string()
                .as_bytes(),
        );
        let message = format!("{header}.{}", encode(good.claims.to_string().as_bytes()));
        format!("{message}.{}", encode(&hmac_sha256(&public, message.as_bytes())))
    };
    vec![
        (
            "another service's key under this one's name",
            with(seed("identity")),
            Signature,
        ),
        ("a key from nowhere", with([7; 32]), Signature),
        ("no signature", format!("{message}."), Signature),
        (
            "half a signature",
            format!("{message}.{}", &signature[..40]),
            Signature,
        ),
        (
            "claims changed after signing",
            format!("{header}.{swapped}.{signature}"),
            Signature,
        ),
        ("the public key as an HMAC key", hmac, Form),
        (
            "an issuer that is none",
            good.clone().header("/kid", json!("mallory")).sign(),
            Signature,
        ),
        (
            "a path as a key",
            good.clone().header("/kid", json!("../../dev/null")).sign(),
            Signature,
        ),
        (
            "an empty key",
            good.clone().header("/kid", json!("")).sign(),
            Signature,
        ),
        (
            "a key in capitals",
            good.clone().header("/kid", json!("Gateway")).sign(),
            Signature,
        ),
        (
            "a claim to be another service",
            good.clone().claim("/iss", json!("identity")).sign(),
            Signature,
        ),
    ]
}

/// Headers that ask to be read in another way.
fn wrong_headers() -> Vec<Forged> {
    let good = Forge::good();
    let header = |pointer, value: Value| good.clone().header(pointer, value).sign();
    let twice = r#"{"alg":"EdDSA","alg":"none","typ":"txn+jwt","kid":"gateway"}"#;
    let unsigned = format!(
        "{}.{}.",
        encode(br#"{"alg":"none","typ":"txn+jwt","kid":"gateway"}"#),
        encode(good.claims.to_string().as_bytes())
    );
    vec![
        ("no algorithm", unsigned, Form),
        ("no algorithm, but signed", header("/alg", json!("nOnE")), Form),
        ("another algorithm", header("/alg", json!("ES256")), Form),
        (
            "the algorithm in small letters",
            header("/alg", json!("eddsa")),
            Form,
        ),
        ("an access token's type", header("/typ", json!("at+jwt")), Form),
        ("no type", header("/typ", Value::Null), Form),
        ("no key", header("/kid", Value::Null), Form),
        ("a key as a number", header("/kid", json!(7)), Form),
        ("something critical", header("/crit", json!(["exp"])), Form),
        ("a key of its own", header("/jwk", json!({ "kty": "OKP" })), Form),
        (
            "a key to be fetched",
            header("/jku", json!("http://127.0.0.1/keys")),
            Form,
        ),
        ("compressed", header("/zip", json!("DEF")), Form),
        (
            "two algorithms",
            good.sign_text(twice, &good.claims.to_string()),
            Form,
        ),
    ]
}

/// Claims that do not hold, all well signed.
fn wrong_claims() -> Vec<Forged> {
    let good = Forge::good();
    let claim = |pointer, value: Value| good.clone().claim(pointer, value).sign();
    let until = |iat: i64, exp: i64| {
        good.clone()
            .claim("/iat", json!(iat))
            .claim("/exp", json!(exp))
            .sign()
    };
    let twice = good.claims.to_string().replacen('{', r#"{"aud":"identity","#, 1);
    vec![
        ("for another service", claim("/aud", json!("identity")), Audience),
        (
            "for several services",
            claim("/aud", json!(["access", "identity"])),
            Claims,
        ),
        (
            "for this one, as a list",
            claim("/aud", json!(["access"])),
            Claims,
        ),
        ("for nobody", claim("/aud", Value::Null), Claims),
        ("for a number", claim("/aud", json!(1)), Claims),
        (
            "for two, one after the other",
            good.sign_text(&good.header.to_string(), &twice),
            Claims,
        ),
        ("over", until(NOW - 31, NOW - 1), Time),
        ("over this very second", until(NOW - 30, NOW), Time),
        ("without an end", claim("/exp", Value::Null), Claims),
        ("its end a text", claim("/exp", json!("1900000000")), Claims),
        ("its end a fraction", claim("/exp", json!(1.8e9)), Claims),
        ("its end beyond all numbers", claim("/exp", json!(1e308)), Claims),
        ("living for 31 seconds", until(NOW, NOW + 31), Time),
        ("ending before it begins", until(NOW + 3, NOW + 2), Time),
        ("from the future", until(NOW + 6, NOW + 30), Time),
        ("from an age that overflows", until(i64::MIN, i64::MAX), Time),
        ("without a beginning", claim("/iat", Value::Null), Claims),
        ("without an id", claim("/jti", Value::Null), Claims),
        ("its id no UUID", claim("/jti", json!("7")), Claims),
        ("without an issuer", claim("/iss", Value::Null), Claims),
        ("its issuer a number", claim("/iss", json!(1)), Claims),
        ("an unknown claim", claim("/scope", json!("everything")), Claims),
    ]
}

/// People who are not quite there, all well signed.
fn wrong_people() -> Vec<Forged> {
    let good = Forge::good();
    let claim = |pointer, value: Value| good.clone().claim(pointer, value).sign();
    let capitals = "0190A3C2-7B1E-7C3D-8E4F-5A6B7C8D9E01";
    let nil = "00000000-0000-0000-0000-000000000000";
    vec![
        (
            "a caller without a scope",
            claim("/caller/scope", Value::Null),
            Claims,
        ),
        (
            "a caller with an empty scope",
            claim("/caller/scope", json!("")),
            Claims,
        ),
        (
            "a caller of no tenant",
            claim("/caller/scope", json!(nil)),
            Claims,
        ),
        (
            "a caller in capitals",
            claim("/caller/scope", json!(capitals)),
            Claims,
        ),
        (
            "a member of the platform",
            claim("/caller/scope", json!("platform")),
            Claims,
        ),
        (
            "an administrator of a tenant",
            claim("/caller/role", json!("platform_admin")),
            Claims,
        ),
        (
            "a role that is none",
            claim("/caller/role", json!("Platform Admin")),
            Claims,
        ),
        (
            "a caller without a role",
            claim("/caller/role", Value::Null),
            Claims,
        ),
        (
            "a caller who is nobody",
            claim("/caller/subject", json!(nil)),
            Claims,
        ),
        (
            "a caller without a session",
            claim("/caller/session", Value::Null),
            Claims,
        ),
        (
            "a caller with permissions",
            claim("/caller/permissions", json!(["*"])),
            Claims,
        ),
        (
            "a host of another tenant",
            claim("/host/tenant", json!("0190a3c2-7b1e-7c3d-8e4f-5a6b7c8d9e09")),
            Claims,
        ),
        ("a host without a name", claim("/host/slug", json!("")), Claims),
    ]
}

/// What is no token at all.
fn wrong_forms() -> Vec<Forged> {
    let token = Forge::good().sign();
    let padded = {
        let (message, _) = token.rsplit_once('.').unwrap();
        format!("{message}.{}", URL_SAFE.encode([0; 64]))
    };
    let standard = {
        let (message, _) = token.rsplit_once('.').unwrap();
        format!("{message}.{}", STANDARD.encode([0xff; 64]))
    };
    vec![
        ("nothing", String::new(), Form),
        ("three dots", "...".to_owned(), Form),
        ("a word", "token".to_owned(), Form),
        ("a space behind it", format!("{token} "), Form),
        ("a letter behind it", format!("{token}AAAA"), Signature),
        ("a fourth part", format!("{token}.AAAA"), Form),
        ("five parts", format!("{token}.AAAA.AAAA"), Form),
        ("padding", padded, Form),
        ("the other alphabet", standard, Form),
        ("longer than any of ours", "a".repeat(64 << 10), Form),
        ("letters that are none", token.replacen('.', "é.", 1), Form),
    ]
}

#[test]
fn no_forged_token_is_believed() {
    let (clock, _) = clock();
    let verifier = keys().verifier(ACCESS, clock);
    verifier.verify(&Forge::good().sign()).unwrap();
    let all = [
        wrong_signatures(),
        wrong_headers(),
        wrong_claims(),
        wrong_people(),
        wrong_forms(),
    ]
    .concat();
    assert!(all.len() >= 25);
    for (what, token, reason) in &all {
        // Twice: what was refused once is not remembered as good.
        for _ in 0..2 {
            assert_eq!(verifier.verify(token).unwrap_err(), *reason, "{what}");
        }
    }
    println!("{} forged tokens were refused", all.len());
}

#[test]
fn no_changed_byte_is_overlooked() {
    let (clock, _) = clock();
    let verifier = keys().verifier(ACCESS, clock);
    let token = Forge::good().sign();
    for at in 0..token.len() {
        for replacement in ["A", "B", ".", "_"] {
            let mut changed = token.clone();
            changed.replace_range(at..=at, replacement);
            if changed != token {
                assert!(verifier.verify(&changed).is_err(), "{replacement} at {at}");
            }
        }
    }
}
