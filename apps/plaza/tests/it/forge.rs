//! Tokens that nobody of ours made, and secrets that are no tokens, at every door: the public listener, and the HTTP and gRPC of
//! every service. A key of our own is planted among identity's public keys, so that what is refused is refused for what it
//! says: with that key, a token that is right is taken.

mod trap;

use std::time::Duration;

use http::{Method, Version};
use plaza_testkit::forge::{Forge, Template, encode, hs256, variants};
use serde_json::{Value, json};

use self::trap::Trap;
use crate::client::{Api, answer};
use crate::fleet::{Fleet, SERVICES};
use crate::front::{Front, Running, Topology};
use crate::plaza::printed;
use crate::story::{self, Tenant};

const ME: &str = "/api/v1/auth/me";
const INTERNAL: &str = "x-plaza-internal-token";
/// What no clock of the fleet is old enough for.
const LIFE: i64 = 600;

/// A Plaza with a key of ours among its keys.
pub(crate) struct Town {
    pub(crate) plaza: Running,
    pub(crate) admin: Api,
    pub(crate) acme: Tenant,
    pub(crate) forge: Forge,
    trap: Trap,
}

impl Town {
    pub(crate) async fn open(topology: Topology) -> Self {
        let plaza = Running::start(topology).await;
        let admin = story::administrator(&plaza).await;
        let acme = story::tenant(&admin, "acme").await;
        let forge = Forge::new("planted");
        let jwk = forge.jwk().to_string();
        let plant = "INSERT INTO identity.signing_keys (kid, sealed, public_jwk, created_at, retire_at)
                     VALUES ($1, 'planted', $2, now() - interval '1 day', now() + interval '1 day')";
        plaza.superuser().await.rows(plant, &[&forge.kid, &jwk]).await;
        let trap = Trap::open().await;
        Self {
            plaza,
            admin,
            acme,
            forge,
            trap,
        }
    }

    /// The claims of the owner's own token, from now on.
    pub(crate) fn claims(&self) -> Value {
        let mut claims = claims_of(self.acme.owner.token().unwrap());
        claims["iat"] = now().into();
        claims["exp"] = (now() + LIFE).into();
        claims
    }

    async fn me(&self, token: &str) -> (u16, String) {
        let answer = self.plaza.api().with_token(token).get(ME).await;
        let code = answer.json()["code"].as_str().unwrap_or_default().to_owned();
        (answer.status.as_u16(), code)
    }

    /// Tokens that are not the right ones, each with its name.
    fn forged(&self) -> Vec<(String, String)> {
        let claims = self.claims();
        let template = Template {
            forge: &self.forge,
            claims: &claims,
            now: now(),
            trap: &self.trap.url,
        };
        let mut all = variants(&template);
        assert!(all.len() >= 100, "{}", all.len());
        // A key of one's own, behind an address that somebody would have to ask.
        let other = Forge::new("elsewhere");
        for name in ["jku", "x5u"] {
            let mut header = other.header();
            header[name] = format!("{}/keys.json", self.trap.url).into();
            all.push((format!("a key behind {name}"), other.sign(&header, &claims)));
        }
        all
    }
}

fn now() -> i64 {
    plaza_kernel::Clock::system().now().timestamp()
}

fn claims_of(token: &str) -> Value {
    use base64::Engine;
    let claims = token.split('.').nth(1).unwrap();
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(claims)
        .unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

#[tokio::test]
async fn one_process_believes_no_forged_token() {
    no_forged_token_is_believed(Topology::OneProcess).await;
}

#[tokio::test]
async fn no_door_of_the_pieces_believes_a_forged_token() {
    no_forged_token_is_believed(Topology::Pieces).await;
}

async fn no_forged_token_is_believed(topology: Topology) {
    let mut town = Town::open(topology).await;
    let good = town.forge.sign(&town.forge.header(), &town.claims());
    assert_eq!(
        town.me(&good).await,
        (200, String::new()),
        "the forge makes good ones too"
    );
    let forged = town.forged();
    for (name, token) in &forged {
        let told = town.me(token).await;
        assert_eq!(told, (401, "INVALID_TOKEN".to_owned()), "{name}: {token:.200}");
    }
    if let Running::Pieces(fleet) = &town.plaza {
        for service in SERVICES {
            // Not even the right one: no service takes tokens of people.
            for (name, token) in forged.iter().chain([&("a good one".to_owned(), good.clone())]) {
                refused_inside(fleet, service, name, token).await;
            }
        }
    }
    assert_eq!(town.trap.sprung(), 0, "a token led somebody to another's address");
    town.plaza.stop().await;
}

/// Neither as the token of a person nor as that of a service, over HTTP or gRPC.
async fn refused_inside(fleet: &Fleet, service: &str, name: &str, token: &str) {
    let api = Api::at(&format!("http://{}", fleet.internal_address(service)));
    for request in [
        api.with_token(token).request(Method::GET, "/api/v1/auth/me"),
        api.request(Method::GET, "/api/v1/auth/me")
            .header(INTERNAL, token),
    ] {
        let status = answer(request).await.status;
        let expected: &[u16] = match service {
            "identity" => &[401],
            // Not its operation: there is nothing to be let in to.
            _ => &[401, 404],
        };
        assert!(expected.contains(&status.as_u16()), "{service}, {name}: {status}");
    }
    let status = called(fleet, service, Some(token)).await;
    assert_eq!(status, UNAUTHENTICATED, "{service}, {name}");
}

/// gRPC's own status.
const UNAUTHENTICATED: &str = "16";

/// What a call of a service's first method ends with.
async fn called(fleet: &Fleet, service: &str, token: Option<&str>) -> String {
    let method = match service {
        "identity" => "Identity/SigningKeys",
        "tenancy" => "Tenancy/Resolve",
        "access" => "Access/Grants",
        "notification" => "Notification/Counts",
        _ => "Broadcast/ListCampaigns",
    };
    let address = fleet.internal_address(service);
    let url = format!("http://{address}/plaza.{service}.v1.{method}");
    let client = reqwest::Client::builder().http2_prior_knowledge().no_proxy();
    let client = client.timeout(Duration::from_secs(20)).build().unwrap();
    let mut request = client
        .post(url)
        .version(Version::HTTP_2)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        // An empty message, not compressed.
        .body(vec![0; 5]);
    if let Some(token) = token {
        request = request.header(INTERNAL, token);
    }
    let answer = request.send().await.unwrap();
    let status = answer.headers().get("grpc-status");
    status.map_or_else(String::new, |status| status.to_str().unwrap().to_owned())
}

#[tokio::test]
async fn what_is_secret_but_no_access_token_is_none() {
    let mut town = Town::open(Topology::Pieces).await;
    let owner = &town.acme.owner;
    let login = json!({"email": "owner@acme.example", "password": story::PASSWORD});
    let pair = owner.post("/api/v1/auth/login", login).await.ok();
    let invited = owner
        .post("/api/v1/auth/users", json!({"email": "ben@acme.example"}))
        .await
        .ok();
    let Running::Pieces(fleet) = &town.plaza else {
        unreachable!("it is in pieces")
    };
    let mut secrets = vec![
        (
            "a refresh token".to_owned(),
            pair["refresh_token"].as_str().unwrap().to_owned(),
        ),
        (
            "an invitation".to_owned(),
            invited["token"].as_str().unwrap().to_owned(),
        ),
        ("the setup link".to_owned(), fleet.setup_token()),
        (
            "a session's id".to_owned(),
            town.claims()["sid"].as_str().unwrap().to_owned(),
        ),
        (
            "a user's id".to_owned(),
            town.claims()["sub"].as_str().unwrap().to_owned(),
        ),
    ];
    for issuer in SERVICES.into_iter().chain(["gateway"]) {
        for audience in ["identity", "access"] {
            let token = internal_token(fleet, issuer, audience).await;
            secrets.push((format!("the token of {issuer} for {audience}"), token));
        }
    }
    for (name, secret) in &secrets {
        let told = town.me(secret).await;
        assert_eq!(told, (401, "INVALID_TOKEN".to_owned()), "{name}");
        // Nor what a service would believe, from outside.
        let request = fleet.api().request(Method::GET, ME).header(INTERNAL, secret);
        answer(request).await.assert_failed(401, "UNAUTHENTICATED");
    }
    // An access token in the place of the others.
    let access = owner.token().unwrap();
    let refresh = fleet
        .api()
        .post("/api/v1/auth/refresh", json!({"refresh_token": access}))
        .await;
    refresh.assert_failed(401, "INVALID_REFRESH_TOKEN");
    let setup = json!({"token": access, "email": "owner@acme.example", "password": story::PASSWORD});
    let setup = fleet.api().post("/api/v1/auth/setup", setup).await;
    assert!(setup.status.is_client_error(), "{}", setup.text());
    town.plaza.stop().await;
}

async fn internal_token(fleet: &Fleet, issuer: &str, audience: &str) -> String {
    let output = fleet
        .run(&["internal-token", "--as", issuer, "--for", audience])
        .await;
    printed(&output).trim().to_owned()
}

#[tokio::test]
async fn the_key_of_a_service_signs_no_access_token_and_no_token_of_another_service() {
    let mut town = Town::open(Topology::Pieces).await;
    let Running::Pieces(fleet) = &town.plaza else {
        unreachable!("it is in pieces")
    };
    let installation = fleet.variable("PLAZA_INTERNAL_KEY");
    let claims = town.claims();
    for service in SERVICES.into_iter().chain(["gateway"]) {
        let seed = seed(&installation, service);
        for kid in [service, town.forge.kid.as_str()] {
            let key = Forge::seeded(&seed, kid);
            let told = town.me(&key.sign(&key.header(), &claims)).await;
            assert_eq!(
                told,
                (401, "INVALID_TOKEN".to_owned()),
                "{service}'s key as {kid}"
            );
            let mut header = key.header();
            header["alg"] = "HS256".into();
            for secret in [&seed[..], installation.as_bytes(), key.public_key()] {
                let told = town.me(&hs256(secret, &header, &claims)).await;
                assert_eq!(
                    told,
                    (401, "INVALID_TOKEN".to_owned()),
                    "a MAC with {service}'s key"
                );
            }
        }
    }
    // It is the right key that makes the difference: with its own name and nothing else changed, the token is taken.
    for (issuer, signs) in [
        ("gateway", "gateway"),
        ("gateway", "identity"),
        ("tenancy", "access"),
    ] {
        let key = Forge::seeded(&seed(&installation, signs), issuer);
        let internal = json!({
            "iss": issuer, "aud": "identity", "iat": now(), "exp": now() + 30,
            "jti": "0199c0de-0000-7000-8000-000000000001",
        });
        let header = json!({"alg": "EdDSA", "typ": "txn+jwt", "kid": issuer});
        let token = key.sign(&header, &internal);
        let api = Api::at(&format!("http://{}", fleet.internal_address("identity")));
        let request = api.request(Method::GET, ME).header(INTERNAL, &token);
        let told = answer(request).await;
        let expected = match issuer == signs {
            // Believed; and nobody is known to be asking.
            true => "UNAUTHENTICATED",
            false => "INTERNAL_TOKEN_INVALID",
        };
        told.assert_failed(401, expected);
        assert_eq!(
            called(fleet, "identity", Some(&token)).await != UNAUTHENTICATED,
            issuer == signs
        );
    }
    assert_eq!(called(fleet, "identity", None).await, UNAUTHENTICATED);
    town.plaza.stop().await;
}

/// The seed of a service's key, as an installation with one secret derives it.
fn seed(installation: &str, service: &str) -> [u8; 32] {
    plaza_crypto::hmac_sha256(
        installation.as_bytes(),
        format!("plaza internal {service}").as_bytes(),
    )
}

#[tokio::test]
async fn internal_tokens_that_say_too_much_or_too_little_are_none() {
    let mut town = Town::open(Topology::Pieces).await;
    let Running::Pieces(fleet) = &town.plaza else {
        unreachable!("it is in pieces")
    };
    let installation = fleet.variable("PLAZA_INTERNAL_KEY");
    let key = Forge::seeded(&seed(&installation, "gateway"), "gateway");
    let header = json!({"alg": "EdDSA", "typ": "txn+jwt", "kid": "gateway"});
    let owner = town.claims();
    let person =
        json!({"scope": owner["tid"], "subject": owner["sub"], "session": owner["sid"], "role": "owner"});
    let good = json!({
        "iss": "gateway", "aud": "identity", "iat": now(), "exp": now() + 30,
        "jti": "0199c0de-0000-7000-8000-000000000001", "caller": person,
    });
    let api = Api::at(&format!("http://{}", fleet.internal_address("identity")));
    let ask = async |header: &Value, claims: &Value| {
        let token = key.sign(header, claims);
        answer(api.request(Method::GET, ME).header(INTERNAL, token)).await
    };
    ask(&header, &good).await.ok();
    let with = |place: &str, value: Value| {
        let mut claims = good.clone();
        *claims.pointer_mut(place).unwrap() = value;
        claims
    };
    for (place, value) in [
        ("/aud", json!("access")),
        ("/aud", json!(["identity"])),
        ("/aud", json!("")),
        ("/iss", json!("identity")),
        ("/iss", Value::Null),
        ("/exp", json!(now() - 1)),
        ("/exp", json!(now() + 3600)),
        ("/exp", json!("later")),
        ("/iat", json!(now() + 25)),
        ("/iat", json!(now() - 3600)),
        ("/jti", json!("")),
        ("/caller/scope", json!("")),
        ("/caller/scope", Value::Null),
        ("/caller/scope", json!("platform")),
        ("/caller/scope", json!("00000000-0000-0000-0000-000000000000")),
        ("/caller/subject", json!("owner")),
        ("/caller/subject", json!("00000000-0000-0000-0000-000000000000")),
        ("/caller/session", json!("")),
        ("/caller/role", json!("platform_admin")),
        ("/caller/role", json!("Platform Admin")),
        ("/caller/role", json!("")),
    ] {
        let refused = ask(&header, &with(place, value.clone())).await;
        assert_eq!(
            refused.json()["code"],
            "INTERNAL_TOKEN_INVALID",
            "{place} {value}: {}",
            refused.text()
        );
    }
    for name in ["iss", "aud", "iat", "exp", "jti"] {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().remove(name);
        ask(&header, &claims)
            .await
            .assert_failed(401, "INTERNAL_TOKEN_INVALID");
    }
    for (name, value) in [
        ("typ", json!("at+jwt")),
        ("typ", json!("JWT")),
        ("alg", json!("none")),
        ("alg", json!("HS256")),
        ("kid", json!("identity")),
        ("kid", json!("nobody")),
        ("jku", json!(town.trap.url)),
        ("jwk", key.jwk()),
        ("crit", json!(["exp"])),
    ] {
        let mut changed = header.clone();
        changed[name] = value;
        ask(&changed, &good)
            .await
            .assert_failed(401, "INTERNAL_TOKEN_INVALID");
    }
    let unsigned = format!(
        "{}.{}.",
        encode(json!({"alg": "none", "typ": "txn+jwt", "kid": "gateway"}).to_string()),
        encode(good.to_string())
    );
    let request = api.request(Method::GET, ME).header(INTERNAL, unsigned);
    answer(request).await.assert_failed(401, "INTERNAL_TOKEN_INVALID");
    assert_eq!(town.trap.sprung(), 0);
    town.plaza.stop().await;
}

#[tokio::test]
async fn the_token_of_who_is_no_member_any_more_is_none_within_seconds() {
    let mut town = Town::open(Topology::OneProcess).await;
    let ben = story::member(&town.acme.owner, "ben@acme.example").await;
    ben.get(ME).await.ok();
    let users = town.acme.owner.all("/api/v1/auth/users").await;
    let user = users
        .iter()
        .find(|user| user["email"] == "ben@acme.example")
        .unwrap();
    let path = format!(
        "/api/v1/auth/users/{}",
        user["user_id"].as_str().or(user["id"].as_str()).unwrap()
    );
    let removed = town.acme.owner.delete(&path).await;
    assert_eq!(removed.status, 204, "{}", removed.text());
    plaza_testkit::eventually(Duration::from_secs(20), || async {
        ben.get(ME).await.status == 401
    })
    .await;
    // Another token for the same session, with a key that is known: what was removed is the person.
    let mut claims = claims_of(ben.token().unwrap());
    claims["exp"] = (now() + LIFE).into();
    let token = town.forge.sign(&town.forge.header(), &claims);
    assert_eq!(town.me(&token).await.0, 401);
    town.plaza.stop().await;
}
