//! Requests that are repeated under a key.

use futures_util::future::join_all;
use http::StatusCode;
use serde_json::json;

use crate::campaigns::{add_ada, changes};
use crate::town::Town;

#[tokio::test]
async fn of_a_hundred_sends_with_one_key_one_has_an_effect_and_all_have_its_answer() {
    let town = Town::asleep(|_| {}).await;
    let owner = town.owner();
    add_ada(&owner).await;
    let id = owner.campaign().await;
    let path = format!("/campaigns/{id}/send");
    let sends = (0..100).map(|_| owner.post_once(&path, "send-1", None));
    let replies = join_all(sends).await;
    let answered: Vec<_> = replies
        .iter()
        .filter(|reply| reply.status == StatusCode::ACCEPTED)
        .collect();
    let first = answered[0].value();
    assert!(answered.iter().all(|reply| reply.value() == first));
    // Who waited too long for the first one, or for a connection, is told to come again.
    for reply in replies
        .iter()
        .filter(|reply| reply.status != StatusCode::ACCEPTED)
    {
        let code = reply.value()["code"].clone();
        assert!(
            code == "IDEMPOTENCY_RUNNING" || code == "DATABASE_UNAVAILABLE",
            "{reply}"
        );
        assert!(reply.headers.contains_key("retry-after"), "{reply}");
    }
    assert_eq!(changes(&town).await.len(), 1);
    let again = owner
        .post_once(&path, "send-1", None)
        .await
        .assert_status(StatusCode::ACCEPTED);
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(again.value(), first);
    let other = owner.post_once(&path, "send-2", None).await;
    other.assert_failed(StatusCode::CONFLICT, "CAMPAIGN_STATE");
}

#[tokio::test]
async fn a_key_means_one_request_of_one_person() {
    let town = Town::asleep(|_| {}).await;
    let (owner, rival) = (town.owner(), town.owner());
    let ada = json!({"phone": "+4915117404120", "name": "Ada"});
    let first = owner
        .post_once("/recipients", "k", Some(&ada))
        .await
        .assert_status(StatusCode::CREATED);
    let again = owner
        .post_once("/recipients", "k", Some(&ada))
        .await
        .assert_status(StatusCode::CREATED);
    assert_eq!(first.body, again.body);
    let bob = json!({"phone": "+4915117404121", "name": "Bob"});
    let other = owner.post_once("/recipients", "k", Some(&bob)).await;
    other.assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "IDEMPOTENCY_MISMATCH");
    let theirs = rival.post_once("/recipients", "k", Some(&bob)).await.assert_ok();
    assert_eq!(theirs.headers.get("idempotency-replayed"), None);
    assert_eq!(owner.all("/recipients").await.len(), 1);

    let campaign = json!({"name": "Spring", "template_id": owner.template().await});
    let first = owner
        .post_once("/campaigns", "k", Some(&campaign))
        .await
        .assert_status(StatusCode::CREATED);
    let again = owner
        .post_once("/campaigns", "k", Some(&campaign))
        .await
        .assert_status(StatusCode::CREATED);
    assert_eq!(first.body, again.body);
    assert_eq!(again.headers["etag"], "\"v1\"");
    assert_eq!(owner.all("/campaigns").await.len(), 1);

    let template = json!({"name": "summer", "language": "en", "category": "MARKETING", "body": "Hello"});
    let first = owner
        .post_once("/templates", "k", Some(&template))
        .await
        .assert_status(StatusCode::CREATED);
    let again = owner
        .post_once("/templates", "k", Some(&template))
        .await
        .assert_status(StatusCode::CREATED);
    assert_eq!(first.body, again.body);
    assert_eq!(first.headers["etag"], again.headers["etag"]);
    let unnamed = owner.post("/templates", &template).await;
    unnamed.assert_failed(StatusCode::CONFLICT, "TEMPLATE_EXISTS");
}

#[tokio::test]
async fn what_failed_leaves_no_key() {
    let town = Town::asleep(|_| {}).await;
    let owner = town.owner();
    let id = owner.campaign().await;
    let path = format!("/campaigns/{id}/send");
    town.notification.says(|says| says.no_sender = true);
    let refused = owner.post_once(&path, "k", None).await;
    refused.assert_failed(StatusCode::CONFLICT, "SENDER_NOT_FOUND");
    town.notification.says(|says| says.no_sender = false);
    let sent = owner
        .post_once(&path, "k", None)
        .await
        .assert_status(StatusCode::ACCEPTED);
    assert_eq!(sent.headers.get("idempotency-replayed"), None);
    let body = json!({"phone": "nonsense"});
    for _ in 0..2 {
        let refused = owner.post_once("/recipients", "k", Some(&body)).await;
        refused.assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_BODY");
    }
    assert_eq!(town.count("SELECT count(*) FROM broadcast.once").await, 1);
}
