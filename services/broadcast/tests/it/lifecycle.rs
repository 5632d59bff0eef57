//! What may be asked of a campaign in which state.

use http::StatusCode;
use serde_json::{Value, json};

use crate::town::{Owner, Town};

const STATES: [&str; 11] = [
    "draft",
    "scheduled",
    "planning",
    "running",
    "pausing",
    "paused",
    "resuming",
    "cancelling",
    "cancelled",
    "completed",
    "failed",
];

/// In which states each may be asked for, and the state that follows; empty where it is gone then.
const ALLOWED: [(&str, &[(&str, &str)]); 8] = [
    ("update", &[("draft", "draft"), ("scheduled", "scheduled")]),
    (
        "delete",
        &[
            ("draft", ""),
            ("cancelled", ""),
            ("completed", ""),
            ("failed", ""),
        ],
    ),
    ("send", &[("draft", "planning")]),
    (
        "pause",
        &[
            ("planning", "pausing"),
            ("running", "pausing"),
            ("resuming", "pausing"),
        ],
    ),
    ("resume", &[("paused", "resuming")]),
    (
        "cancel",
        &[
            ("scheduled", "cancelled"),
            ("planning", "cancelling"),
            ("running", "cancelling"),
            ("pausing", "cancelling"),
            ("paused", "cancelling"),
            ("resuming", "cancelling"),
        ],
    ),
    ("retry-failed", &[("completed", "running")]),
    ("preview", &[("draft", "draft"), ("scheduled", "scheduled")]),
];

async fn set(town: &Town, id: &str, state: &str) {
    let sql = format!(
        "UPDATE broadcast.campaigns
            SET state = '{state}', schedule_at = CASE WHEN '{state}' = 'scheduled' THEN now() + interval '1 day' END,
                resumes = CASE WHEN '{state}' IN ('pausing', 'paused', 'resuming') THEN 'running' END,
                moving_until = NULL, deleted_at = NULL
          WHERE id = '{id}'"
    );
    town.database.admin().await.batch_execute(&sql).await.unwrap();
}

async fn ask(owner: &Owner, id: &str, verb: &str) -> plaza_testkit::Reply {
    let path = format!("/campaigns/{id}");
    match verb {
        "update" => {
            let version = owner.get(&path).await.value()["version"].clone();
            owner
                .put(&path, &format!("\"v{version}\""), &json!({"name": "Summer"}))
                .await
        }
        "delete" => owner.delete(&path).await,
        verb => owner.ask(id, verb).await,
    }
}

#[tokio::test]
async fn every_state_allows_what_it_allows_and_nothing_else() {
    let town = Town::asleep(|_| {}).await;
    let owner = town.owner();
    let id = owner.campaign().await;
    let path = format!("/campaigns/{id}");
    for (verb, allowed) in ALLOWED {
        for state in STATES {
            set(&town, &id, state).await;
            let before = owner.get(&path).await.assert_ok().value();
            let reply = ask(&owner, &id, verb).await;
            let followed = allowed.iter().find(|(from, _)| *from == state).map(|(_, to)| *to);
            let Some(followed) = followed else {
                reply.assert_failed(StatusCode::CONFLICT, "CAMPAIGN_STATE");
                assert_eq!(owner.get(&path).await.value(), before, "{verb} while {state}");
                continue;
            };
            let reply = reply.assert_ok();
            let after = owner.get(&path).await;
            if followed.is_empty() {
                assert_eq!(reply.status, StatusCode::NO_CONTENT, "{verb} while {state}");
                after.assert_failed(StatusCode::NOT_FOUND, "CAMPAIGN_NOT_FOUND");
                assert!(owner.all("/campaigns").await.is_empty(), "{verb} while {state}");
            } else {
                let after = after.assert_ok().value();
                assert_eq!(after["state"], followed, "{verb} while {state}");
                let changes = after["version"] != before["version"];
                assert_eq!(changes, verb != "preview", "{verb} while {state}");
            }
        }
    }
}

#[tokio::test]
async fn a_stranger_steers_no_campaign() {
    let town = Town::asleep(|_| {}).await;
    let (owner, rival) = (town.owner(), town.owner());
    let theirs = owner.running_asleep(&town).await;
    let random = plaza_kernel::Clock::system().uuid().to_string();
    for id in [theirs.as_str(), random.as_str()] {
        for verb in ["pause", "resume", "cancel", "retry-failed", "preview"] {
            let reply = rival.ask(id, verb).await;
            reply.assert_failed(StatusCode::NOT_FOUND, "CAMPAIGN_NOT_FOUND");
        }
        for path in ["progress", "report"] {
            let reply = rival.get(&format!("/campaigns/{id}/{path}")).await;
            reply.assert_failed(StatusCode::NOT_FOUND, "CAMPAIGN_NOT_FOUND");
        }
        let path = format!("/campaigns/{id}");
        let changed = rival.put(&path, "\"v1\"", &json!({"name": "Theft"})).await;
        changed.assert_failed(StatusCode::NOT_FOUND, "CAMPAIGN_NOT_FOUND");
        let deleted = rival.delete(&path).await;
        deleted.assert_failed(StatusCode::NOT_FOUND, "CAMPAIGN_NOT_FOUND");
    }
    let after = owner
        .get(&format!("/campaigns/{theirs}"))
        .await
        .assert_ok()
        .value();
    assert_eq!(
        (&after["state"], &after["name"]),
        (&json!("running"), &json!("Spring"))
    );
}

#[tokio::test]
async fn what_was_put_away_is_out_of_sight_and_stays_in_the_logs() {
    let town = Town::awake().await;
    let owner = town.owner();
    let id = owner.running().await;
    town.notification.says(|says| {
        says.counts.insert("delivered".to_owned(), 1);
    });
    owner.until(&id, "completed").await;
    owner
        .delete(&format!("/campaigns/{id}"))
        .await
        .assert_status(StatusCode::NO_CONTENT);
    let again = owner.delete(&format!("/campaigns/{id}")).await;
    again.assert_failed(StatusCode::NOT_FOUND, "CAMPAIGN_NOT_FOUND");
    assert_eq!(town.count("SELECT count(*) FROM broadcast.plan").await, 1);
    let plan = owner.get(&format!("/campaigns/{id}/plan")).await;
    plan.assert_failed(StatusCode::NOT_FOUND, "CAMPAIGN_NOT_FOUND");
    let sent = town.messages().await[0].message_id.to_string();
    town.notification.says(|says| {
        says.messages = vec![crate::logs::message(&sent, &id)];
    });
    let log: Value = owner.get("/logs").await.assert_ok().value();
    assert_eq!(log["items"][0]["recipient_name"], "Ada");
}
