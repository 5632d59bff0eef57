//! Campaigns that wait for their time.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use http::StatusCode;
use plaza_kernel::Clock;
use serde_json::{Value, json};

use crate::campaigns::add_ada;
use crate::town::{Owner, Town, id_of};

fn in_hours(hours: i64) -> chrono::DateTime<Utc> {
    Clock::system().now() + TimeDelta::hours(hours)
}

async fn make(owner: &Owner, change: Value) -> String {
    let template = match owner.all("/templates").await.first() {
        Some(template) => template["id"].clone(),
        None => json!(owner.template().await),
    };
    let mut body = json!({"name": "Later", "template_id": template});
    body.as_object_mut()
        .unwrap()
        .extend(change.as_object().unwrap().clone());
    id_of(&owner.post("/campaigns", &body).await.assert_ok())
}

async fn its_time_comes(town: &Town, id: &str) {
    let sql = format!("UPDATE broadcast.campaigns SET schedule_at = now() WHERE id = '{id}'");
    town.database.admin().await.batch_execute(&sql).await.unwrap();
}

#[tokio::test]
async fn a_scheduled_campaign_begins_at_its_time_with_whom_there_is_then() {
    let town = Town::awake().await;
    let owner = town.owner();
    let id = make(&owner, json!({"schedule_at": in_hours(1)})).await;
    let sent = owner.send(&id).await.assert_status(StatusCode::ACCEPTED).value();
    assert_eq!(sent["state"], "scheduled");
    owner
        .send(&id)
        .await
        .assert_failed(StatusCode::CONFLICT, "CAMPAIGN_STATE");
    tokio::time::sleep(Duration::from_millis(200)).await;
    owner.until(&id, "scheduled").await;
    add_ada(&owner).await;
    its_time_comes(&town, &id).await;
    let running = owner.until(&id, "running").await;
    assert_eq!(running["planned"], json!({"send": 1}));
    // Nothing holds it back that was needed only to begin.
    town.notification.says(|says| {
        says.counts.insert("delivered".to_owned(), 1);
    });
    owner.until(&id, "completed").await;
}

#[tokio::test]
async fn a_campaign_that_cannot_begin_is_a_draft_again_and_says_why() {
    let town = Town::awake().await;
    let owner = town.owner();
    add_ada(&owner).await;
    let id = make(
        &owner,
        json!({"schedule_at": in_hours(1), "expires_at": in_hours(2)}),
    )
    .await;
    owner.send(&id).await.assert_ok();
    town.notification.says(|says| says.no_sender = true);
    its_time_comes(&town, &id).await;
    let draft = owner.until(&id, "draft").await;
    assert_eq!(draft["state_reason"], "SENDER_NOT_FOUND");
    town.notification.says(|says| says.no_sender = false);
    let path = format!("/campaigns/{id}");
    let version = format!("\"v{}\"", draft["version"]);
    let later = json!({"schedule_at": in_hours(1)});
    owner.put(&path, &version, &later).await.assert_ok();
    let scheduled = owner.send(&id).await.assert_ok().value();
    assert_eq!(scheduled.get("state_reason"), None);

    let over =
        format!("UPDATE broadcast.campaigns SET expires_at = now(), schedule_at = now() WHERE id = '{id}'");
    town.database.admin().await.batch_execute(&over).await.unwrap();
    let draft = owner.until(&id, "draft").await;
    assert_eq!(draft["state_reason"], "CAMPAIGN_EXPIRED");
    owner
        .send(&id)
        .await
        .assert_failed(StatusCode::CONFLICT, "CAMPAIGN_EXPIRED");
    assert!(town.messages().await.is_empty());
}

#[tokio::test]
async fn a_scheduled_campaign_waits_while_notification_is_away() {
    let town = Town::awake().await;
    let owner = town.owner();
    let id = make(&owner, json!({"schedule_at": in_hours(1)})).await;
    owner.send(&id).await.assert_ok();
    town.notification.says(|says| says.away = true);
    its_time_comes(&town, &id).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    owner.until(&id, "scheduled").await;
    // Tried again once the lease of the first attempt is over.
    town.notification.says(|says| says.away = false);
    owner.until(&id, "completed").await;
}

#[tokio::test]
async fn its_time_can_be_taken_away_and_so_can_it() {
    let town = Town::asleep(|_| {}).await;
    let owner = town.owner();
    let id = make(&owner, json!({"schedule_at": in_hours(1)})).await;
    let path = format!("/campaigns/{id}");
    let version = owner.send(&id).await.assert_ok().value()["version"].clone();
    let sooner = json!({"schedule_at": in_hours(3), "name": "Much later"});
    let moved = owner
        .put(&path, &format!("\"v{version}\""), &sooner)
        .await
        .assert_ok();
    assert_eq!(moved.value()["state"], "scheduled");
    let version = moved.headers["etag"].to_str().unwrap().to_owned();
    let at_once = owner
        .put(&path, &version, &json!({"schedule_at": null}))
        .await
        .assert_ok()
        .value();
    assert_eq!(
        (&at_once["state"], at_once.get("schedule_at")),
        (&json!("draft"), None)
    );
    assert_eq!(owner.send(&id).await.assert_ok().value()["state"], "planning");

    let id = make(&owner, json!({"schedule_at": in_hours(1)})).await;
    owner.send(&id).await.assert_ok();
    let cancelled = owner
        .ask(&id, "cancel")
        .await
        .assert_status(StatusCode::ACCEPTED)
        .value();
    assert_eq!(cancelled["state"], "cancelled");
    assert!(town.notification.told().is_empty(), "nobody knew of it");
}

#[tokio::test]
async fn a_time_that_is_over_is_none() {
    let town = Town::asleep(|_| {}).await;
    let owner = town.owner();
    let template = owner.template().await;
    for (change, pointer) in [
        (json!({"schedule_at": in_hours(-1)}), "/schedule_at"),
        (json!({"expires_at": in_hours(-1)}), "/expires_at"),
        (
            json!({"schedule_at": in_hours(2), "expires_at": in_hours(1)}),
            "/expires_at",
        ),
    ] {
        let mut body = json!({"name": "Late", "template_id": template});
        body.as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        let reply = owner.post("/campaigns", &body).await;
        let reply = reply.assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_BODY");
        assert_eq!(reply.value()["errors"][0]["pointer"], pointer);
    }
}

#[tokio::test]
async fn a_campaign_that_somebody_mends_meanwhile_stays_scheduled() {
    let town = Town::asleep(|_| {}).await;
    let owner = town.owner();
    let id = make(&owner, json!({"schedule_at": in_hours(1)})).await;
    let version = owner.send(&id).await.assert_ok().value()["version"].clone();
    town.notification.says(|says| {
        says.no_sender = true;
        says.finding = Duration::from_millis(1_000);
        says.found = 0;
    });
    its_time_comes(&town, &id).await;
    let town = town.wake();
    let found = |town: &Town| {
        let mut found = 0;
        town.notification.says(|says| found = says.found);
        found
    };
    plaza_testkit::eventually(Duration::from_secs(30), || async { found(&town) == 1 }).await;
    let path = format!("/campaigns/{id}");
    let later = json!({"schedule_at": in_hours(3)});
    owner
        .put(&path, &format!("\"v{version}\""), &later)
        .await
        .assert_ok();
    tokio::time::sleep(Duration::from_millis(2_000)).await;
    let now = owner.get(&path).await.value();
    assert_eq!(
        (&now["state"], now.get("state_reason")),
        (&json!("scheduled"), None)
    );
}
