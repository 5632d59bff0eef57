//! Receipts in any order, any number of times, at any moment.

use std::collections::BTreeSet;

use plaza_contracts::ids::MessageId;
use serde_json::{Value, json};
use tokio_postgres::types::Type;

use crate::meta::{Answer, Meta};
use crate::stage::{ACCOUNT, PATIENCE, Stage, campaign, patient, people, quick};
use crate::webhook::{callback, signed};
use plaza_testkit::eventually;

const STATUSES: [&str; 4] = ["sent", "failed", "delivered", "read"];

/// A status of a message, as Meta tells it.
pub(crate) fn status(id: MessageId, provider_id: &str, status: &str) -> Value {
    let mut told = json!({"id": provider_id, "status": status, "timestamp": "1700000000",
        "recipient_id": "4915117404120", "biz_opaque_callback_data": id.to_string()});
    if status == "failed" {
        told["errors"] = json!([{"code": 131_026, "title": "Message undeliverable"}]);
    }
    told
}

/// Every order of every subset, plain and with any one of its members once more at any place.
fn stories() -> BTreeSet<Vec<&'static str>> {
    let mut plain: Vec<Vec<&str>> = vec![vec![]];
    let mut all = BTreeSet::new();
    while let Some(story) = plain.pop() {
        for status in STATUSES.into_iter().filter(|status| !story.contains(status)) {
            plain.push(story.iter().copied().chain([status]).collect());
        }
        for again in story.clone() {
            for place in 0..=story.len() {
                let mut longer = story.clone();
                longer.insert(place, again);
                all.insert(longer);
            }
        }
        if !story.is_empty() {
            all.insert(story);
        }
    }
    all
}

fn highest(story: &[&'static str]) -> &'static str {
    STATUSES
        .into_iter()
        .rev()
        .find(|status| story.contains(status))
        .unwrap()
}

#[tokio::test]
async fn every_order_of_receipts_ends_in_the_same_state() {
    let stage = Stage::open("http://127.0.0.1:9", quick()).await;
    let stories: Vec<_> = stories().into_iter().collect();
    assert!(stories.len() > 400, "{}", stories.len());
    // One half is told one receipt at a time, the other all in one callback; from every state there is before.
    for at_once in [false, true] {
        let ids = stage.queue(campaign(), &people(stories.len())).await;
        for (modulo, state) in ["queued", "leased", "unknown", "accepted"].iter().enumerate() {
            let some: Vec<String> = ids
                .iter()
                .skip(modulo)
                .step_by(4)
                .map(|id| format!("'{id}'"))
                .collect();
            let ids = some.join(",");
            stage
                .sql(&format!(
                    "UPDATE notification.messages SET state = '{state}' WHERE id IN ({ids})"
                ))
                .await;
        }
        let told: Vec<Vec<Value>> = if at_once {
            let every = ids.iter().zip(&stories);
            vec![
                every
                    .flat_map(|(id, story)| story.iter().map(|word| status(*id, "wamid.1", word)))
                    .collect(),
            ]
        } else {
            let step = |at: usize| {
                let every = ids.iter().zip(&stories);
                every
                    .filter_map(move |(id, story)| Some(status(*id, "wamid.1", story.get(at)?)))
                    .collect()
            };
            (0..5).map(step).collect()
        };
        for statuses in told {
            signed(&stage, &callback(ACCOUNT, &statuses)).await.assert_ok();
        }
        let admin = stage.database.admin().await;
        let read = "SELECT state, provider_id, error_code, lease_until IS NULL FROM notification.messages WHERE id = $1";
        let read = admin.prepare_typed(read, &[Type::UUID]).await.unwrap();
        for (id, story) in ids.iter().zip(&stories) {
            let row = admin.query_one(&read, &[&id.as_uuid()]).await.unwrap();
            let (state, provider): (String, Option<String>) = (row.get(0), row.get(1));
            let (error, free): (Option<String>, bool) = (row.get(2), row.get(3));
            let expected = highest(story);
            assert_eq!(
                (state.as_str(), provider.as_deref(), free),
                (expected, Some("wamid.1"), true),
                "{story:?}"
            );
            assert_eq!(error.is_some(), expected == "failed", "{story:?}: {error:?}");
        }
    }
    let facts = "SELECT count(*) FROM (SELECT 1 FROM notification.receipts GROUP BY message_id, status HAVING count(*) > 1) s";
    let row = stage.database.admin().await.query_one(facts, &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 0, "each fact is kept once");
}

#[tokio::test]
async fn a_receipt_that_overtakes_our_own_commit_is_not_lost() {
    for word in ["sent", "failed", "delivered", "read"] {
        let meta = Meta::start(|_| Answer::Held).await;
        let stage = Stage::open(&meta.url, patient()).await;
        stage.start();
        let id = stage.queue_one("+4915117404120").await;
        eventually(PATIENCE, || async { meta.asked().len() == 1 }).await;
        assert_eq!(stage.state(id).await, "leased");
        let early = format!("wamid.{id}.0");
        signed(&stage, &callback(ACCOUNT, &[status(id, &early, word)]))
            .await
            .assert_ok();
        assert_eq!(stage.state(id).await, word);
        meta.let_go(1);
        stage.end().await;
        let message = stage.message(id).await;
        assert_eq!(
            (&message["state"], &message["provider_id"]),
            (&json!(word), &json!(early))
        );
        assert_eq!(meta.asked().len(), 1);
    }
}

#[tokio::test]
async fn what_was_skipped_or_called_off_stays_so() {
    let stage = Stage::open("http://127.0.0.1:9", quick()).await;
    for state in ["skipped", "expired", "cancelled"] {
        let id = stage.queue_one("+4915117404120").await;
        stage
            .sql(&format!(
                "UPDATE notification.messages SET state = '{state}' WHERE id = '{id}'"
            ))
            .await;
        signed(&stage, &callback(ACCOUNT, &[status(id, "wamid.1", "sent")]))
            .await
            .assert_ok();
        assert_eq!(stage.state(id).await, state);
    }
}

#[tokio::test]
async fn a_callback_about_a_text_that_overtakes_our_own_commit_is_not_lost() {
    // Twilio calls back before it answers.
    let settings = plaza_simulator::SimulatorSettings {
        answer_milliseconds: [600, 600],
        ..crate::texts::calm()
    };
    let (stage, sender, simulator) = crate::texts::with_simulator(settings).await;
    stage.start();
    let id = crate::texts::queue_one(&stage, sender, "+12015550140").await;
    stage.until_state(id, "delivered").await;
    let provider_id = stage.message(id).await["provider_id"].clone();
    assert!(provider_id.as_str().unwrap().starts_with("SM"));
    stage.end().await;
    let message = stage.message(id).await;
    assert_eq!(
        (&message["state"], &message["provider_id"]),
        (&json!("delivered"), &provider_id)
    );
    assert_eq!(simulator.counts().accepted, 1);
}
