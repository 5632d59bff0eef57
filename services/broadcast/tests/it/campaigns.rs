//! Campaigns: from draft to completed.

use std::collections::BTreeMap;
use std::time::Duration;

use http::StatusCode;
use plaza_contracts::events::{CampaignStateChanged, SourceSettled};
use plaza_contracts::services::BROADCAST;
use plaza_messaging::Consumer as _;
use plaza_testkit::eventually;
use serde_json::json;

use crate::town::{Owner, Town, id_of};

const SOON: Duration = Duration::from_secs(20);

pub(crate) async fn add_ada(owner: &Owner) {
    let ada = json!({"phone": "+4915117404120", "name": "Ada", "opted_in": true});
    owner.post("/recipients", &ada).await.assert_ok();
}

pub(crate) async fn changes(town: &Town) -> Vec<(String, String)> {
    let sql =
        "SELECT payload FROM broadcast.outbox WHERE name = 'broadcast.campaign.state_changed' ORDER BY id";
    let rows = town.database.admin().await.query(sql, &[]).await.unwrap();
    let events = rows
        .iter()
        .map(|row| serde_json::from_str::<CampaignStateChanged>(row.get(0)).unwrap());
    events.map(|event| (event.from, event.to)).collect()
}

pub(crate) fn counts(of: &[(&str, u64)]) -> BTreeMap<String, u64> {
    of.iter()
        .map(|(state, count)| ((*state).to_owned(), *count))
        .collect()
}

#[tokio::test]
async fn a_campaign_runs_from_draft_to_completed() {
    let town = Town::awake().await;
    let owner = town.owner();
    add_ada(&owner).await;
    let id = owner.campaign().await;
    let path = format!("/campaigns/{id}");
    let draft = owner.get(&path).await.assert_ok().value();
    assert_eq!(
        (&draft["state"], &draft["class"]),
        (&json!("draft"), &json!("marketing"))
    );
    assert_eq!(
        (draft.get("counts"), draft.get("counts_unavailable")),
        (None, None)
    );

    owner.send(&id).await.assert_status(StatusCode::ACCEPTED);
    owner.waited(&path, |state| state == "running").await;
    town.notification
        .says(|says| says.counts = counts(&[("leased", 1)]));
    tokio::time::sleep(Duration::from_millis(200)).await;
    let running = owner.get(&path).await.assert_ok().value();
    assert_eq!(
        (&running["state"], &running["counts"]),
        (&json!("running"), &json!({"leased": 1}))
    );

    town.notification
        .says(|says| says.counts = counts(&[("delivered", 1)]));
    let completed = owner.waited(&path, |state| state == "completed").await;
    assert_eq!(
        (&completed["counts"], &completed["planned"]),
        (&json!({"delivered": 1}), &json!({"send": 1}))
    );
    let steps = [
        ("draft", "planning"),
        ("planning", "running"),
        ("running", "completed"),
    ];
    assert_eq!(
        changes(&town).await,
        steps.map(|(from, to)| (from.to_owned(), to.to_owned()))
    );
    assert_eq!(owner.all("/campaigns").await.len(), 1);
}

#[tokio::test]
async fn a_campaign_to_nobody_is_completed_at_once() {
    let town = Town::awake().await;
    let owner = town.owner();
    let id = owner.campaign().await;
    owner.send(&id).await.assert_ok();
    let completed = owner
        .waited(&format!("/campaigns/{id}"), |state| state == "completed")
        .await;
    assert_eq!(completed["planned"], json!({}));
    assert!(town.messages().await.is_empty());
}

#[tokio::test]
async fn of_two_sends_at_once_one_wins() {
    let town = Town::asleep(|_| {}).await;
    let owner = town.owner();
    add_ada(&owner).await;
    for _ in 0..5 {
        let body = json!({"name": "Race", "template_id": template(&owner).await});
        let id = id_of(&owner.post("/campaigns", &body).await.assert_ok());
        let (one, other) = tokio::join!(owner.send(&id), owner.send(&id));
        let (won, lost) = if one.status == StatusCode::ACCEPTED {
            (one, other)
        } else {
            (other, one)
        };
        won.assert_status(StatusCode::ACCEPTED);
        lost.assert_failed(StatusCode::CONFLICT, "CAMPAIGN_STATE");
        owner
            .send(&id)
            .await
            .assert_failed(StatusCode::CONFLICT, "CAMPAIGN_STATE");
    }
    assert_eq!(changes(&town).await.len(), 5);
}

async fn template(owner: &Owner) -> serde_json::Value {
    match owner.all("/templates").await.first() {
        Some(template) => template["id"].clone(),
        None => json!(owner.template().await),
    }
}

#[tokio::test]
async fn the_event_of_notification_has_a_campaign_looked_at_and_is_not_believed() {
    // The reconciler looks only at what it is told of.
    let town = Town::asleep(|config| config.reconcile_milliseconds = 3_600_000).await;
    let owner = town.owner();
    add_ada(&owner).await;
    let id = owner.campaign().await;
    owner.send(&id).await.assert_ok();
    let settled = |by_state: &[(&str, u64)]| SourceSettled {
        source: format!("campaign:{id}"),
        by_state: counts(by_state),
    };
    consume(&town, &owner, &settled(&[("delivered", 1)])).await;
    assert_eq!(state_of(&town, &id).await, "planning", "more may be planned");
    town.notification.says(|says| says.open = true);
    let town = town.wake();
    eventually(SOON, || async { state_of(&town, &id).await == "running" }).await;
    let seen = "SELECT count(*) FROM broadcast.campaigns WHERE checked_at IS NOT NULL";
    let hears = async |of: &Owner, event: &SourceSettled| {
        consume(&town, of, event).await;
        eventually(SOON, || async { town.count(seen).await == 1 }).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        state_of(&town, &id).await
    };
    let over = settled(&[("delivered", 1)]);
    assert_eq!(hears(&owner, &over).await, "running", "something is open");
    town.notification.says(|says| {
        says.open = false;
        says.counts = counts(&[("queued", 1)]);
    });
    assert_eq!(hears(&owner, &over).await, "running", "so the counts say");
    town.notification.says(|says| says.counts = counts(&[]));
    assert_eq!(hears(&owner, &over).await, "running", "it does not know of all");
    town.notification
        .says(|says| says.counts = counts(&[("failed", 1)]));
    assert_eq!(hears(&town.owner(), &over).await, "running", "another tenant's");
    let elsewhere = SourceSettled {
        source: "reminder:x".to_owned(),
        ..over.clone()
    };
    assert_eq!(hears(&owner, &elsewhere).await, "running", "no campaign's");
    consume(&town, &owner, &over).await;
    owner.until(&id, "completed").await;
    assert_eq!(hears(&owner, &over).await, "completed");
    assert_eq!(changes(&town).await.len(), 3, "twice the same event, one effect");
}

/// Runs the consumer the way the runner does: in a transaction of the event's tenant.
async fn consume(town: &Town, owner: &Owner, event: &SourceSettled) {
    let tx = town.database.of(BROADCAST).begin(owner.tenant);
    plaza_broadcast::consumers::CompleteCampaigns
        .consume(&tx, event)
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

async fn state_of(town: &Town, id: &str) -> String {
    let sql = format!("SELECT state FROM broadcast.campaigns WHERE id = '{id}'");
    let row = town.database.admin().await.query_one(&sql, &[]).await.unwrap();
    row.get(0)
}

#[tokio::test]
async fn nobody_counts_a_campaign_of_which_something_is_open() {
    let town = Town::awake().await;
    let owner = town.owner();
    add_ada(&owner).await;
    let id = owner.campaign().await;
    town.notification.says(|says| {
        says.open = true;
        says.counts = counts(&[("delivered", 1)]);
    });
    owner.send(&id).await.assert_ok();
    // Asked of the database: a page would count.
    eventually(SOON, || async { state_of(&town, &id).await == "running" }).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(state_of(&town, &id).await, "running");
    town.notification.says(|says| {
        assert_eq!(says.counted, 0);
        says.open = false;
    });
    eventually(SOON, || async { state_of(&town, &id).await == "completed" }).await;
}

#[tokio::test]
async fn a_campaign_whose_counts_take_longer_than_a_page_waits_is_completed() {
    let town = Town::asleep(|config| config.counts_milliseconds = 10)
        .await
        .wake();
    let owner = town.owner();
    add_ada(&owner).await;
    let id = owner.campaign().await;
    town.notification.says(|says| {
        says.counting = Duration::from_millis(400);
        says.counts = counts(&[("delivered", 1)]);
    });
    owner.send(&id).await.assert_ok();
    eventually(SOON, || async { state_of(&town, &id).await == "completed" }).await;
    let page = owner.get(&format!("/campaigns/{id}")).await.assert_ok().value();
    assert_eq!(page["counts_unavailable"], true);
}

#[tokio::test]
async fn a_service_that_is_stopped_does_not_wait_for_counts() {
    let mut town = Town::awake().await;
    let owner = town.owner();
    add_ada(&owner).await;
    let id = owner.campaign().await;
    town.notification
        .says(|says| says.counting = Duration::from_secs(60));
    owner.send(&id).await.assert_ok();
    eventually(SOON, || async { state_of(&town, &id).await == "running" }).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let began = std::time::Instant::now();
    town.stop().await;
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_page_answers_without_counts_when_notification_is_away() {
    let town = Town::awake().await;
    let owner = town.owner();
    add_ada(&owner).await;
    let id = owner.campaign().await;
    owner.send(&id).await.assert_ok();
    let path = format!("/campaigns/{id}");
    owner.waited(&path, |state| state == "running").await;
    town.notification.says(|says| says.away = true);
    let campaign = owner.get(&path).await.assert_ok().value();
    assert_eq!(
        (campaign.get("counts"), &campaign["counts_unavailable"]),
        (None, &json!(true))
    );
    assert_eq!(campaign["planned"], json!({"send": 1}));
}

#[tokio::test]
async fn without_a_sender_nothing_is_sent() {
    let town = Town::awake().await;
    let owner = town.owner();
    add_ada(&owner).await;
    town.notification.says(|says| says.no_sender = true);
    let id = owner.campaign().await;
    owner
        .send(&id)
        .await
        .assert_failed(StatusCode::CONFLICT, "SENDER_NOT_FOUND");
    assert_eq!(
        owner.get(&format!("/campaigns/{id}")).await.value()["state"],
        "draft"
    );
    town.notification.says(|says| says.no_sender = false);
    owner.send(&id).await.assert_ok();
}

#[tokio::test]
async fn a_stranger_finds_no_campaign() {
    let town = Town::asleep(|_| {}).await;
    let (owner, rival) = (town.owner(), town.owner());
    let theirs = owner.campaign().await;
    let random = plaza_kernel::Clock::system().uuid().to_string();
    for id in [theirs.as_str(), random.as_str(), "rubbish"] {
        let code = if id == "rubbish" {
            "NOT_FOUND"
        } else {
            "CAMPAIGN_NOT_FOUND"
        };
        for path in ["", "/plan", "/exclusions"] {
            let reply = rival.get(&format!("/campaigns/{id}{path}")).await;
            reply.assert_failed(StatusCode::NOT_FOUND, code);
        }
        rival.send(id).await.assert_failed(StatusCode::NOT_FOUND, code);
    }
    let logs = rival.get(&format!("/logs?campaign_id={theirs}")).await;
    logs.assert_failed(StatusCode::NOT_FOUND, "CAMPAIGN_NOT_FOUND");
    let template = template(&owner).await;
    let theft = rival
        .post("/campaigns", &json!({"name": "Theft", "template_id": template}))
        .await;
    theft.assert_failed(StatusCode::NOT_FOUND, "TEMPLATE_NOT_FOUND");
    assert!(rival.all("/campaigns").await.is_empty());
    assert_eq!(
        owner.get(&format!("/campaigns/{theirs}")).await.value()["state"],
        "draft"
    );
}

#[tokio::test]
async fn advertising_needs_consent_whatever_it_is_called() {
    let town = Town::asleep(|_| {}).await;
    let owner = town.owner();
    let template = owner.template().await;
    for (change, pointer) in [
        (json!({"audience": {"opted_in": false}}), "/audience/opted_in"),
        (
            json!({"class": "utility", "audience": {"opted_in": false}}),
            "/class",
        ),
        (json!({"name": " "}), "/name"),
        (json!({"audience": {"country": "Atlantis"}}), "/audience/country"),
    ] {
        let mut body = json!({"name": "Spring", "template_id": template});
        body.as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        let reply = owner.post("/campaigns", &body).await;
        let errors = reply
            .assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_BODY")
            .value()["errors"]
            .clone();
        assert_eq!(errors[0]["pointer"], pointer);
    }
}
