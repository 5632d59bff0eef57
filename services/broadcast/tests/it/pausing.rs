//! Pausing, resuming and calling off: what was decided is true once notification knows it, whatever happens in between.

use std::time::Duration;

use http::StatusCode;
use plaza_testkit::eventually;
use serde_json::json;

use crate::campaigns::changes;
use crate::town::{Owner, Town};

const SOON: Duration = Duration::from_secs(30);

fn steps(of: &[(&str, &str)]) -> Vec<(String, String)> {
    of.iter()
        .map(|(from, to)| ((*from).to_owned(), (*to).to_owned()))
        .collect()
}

/// So many recipients, one after the other, who said yes.
async fn people(town: &Town, owner: &Owner, count: usize) {
    let sql = format!(
        "INSERT INTO broadcast.recipients (tenant_id, id, phone, name, consent, created_at, updated_at)
         SELECT '{}', gen_random_uuid(), '+49151' || n, 'Ada', 'granted', now(), now()
           FROM generate_series(10000000, {}) n",
        owner.tenant,
        10_000_000 + count - 1,
    );
    town.database.admin().await.batch_execute(&sql).await.unwrap();
}

#[tokio::test]
async fn a_pause_is_told_before_it_is_true_and_so_is_its_end() {
    let town = Town::awake().await;
    let owner = town.owner();
    let id = owner.running().await;
    let asked = owner.ask(&id, "pause").await.assert_status(StatusCode::ACCEPTED);
    assert_eq!(asked.value()["state"], "pausing");
    owner.until(&id, "paused").await;
    assert_eq!(town.notification.told(), ["hold PAUSED"]);
    // All is sent, and nobody calls a paused campaign completed.
    town.notification.says(|says| {
        says.counts.insert("delivered".to_owned(), 1);
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    owner.until(&id, "paused").await;

    let asked = owner.ask(&id, "resume").await.assert_status(StatusCode::ACCEPTED);
    assert_eq!(asked.value()["state"], "resuming");
    owner.until(&id, "completed").await;
    assert_eq!(town.notification.told(), ["hold PAUSED", "release"]);
    let expected = steps(&[
        ("draft", "planning"),
        ("planning", "running"),
        ("running", "pausing"),
        ("pausing", "paused"),
        ("paused", "resuming"),
        ("resuming", "running"),
        ("running", "completed"),
    ]);
    assert_eq!(changes(&town).await, expected);
}

#[tokio::test]
async fn a_campaign_that_is_planned_stops_being_planned_and_goes_on_where_it_was() {
    let town = Town::asleep(|config| config.planner_batch = 2).await;
    let owner = town.owner();
    people(&town, &owner, 500).await;
    let id = owner.campaign().await;
    owner.send(&id).await.assert_ok();
    let planned = || async { town.count("SELECT count(*) FROM broadcast.plan").await };
    let planner = town.victim();
    eventually(SOON, || async { planned().await > 10 }).await;
    owner.ask(&id, "pause").await.assert_ok();
    owner.until(&id, "paused").await;
    let stopped_at = planned().await;
    assert!(stopped_at < 500, "the pause came too late to mean anything");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(
        planned().await,
        stopped_at,
        "nothing is planned while it is paused"
    );
    owner.ask(&id, "resume").await.assert_ok();
    let running = owner.until(&id, "running").await;
    assert_eq!(running["planned"], json!({"send": 500}));
    assert_eq!((planned().await, town.messages().await.len()), (500, 500));
    planner.kill();
}

#[tokio::test]
async fn a_decision_whose_process_is_killed_is_told_by_another() {
    let town = Town::awake().await;
    let owner = town.owner();
    let id = owner.running().await;
    let mut town = town;
    town.stop().await;
    for (heard, verb, meanwhile, at_last) in [
        (1, "pause", "pausing", "paused"),
        (3, "resume", "resuming", "running"),
        (5, "cancel", "cancelling", "cancelled"),
    ] {
        // Notification hears it and takes its time: the process dies before the answer.
        town.notification
            .says(|says| says.telling = Duration::from_millis(500));
        let victim = town.victim();
        owner.ask(&id, verb).await.assert_status(StatusCode::ACCEPTED);
        town.notification.hears(heard).await;
        victim.kill();
        let path = format!("/campaigns/{id}");
        assert_eq!(owner.get(&path).await.value()["state"], meanwhile);
        town.notification.says(|says| says.telling = Duration::ZERO);
        let another = town.victim();
        owner.until(&id, at_last).await;
        another.kill();
    }
    assert_eq!(town.notification.told(), ["hold PAUSED", "release", "cancel"]);
}

#[tokio::test]
async fn nothing_is_true_while_notification_is_away() {
    let town = Town::awake().await;
    let owner = town.owner();
    let id = owner.running().await;
    town.notification.says(|says| says.deaf = true);
    owner.ask(&id, "cancel").await.assert_status(StatusCode::ACCEPTED);
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(
        owner.get(&format!("/campaigns/{id}")).await.value()["state"],
        "cancelling"
    );
    town.notification.says(|says| says.deaf = false);
    owner.until(&id, "cancelled").await;
}

#[tokio::test]
async fn a_late_answer_to_one_decision_does_not_undo_the_next() {
    let town = Town::awake().await;
    let owner = town.owner();
    let id = owner.running().await;
    town.notification
        .says(|says| says.telling = Duration::from_millis(300));
    owner.ask(&id, "pause").await.assert_ok();
    owner.until(&id, "paused").await;
    owner.ask(&id, "resume").await.assert_ok();
    town.notification.hears(2).await;
    owner.ask(&id, "pause").await.assert_ok();
    owner.until(&id, "paused").await;
    assert_eq!(
        town.notification.told(),
        ["hold PAUSED", "release", "hold PAUSED"]
    );
    owner.ask(&id, "resume").await.assert_ok();
    town.notification.hears(4).await;
    owner.ask(&id, "cancel").await.assert_ok();
    owner.until(&id, "cancelled").await;
    let told = town.notification.told();
    assert_eq!(told[3..], ["release", "cancel"]);
}

#[tokio::test]
async fn a_campaign_is_cancelled_once_none_of_its_messages_is_left() {
    let town = Town::awake().await;
    let owner = town.owner();
    let id = owner.running().await;
    town.notification.says(|says| says.cancels_left = 3);
    owner.ask(&id, "cancel").await.assert_ok();
    owner.until(&id, "cancelled").await;
    assert_eq!(town.notification.told(), ["cancel"; 4]);
}

#[tokio::test]
async fn nothing_is_planned_any_more_once_a_campaign_is_called_off() {
    let town = Town::asleep(|config| config.planner_batch = 2).await;
    let owner = town.owner();
    people(&town, &owner, 2_000).await;
    let id = owner.campaign().await;
    owner.send(&id).await.assert_ok();
    let town = town.wake();
    let planned = || async { town.count("SELECT count(*) FROM broadcast.plan").await };
    eventually(SOON, || async { planned().await > 10 }).await;
    owner.ask(&id, "cancel").await.assert_ok();
    let called_off_at = planned().await;
    let cancelled = owner.until(&id, "cancelled").await;
    assert!(called_off_at < 2_000, "it came too late to mean anything");
    assert_eq!(planned().await, called_off_at);
    assert_eq!(cancelled["planned"]["send"], called_off_at);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let messages = town.messages().await.len();
    assert_eq!((planned().await, messages), (called_off_at, messages));
    assert_eq!(i64::try_from(messages).unwrap(), called_off_at);
}

#[tokio::test]
async fn a_campaign_that_takes_long_to_be_told_keeps_no_other_from_being_paused() {
    let town = Town::asleep(|config| config.reconcile_milliseconds = 3_600_000).await;
    let (slow, quick) = (town.owner(), town.owner());
    let (theirs, ours) = (
        slow.running_asleep(&town).await,
        quick.running_asleep(&town).await,
    );
    town.notification.says(|says| {
        says.telling = Duration::from_secs(2);
        // Nobody calls them completed meanwhile.
        says.open = true;
    });
    slow.ask(&theirs, "cancel").await.assert_ok();
    let town = town.wake();
    town.notification.hears(1).await;
    town.notification.says(|says| says.telling = Duration::ZERO);
    quick.ask(&ours, "pause").await.assert_ok();
    quick.until(&ours, "paused").await;
    slow.until(&theirs, "cancelled").await;
    assert_eq!(town.notification.told(), ["hold PAUSED", "cancel"]);
}
