//! Access tokens that are not the right ones.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde_json::{Value, json};

use super::{Forge, encode, hs256};

/// What a good token is made of: with this key, header and claims it would be accepted.
pub struct Template<'a> {
    /// A key that is known.
    pub forge: &'a Forge,
    /// Claims of a member of a tenant.
    pub claims: &'a Value,
    /// Seconds since the Unix epoch.
    pub now: i64,
    /// An address that somebody listens at: nobody may ever ask there.
    pub trap: &'a str,
}

fn with(value: &Value, name: &str, member: Value) -> Value {
    let mut changed = value.clone();
    changed[name] = member;
    changed
}

fn without(value: &Value, name: &str) -> Value {
    let mut changed = value.clone();
    changed.as_object_mut().map(|members| members.remove(name));
    changed
}

/// Every way that is not the right one, with its name.
///
/// # Panics
/// When the template has no tenant in its claims.
pub fn variants(template: &Template<'_>) -> Vec<(String, String)> {
    let Template {
        forge,
        claims,
        now,
        trap,
    } = template;
    let (claims, now) = ((*claims).clone(), *now);
    let tenant = claims["tid"]
        .as_str()
        .unwrap_or_else(|| panic!("a tenant"))
        .to_owned();
    let header = forge.header();
    let good = forge.sign(&header, &claims);
    let (message, signature) = good.rsplit_once('.').unwrap_or_default();
    let (head, body) = message.split_once('.').unwrap_or_default();
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
        ("jku", format!("{trap}/jwks").into()),
        ("x5u", format!("{trap}/x").into()),
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
        ("iat", json!(now + 540)),
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
        ("tid", json!("00000000-0000-0000-0000-000000000000")),
        ("tid", json!(7)),
        ("tid", Value::Null),
        ("tid", json!(tenant.to_uppercase())),
        ("tid", json!(tenant.replace('-', ""))),
        ("tid", json!(format!("{{{tenant}}}"))),
        ("role", json!("platform_admin")),
        ("role", json!("Platform Admin")),
        ("role", json!("root")),
        ("role", json!("")),
        ("role", json!(["owner"])),
        ("jti", json!("")),
        ("permissions", json!(["*"])),
        ("tenant_id", json!(tenant)),
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
    let doubled = claims
        .to_string()
        .replacen('{', "{\"tid\":\"00000000-0000-0000-0000-000000000007\",", 1);
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
    let owner = with(&claims, "role", "owner".into());
    let owner = with(&owner, "jti", "another".into());
    add(
        "claims of another token",
        format!("{head}.{}.{signature}", encode(owner.to_string())),
    );
    add(
        "a bit of the claims",
        good.replacen(&body[10..11], if &body[10..11] == "A" { "B" } else { "A" }, 1),
    );
    all
}

/// The same signature in other letters: the last character of 64 bytes in base64 has four bits that count for nothing.
///
/// # Panics
/// When the text does not end as a token does.
pub fn respelled(token: &str) -> String {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (front, last) = token.split_at(token.len() - 1);
    let at = ALPHABET.find(last).unwrap_or_else(|| panic!("a token: {token}"));
    format!("{front}{}", &ALPHABET[at + 1..at + 2])
}
