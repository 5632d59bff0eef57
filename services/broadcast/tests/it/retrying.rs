//! Sending once more what failed.

use std::time::Duration;

use http::StatusCode;
use plaza_broadcast::consumers::CompleteCampaigns;
use plaza_contracts::events::SourceSettled;
use plaza_contracts::services::BROADCAST;
use plaza_messaging::Consumer as _;
use plaza_testkit::eventually;
use serde_json::json;

use crate::campaigns::counts;
use crate::town::{Owner, Town};

const SOON: Duration = Duration::from_secs(30);

/// A campaign whose one message failed.
async fn failed(town: &Town, owner: &Owner) -> String {
    let id = owner.running().await;
    town.notification
        .says(|says| says.counts = counts(&[("failed", 1)]));
    owner.until(&id, "completed").await;
    id
}

#[tokio::test]
async fn what_failed_is_queued_again_part_by_part() {
    let town = Town::awake().await;
    let owner = town.owner();
    let id = failed(&town, &owner).await;
    town.notification.says(|says| {
        says.counts = counts(&[("queued", 1)]);
        says.retries = [(500, true), (500, true), (20, false)].into();
    });
    let path = format!("/campaigns/{id}/retry-failed");
    let retried = owner.post(&path, &json!({"codes": ["131049", "130429"]})).await;
    let retried = retried.assert_status(StatusCode::ACCEPTED).value();
    assert_eq!(retried, json!({"requeued": 1020, "more": false}));
    let part = "retry 131049,130429";
    // It was held back by failures perhaps, and had nothing left then.
    assert_eq!(town.notification.told(), ["release", part, part, part]);
    // Each part begins after the one before: what fails again at once is not met again.
    town.notification
        .says(|says| assert_eq!(says.retried_after, ["", "message 1", "message 2"]));
    let again = owner.ask(&id, "retry-failed").await;
    again.assert_failed(StatusCode::CONFLICT, "CAMPAIGN_STATE");
    owner.until(&id, "running").await;
    town.notification
        .says(|says| says.counts = counts(&[("delivered", 1)]));
    owner.until(&id, "completed").await;
}

#[tokio::test]
async fn who_does_not_say_where_a_part_ended_is_asked_for_one() {
    let town = Town::awake().await;
    let owner = town.owner();
    let id = failed(&town, &owner).await;
    town.notification.says(|says| {
        says.forgetful = true;
        says.retries = vec![(5_000, true); 100].into();
    });
    let retried = owner.ask(&id, "retry-failed").await.assert_ok().value();
    assert_eq!(retried, json!({"requeued": 5_000, "more": true}));
}

async fn settled(town: &Town, owner: &Owner, id: &str) {
    let event = SourceSettled {
        source: format!("campaign:{id}"),
        by_state: counts(&[("failed", 1)]),
    };
    let tx = town.database.of(BROADCAST).begin(owner.tenant);
    CompleteCampaigns.consume(&tx, &event).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn what_notification_said_before_a_retry_completes_nothing() {
    let town = Town::asleep(|config| config.reconcile_milliseconds = 1_000)
        .await
        .wake();
    let owner = town.owner();
    let id = failed(&town, &owner).await;
    town.notification.says(|says| {
        says.open = true;
        says.counts = counts(&[("queued", 1)]);
        says.retries = [(1, false)].into();
    });
    owner.ask(&id, "retry-failed").await.assert_ok();
    let counted = |town: &Town| {
        let mut counted = 0;
        town.notification.says(|says| counted = says.counted);
        counted
    };
    // Told late, or twice: first while something is open, then while the counts say that something is.
    for open in [true, false] {
        town.notification.says(|says| says.open = open);
        let before = counted(&town);
        settled(&town, &owner, &id).await;
        if !open {
            eventually(SOON, || async { counted(&town) > before }).await;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        owner.until(&id, "running").await;
    }
    town.notification
        .says(|says| says.counts = counts(&[("delivered", 1)]));
    owner.until(&id, "completed").await;
}

#[tokio::test]
async fn counts_of_before_something_was_decided_complete_nothing() {
    let town = Town::asleep(|config| config.reconcile_milliseconds = 3_600_000)
        .await
        .wake();
    let owner = town.owner();
    town.notification.says(|says| says.open = true);
    let id = owner.running().await;
    town.notification.says(|says| {
        says.open = false;
        says.counts = counts(&[("failed", 1)]);
        says.counting = Duration::from_millis(1_500);
    });
    settled(&town, &owner, &id).await;
    let taken =
        format!("SELECT count(*) FROM broadcast.campaigns WHERE id = '{id}' AND checked_at IS NOT NULL");
    eventually(SOON, || async { town.count(&taken).await == 1 }).await;
    let decided = format!("UPDATE broadcast.campaigns SET version = version + 1 WHERE id = '{id}'");
    town.database.admin().await.batch_execute(&decided).await.unwrap();
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    town.notification.says(|says| says.counting = Duration::ZERO);
    owner.until(&id, "running").await;
    settled(&town, &owner, &id).await;
    owner.until(&id, "completed").await;
}

#[tokio::test]
async fn nobody_calls_it_completed_while_notification_is_asked() {
    let town = Town::awake().await;
    let owner = town.owner();
    let id = failed(&town, &owner).await;
    town.notification.says(|says| {
        says.telling = Duration::from_millis(800);
        says.retries = [(1, false)].into();
    });
    let looked_at = async {
        let running =
            format!("SELECT count(*) FROM broadcast.campaigns WHERE state = 'running' AND id = '{id}'");
        eventually(SOON, || async { town.count(&running).await == 1 }).await;
        // What notification said before it was asked comes now, and its counts are still those of before.
        settled(&town, &owner, &id).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        let still = town.count(&running).await;
        town.notification
            .says(|says| says.counts = counts(&[("queued", 1)]));
        still
    };
    let (retried, still_running) = tokio::join!(owner.ask(&id, "retry-failed"), looked_at);
    retried.assert_ok();
    assert_eq!(still_running, 1);
    owner.until(&id, "running").await;
}

#[tokio::test]
async fn a_retry_that_notification_does_not_hear_leaves_the_campaign_completed() {
    let town = Town::awake().await;
    let owner = town.owner();
    let id = failed(&town, &owner).await;
    town.notification.says(|says| says.deaf = true);
    let refused = owner.ask(&id, "retry-failed").await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    owner.until(&id, "completed").await;
    town.notification.says(|says| says.deaf = false);
    let none = owner.ask(&id, "retry-failed").await.assert_ok().value();
    assert_eq!(none, json!({"requeued": 0, "more": false}));
    owner.until(&id, "completed").await;
}

#[tokio::test]
async fn what_is_no_code_is_refused() {
    let town = Town::asleep(|_| {}).await;
    let owner = town.owner();
    let id = owner.running_asleep(&town).await;
    let path = format!("/campaigns/{id}/retry-failed");
    let many: Vec<String> = (0..51).map(|code| code.to_string()).collect();
    for (codes, pointer) in [
        (json!([""]), "/codes/0"),
        (json!(["1", "a b"]), "/codes/1"),
        (json!(["x".repeat(65)]), "/codes/0"),
        (json!(many), "/codes"),
    ] {
        let reply = owner.post(&path, &json!({"codes": codes})).await;
        let reply = reply.assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_BODY");
        assert_eq!(reply.value()["errors"][0]["pointer"], pointer);
    }
}
