//! What a tenant entrusts to Plaza, and nobody is shown again.

use chrono::TimeDelta;
use http::StatusCode;
use plaza_contracts::services::TENANCY;
use plaza_kernel::TenantId;
use plaza_testkit::callers;
use plaza_vault::{Vault, registered};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::stage::{Stage, assert_alike, pointers};

const VALUE: &str = "EAAG-0123456789-canary";

fn secrets(tenant: TenantId) -> String {
    format!("/api/v1/admin/tenants/{tenant}/secrets")
}

fn one(tenant: TenantId, key: &str) -> String {
    format!("{}/messaging/{key}", secrets(tenant))
}

/// The id and the sealed value of the only secret.
async fn stored(stage: &Stage) -> (Uuid, String) {
    let admin = stage.database.admin().await;
    let row = admin
        .query_one("SELECT id, sealed FROM tenancy.secrets", &[])
        .await
        .unwrap();
    (row.get(0), row.get(1))
}

async fn opened(stage: &Stage, tenant: TenantId, (id, sealed): &(Uuid, String)) -> Option<String> {
    let vault = Vault::new(
        stage.database.of(TENANCY),
        stage.keys.clone(),
        stage.clock.clone(),
    );
    let column = registered(TENANCY).next().unwrap();
    let value = vault.open(tenant, column, &id.to_string(), sealed).await.ok()?;
    Some(String::from_utf8(value.expose_secret().clone()).unwrap())
}

fn items(page: &Value) -> Vec<(&str, &str, Option<&str>)> {
    let items = page["items"].as_array().unwrap().iter();
    items
        .map(|item| {
            let text = |name: &str| item[name].as_str();
            (text("namespace").unwrap(), text("key").unwrap(), text("hint"))
        })
        .collect()
}

#[tokio::test]
async fn a_secret_goes_in_and_only_a_hint_comes_out() {
    let stage = Stage::open().await;
    let tenant = stage.tenant("acme").await;
    let owner = stage.mounted.as_caller(&callers::owner(tenant));
    let put = owner
        .put(&one(tenant, "whatsapp_token"), &json!({"value": VALUE}))
        .await;
    put.assert_status(StatusCode::NO_CONTENT);
    owner
        .put(&one(tenant, "pin"), &json!({"value": "1234"}))
        .await
        .assert_ok();

    let list = owner.get(&secrets(tenant)).await.assert_ok();
    assert!(!list.text().contains(VALUE) && !list.text().contains("1234"));
    let page = list.value();
    assert_eq!(
        items(&page),
        [
            ("messaging", "whatsapp_token", Some("nary")),
            ("messaging", "pin", None)
        ]
    );
    assert!(page["items"][0]["updated_at"].is_string());
    for path in [one(tenant, "whatsapp_token"), one(tenant, "none")] {
        let reply = owner.get(&path).await;
        assert_eq!(
            reply.status,
            StatusCode::METHOD_NOT_ALLOWED,
            "there is nothing to be read"
        );
    }
    // Neither the events nor any column has it.
    let told = "SELECT count(*) FROM tenancy.outbox WHERE payload LIKE '%canary%'";
    assert_eq!(stage.count(told).await, 0);
    let kept = "SELECT count(*) FROM tenancy.secrets s WHERE s::text LIKE '%canary%'";
    assert_eq!(stage.count(kept).await, 0);

    owner
        .delete(&one(tenant, "pin"))
        .await
        .assert_status(StatusCode::NO_CONTENT);
    let again = owner.delete(&one(tenant, "pin")).await;
    again.assert_failed(StatusCode::NOT_FOUND, "SECRET_NOT_FOUND");
}

#[tokio::test]
async fn a_sealed_value_opens_in_its_own_place_only() {
    let stage = Stage::open().await;
    let (tenant, rival) = (stage.tenant("acme").await, stage.tenant("rival").await);
    let owner = stage.mounted.as_caller(&callers::owner(tenant));
    owner
        .put(&one(tenant, "token"), &json!({"value": VALUE}))
        .await
        .assert_ok();
    let first = stored(&stage).await;
    assert_eq!(opened(&stage, tenant, &first).await.as_deref(), Some(VALUE));
    assert_eq!(opened(&stage, rival, &first).await, None);

    // Another value in the same place; sealed anew it stays that value.
    owner
        .put(&one(tenant, "token"), &json!({"value": "another value of it"}))
        .await
        .assert_ok();
    let second = stored(&stage).await;
    assert_eq!(first.0, second.0);
    let rotated = owner
        .post(&format!("{}/rotate", one(tenant, "token")), &json!({}))
        .await;
    rotated.assert_status(StatusCode::NO_CONTENT);
    let third = stored(&stage).await;
    assert_ne!(second.1, third.1);
    assert_eq!(
        opened(&stage, tenant, &third).await.as_deref(),
        Some("another value of it")
    );
    let nothing = owner
        .post(&format!("{}/rotate", one(tenant, "none")), &json!({}))
        .await;
    nothing.assert_failed(StatusCode::NOT_FOUND, "SECRET_NOT_FOUND");

    // Who moves a row in the database gets an error, never another's secret.
    let moved = "UPDATE tenancy.secrets SET id = gen_random_uuid()";
    assert_eq!(stage.database.admin().await.execute(moved, &[]).await.unwrap(), 1);
    assert_eq!(opened(&stage, tenant, &stored(&stage).await).await, None);
    let broken = owner
        .post(&format!("{}/rotate", one(tenant, "token")), &json!({}))
        .await;
    broken.assert_failed(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL");
}

#[tokio::test]
async fn what_cannot_be_a_secret_is_refused() {
    let stage = Stage::open().await;
    let tenant = stage.tenant("acme").await;
    let owner = stage.mounted.as_caller(&callers::owner(tenant));
    for value in [String::new(), "x".repeat(8_193)] {
        let reply = owner.put(&one(tenant, "token"), &json!({"value": value})).await;
        let problem = reply
            .assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_SECRET")
            .value();
        assert_eq!(pointers(&problem), ["/value"]);
    }
    let longest = json!({"value": "x".repeat(8_192)});
    owner.put(&one(tenant, "token"), &longest).await.assert_ok();
    let reply = owner.put(&one(tenant, "Token%20"), &longest).await;
    let problem = reply
        .assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_SECRET")
        .value();
    assert_eq!(pointers(&problem), ["key"]);
    let reply = owner
        .put(&format!("{}/security/token", secrets(tenant)), &longest)
        .await;
    reply.assert_failed(StatusCode::NOT_FOUND, "NAMESPACE_NOT_FOUND");
    let reply = owner
        .put(&one(tenant, "token"), &json!({"value": "x", "hint": "y"}))
        .await;
    let refused = reply.assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_BODY");
    assert!(!refused.text().contains("xxxx"));
}

#[tokio::test]
async fn there_is_an_end_to_what_is_kept_for_one_tenant() {
    let stage = Stage::open().await;
    let tenant = stage.tenant("acme").await;
    let admin = stage.mounted.as_caller(&callers::platform_admin());
    for number in 0..100 {
        admin
            .put(&one(tenant, &format!("key-{number}")), &json!({"value": "x"}))
            .await
            .assert_ok();
    }
    let more = admin.put(&one(tenant, "one-more"), &json!({"value": "x"})).await;
    more.assert_failed(StatusCode::CONFLICT, "TOO_MANY_SECRETS");
    // One that is there is still replaced.
    admin
        .put(&one(tenant, "key-7"), &json!({"value": "y"}))
        .await
        .assert_ok();
    let first = admin
        .get(&format!("{}?limit=60", secrets(tenant)))
        .await
        .assert_ok()
        .value();
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = admin
        .get(&format!("{}?limit=60&cursor={cursor}", secrets(tenant)))
        .await
        .value();
    assert_eq!((items(&first).len(), items(&second).len()), (60, 40));
    assert!(second["next_cursor"].is_null());
}

#[tokio::test]
async fn another_tenants_secrets_look_like_none() {
    let stage = Stage::open().await;
    let (mine, theirs) = (stage.tenant("acme").await, stage.tenant("rival").await);
    let admin = stage.mounted.as_caller(&callers::platform_admin());
    admin
        .put(&one(theirs, "token"), &json!({"value": VALUE}))
        .await
        .assert_ok();
    let owner = stage.mounted.as_caller(&callers::owner(mine));
    let nobody = callers::tenant();
    let value = json!({"value": "mine"});
    let foreign = [
        owner.get(&secrets(theirs)).await,
        owner.put(&one(theirs, "token"), &value).await,
        owner.delete(&one(theirs, "token")).await,
        owner
            .post(&format!("{}/rotate", one(theirs, "token")), &json!({}))
            .await,
    ];
    let random = [
        owner.get(&secrets(nobody)).await,
        owner.put(&one(nobody, "token"), &value).await,
        owner.delete(&one(nobody, "token")).await,
        owner
            .post(&format!("{}/rotate", one(nobody, "token")), &json!({}))
            .await,
    ];
    for (foreign, random) in foreign.into_iter().zip(random) {
        let foreign = foreign.assert_failed(StatusCode::NOT_FOUND, "TENANT_NOT_FOUND");
        assert_alike(&foreign, &random);
    }
    let kept = stored(&stage).await;
    assert_eq!(opened(&stage, theirs, &kept).await.as_deref(), Some(VALUE));
    // A name that another tenant uses is free.
    owner.put(&one(mine, "token"), &value).await.assert_ok();
}

#[tokio::test]
async fn secrets_are_read_by_the_numbers_of_their_pages_too() {
    let stage = Stage::open().await;
    let tenant = stage.tenant("acme").await;
    let owner = stage.mounted.as_caller(&callers::owner(tenant));
    for key in ["one", "two", "three"] {
        owner
            .put(&one(tenant, key), &json!({"value": VALUE}))
            .await
            .assert_ok();
        stage.time.advance(TimeDelta::seconds(1));
    }
    let page = async |number: u32| -> Vec<String> {
        let path = format!("{}?limit=2&page={number}", secrets(tenant));
        let page = owner.get(&path).await.assert_ok().value();
        let items = page["items"].as_array().unwrap().iter();
        items
            .map(|item| item["key"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(page(1).await, ["one", "two"]);
    assert_eq!(page(2).await, ["three"]);
    assert_eq!(page(3).await, [""; 0]);
}
