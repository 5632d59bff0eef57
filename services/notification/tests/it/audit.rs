//! What is done to senders and suppressions is in the tenant's audit: no token, no number.

use http::StatusCode;
use plaza_audit::{AuditFilter, list};
use plaza_contracts::services::NOTIFICATION;
use plaza_kernel::PageQuery;
use serde_json::{Value, json};

use crate::stage::{Stage, quick};

#[tokio::test]
async fn a_sender_and_a_suppression_are_told_without_token_and_number() {
    let stage = Stage::open("http://127.0.0.1:9", quick()).await;
    let owner = stage.owner();
    let body = json!({"name": "Other", "phone_number_id": "4242", "access_token": "CANARY-1"});
    let made = owner.post("/api/v1/notifications/senders", &body).await;
    let sender = made.assert_status(StatusCode::CREATED).value()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("/api/v1/notifications/senders/{sender}/access-token");
    let renewed = owner.put(&path, &json!({"access_token": "CANARY-2"})).await;
    renewed.assert_status(StatusCode::NO_CONTENT);
    let body = json!({"address": "+4915112345678"});
    owner
        .post("/api/v1/notifications/suppressions", &body)
        .await
        .assert_status(StatusCode::CREATED);

    let database = stage.database.of(NOTIFICATION);
    let all = list(
        &database,
        stage.tenant.into(),
        &AuditFilter::default(),
        PageQuery::default(),
    )
    .await;
    let all: Vec<Value> = all
        .unwrap()
        .items
        .iter()
        .rev()
        .map(plaza_audit::AuditRow::to_json)
        .collect();
    let actions: Vec<&str> = all.iter().map(|row| row["action"].as_str().unwrap()).collect();
    // The first is the stage's own sender.
    assert_eq!(
        actions,
        [
            "senders.create",
            "senders.create",
            "senders.renew_token",
            "suppressions.create"
        ]
    );
    assert_eq!(all[1]["target"], json!({"kind": "sender", "id": sender}));
    assert_eq!(all[1]["after"]["name"], "Other");
    let text = Value::from(all).to_string();
    assert!(!text.contains("CANARY") && !text.contains("12345678"), "{text}");
}

/// A column that is not declared would keep values under keys that are said to be unused.
#[tokio::test]
async fn every_sealed_column_is_known_to_the_vault() {
    let stage = Stage::open("http://127.0.0.1:9", quick()).await;
    let mut known: Vec<String> = plaza_vault::registered(NOTIFICATION)
        .map(|column| format!("{}.{}", column.table, column.column))
        .collect();
    known.sort();
    let sql = "SELECT table_schema || '.' || table_name || '.' || column_name FROM information_schema.columns
                WHERE table_schema = 'notification' AND column_name ~ '(sealed|token$)' ORDER BY 1";
    let rows = stage.database.admin().await.query(sql, &[]).await.unwrap();
    let found: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(found, known);
}
