use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use futures_util::future::join_all;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use plaza_contracts::proto::identity::SigningKeysRequest;
use plaza_contracts::services::IDENTITY;
use plaza_contracts::tokens::{AUDIENCE, AccessClaims};
use plaza_crypto::KeyRing;
use plaza_identity::{Identity, IdentityConfig};
use plaza_rpc::RpcError;
use serde_json::{Value, json};

use crate::house::{House, Tokens};

async fn key_set(house: &House) -> Value {
    let jwks = house
        .rpc()
        .signing_keys(SigningKeysRequest {})
        .await
        .map_err(RpcError::from)
        .unwrap()
        .into_inner()
        .jwks;
    let public = house
        .mounted
        .anonymous()
        .get("/.well-known/jwks.json")
        .await
        .assert_ok();
    assert_eq!(public.headers["content-type"], "application/json");
    assert_eq!(public.text(), jwks);
    public.value()
}

fn verify(token: &str, set: &Value) -> Option<AccessClaims> {
    let header = jsonwebtoken::decode_header(token).ok()?;
    let key = set["keys"]
        .as_array()?
        .iter()
        .find(|key| key["kid"].as_str() == header.kid.as_deref())?;
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_audience(&[AUDIENCE]);
    validation.set_issuer(&["plaza"]);
    let key = DecodingKey::from_ed_components(key["x"].as_str()?).ok()?;
    Some(jsonwebtoken::decode(token, &key, &validation).ok()?.claims)
}

#[tokio::test]
async fn an_access_token_has_the_promised_shape() {
    let house = House::open().await;
    let tenant = house.tenant_with_owner("acme", "ada@example.org").await;
    let tokens = Tokens::of(house.log_in("ada@example.org").await);
    let set = key_set(&house).await;

    let header: Value = serde_json::from_slice(
        &URL_SAFE_NO_PAD
            .decode(tokens.access.split('.').next().unwrap())
            .unwrap(),
    )
    .unwrap();
    assert_eq!(
        header,
        json!({"typ": "at+jwt", "alg": "EdDSA", "kid": set["keys"][0]["kid"]})
    );
    let claims = verify(&tokens.access, &set).unwrap();
    assert_eq!(
        (claims.tid, claims.role.as_str(), claims.exp - claims.iat),
        (Some(tenant), "owner", 600)
    );
    let payload: Value = serde_json::from_slice(
        &URL_SAFE_NO_PAD
            .decode(tokens.access.split('.').nth(1).unwrap())
            .unwrap(),
    )
    .unwrap();
    let mut names: Vec<&str> = payload.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        ["aud", "exp", "iat", "iss", "jti", "role", "sid", "sub", "tid"]
    );
    assert_eq!(
        set["keys"][0]
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect::<std::collections::BTreeSet<_>>(),
        ["alg", "crv", "kid", "kty", "use", "x"].into()
    );
}

#[tokio::test]
async fn processes_that_start_together_make_one_key() {
    let house = House::open().await;
    let processes: Vec<Identity> = (0..8)
        .map(|_| house.another(house.database.of(IDENTITY)))
        .collect();
    for prepared in join_all(processes.iter().map(Identity::prepare)).await {
        prepared.unwrap();
    }
    assert_eq!(house.count("SELECT count(*) FROM identity.signing_keys").await, 1);
    assert_eq!(
        house.count("SELECT count(*) FROM identity.server_secrets").await,
        1
    );
    let links = join_all(processes.iter().map(Identity::setup_link)).await;
    let links: std::collections::BTreeSet<String> = links
        .into_iter()
        .map(|link| secrecy::ExposeSecret::expose_secret(&link.unwrap().unwrap()).to_owned())
        .collect();
    assert_eq!(links.len(), 1);
}

#[tokio::test]
async fn an_old_key_is_replaced_and_shown_until_its_tokens_are_dead() {
    let house = House::open().await;
    house.tenant_with_owner("acme", "ada@example.org").await;
    let before = Tokens::of(house.log_in("ada@example.org").await);
    assert_eq!(key_set(&house).await["keys"].as_array().unwrap().len(), 1);

    house.time.advance(TimeDelta::days(30));
    house.identity.prepare().await.unwrap();
    let set = key_set(&house).await;
    assert_eq!(set["keys"].as_array().unwrap().len(), 2);
    let after = Tokens::of(house.log_in("ada@example.org").await);
    assert!(verify(&after.access, &set).is_some());
    assert!(
        verify(&before.access, &set).is_some(),
        "the old key is still shown"
    );
    let kid = |tokens: &Tokens| jsonwebtoken::decode_header(&tokens.access).unwrap().kid;
    assert_ne!(kid(&before), kid(&after));

    house.time.advance(TimeDelta::days(2));
    assert_eq!(key_set(&house).await["keys"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn private_keys_are_sealed_and_open_with_their_own_ring_only() {
    let house = House::open().await;
    house.identity.prepare().await.unwrap();
    let admin = house.database.admin().await;
    let sealed: String = admin
        .query_one("SELECT sealed FROM identity.signing_keys", &[])
        .await
        .unwrap()
        .get(0);
    assert!(sealed.starts_with("v2."), "{sealed}");
    let ring = KeyRing::parse(&KeyRing::generate()).unwrap();
    let config = IdentityConfig::default();
    let stranger = Identity::new(
        config,
        house.database.of(IDENTITY),
        &house.directory,
        house.clock.clone(),
        ring,
    );
    stranger.prepare().await.unwrap_err();
}
