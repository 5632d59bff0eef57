//! Templates.

use http::StatusCode;
use serde_json::{Value, json};

use crate::town::{Town, id_of};

/// What a test makes wrong.
type Change = fn(&mut Value);

fn template(change: impl FnOnce(&mut Value)) -> Value {
    let mut body = json!({"name": "spring_sale", "language": "en_US", "category": "MARKETING",
        "body": "Hello {{1}}, {{2}} off in {{3}}",
        "variables": ["name", {"literal": "20 %"}, {"field": "attrs.city", "default": "your town"}]});
    change(&mut body);
    body
}

#[tokio::test]
async fn a_template_is_made_once_per_name_and_language() {
    let town = Town::asleep(|_| {}).await;
    let (owner, rival) = (town.owner(), town.owner());
    let reply = owner
        .post("/templates", &template(|_| {}))
        .await
        .assert_status(StatusCode::CREATED);
    let path = format!("/templates/{}", id_of(&reply));
    assert_eq!(owner.get(&path).await.assert_ok().value(), reply.value());
    owner
        .post("/templates", &template(|_| {}))
        .await
        .assert_failed(StatusCode::CONFLICT, "TEMPLATE_EXISTS");
    owner
        .post("/templates", &template(|t| t["language"] = json!("de")))
        .await
        .assert_ok();
    assert_eq!(owner.all("/templates").await.len(), 2);

    rival
        .get(&path)
        .await
        .assert_failed(StatusCode::NOT_FOUND, "TEMPLATE_NOT_FOUND");
    rival.post("/templates", &template(|_| {})).await.assert_ok();
    assert_eq!(rival.all("/templates").await.len(), 1);
}

#[tokio::test]
async fn what_the_provider_would_refuse_is_refused_here() {
    let town = Town::asleep(|_| {}).await;
    let owner = town.owner();
    let cases: [(Change, &str); 9] = [
        (|t| t["name"] = json!("Spring Sale"), "/name"),
        (|t| t["name"] = json!("x".repeat(513)), "/name"),
        (|t| t["language"] = json!("english"), "/language"),
        (|t| t["body"] = json!(""), "/body"),
        (|t| t["body"] = json!("Hello {{1}} {{3}}"), "/body"),
        (|t| t["body"] = json!("Hello \u{7}"), "/body"),
        (|t| t["variables"] = json!(["name"]), "/variables"),
        (|t| t["variables"][0] = json!("password"), "/variables/0"),
        (|t| t["variables"][1] = json!({"literal": ""}), "/variables/1"),
    ];
    for (change, pointer) in cases {
        let reply = owner.post("/templates", &template(change)).await;
        let errors = reply
            .assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_BODY")
            .value()["errors"]
            .clone();
        assert!(
            errors.as_array().unwrap().iter().any(|e| e["pointer"] == pointer),
            "{pointer}: {errors:#}"
        );
    }
    let category = owner
        .post("/templates", &template(|t| t["category"] = json!("SPAM")))
        .await;
    assert_eq!(category.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(owner.all("/templates").await.is_empty());
}
