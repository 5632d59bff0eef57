//! What is told of a message that went out more than once, or was ended while nobody knew whether it had.

use plaza_contracts::ids::MessageId;
use plaza_testkit::eventually;
use serde_json::json;

use crate::ladder::status;
use crate::meta::{Answer, Meta};
use crate::stage::{ACCOUNT, PATIENCE, Stage, patient, quick};
use crate::texts;
use crate::webhook::{callback, signed};

async fn told(stage: &Stage, id: MessageId, provider_id: &str, word: &str) {
    signed(stage, &callback(ACCOUNT, &[status(id, provider_id, word)]))
        .await
        .assert_ok();
}

async fn set(stage: &Stage, id: MessageId, what: &str) {
    stage
        .sql(&format!(
            "UPDATE notification.messages SET {what} WHERE id = '{id}'"
        ))
        .await;
}

/// As if somebody had it tried again after it failed.
async fn tried_again(stage: &Stage, id: MessageId) {
    set(
        stage,
        id,
        "state = 'queued', epoch = epoch + 1, attempts = 0, resends = 0, error_code = NULL, error_text = NULL",
    )
    .await;
}

#[tokio::test]
async fn what_is_told_of_an_earlier_try_is_not_taken_for_the_next_one() {
    let stage = Stage::open("http://127.0.0.1:9", quick()).await;
    for word in ["sent", "failed"] {
        let id = stage.queue_one("+4915117404120").await;
        told(&stage, id, "wamid.first", word).await;
        told(&stage, id, "wamid.first", "failed").await;
        assert_eq!(stage.state(id).await, "failed");
        tried_again(&stage, id).await;
        // Once more, and for the first time.
        for word in ["failed", "sent"] {
            told(&stage, id, "wamid.first", word).await;
            assert_eq!(
                stage.state(id).await,
                "queued",
                "{word} says nothing of the try to come"
            );
        }
        set(
            &stage,
            id,
            "state = 'accepted', provider_id = 'wamid.second', attempts = 1",
        )
        .await;
        for word in ["failed", "sent"] {
            told(&stage, id, "wamid.first", word).await;
            let message = stage.message(id).await;
            assert_eq!(
                (&message["state"], &message["provider_id"]),
                (&json!("accepted"), &json!("wamid.second")),
                "{word}"
            );
        }
        told(&stage, id, "wamid.second", "failed").await;
        tried_again(&stage, id).await;
        told(&stage, id, "wamid.first", "sent").await;
        assert_eq!(stage.state(id).await, "queued", "of the first of three");
        told(&stage, id, "wamid.third", "sent").await;
        assert_eq!(stage.state(id).await, "sent");
        told(&stage, id, "wamid.first", "delivered").await;
        assert_eq!(stage.state(id).await, "delivered", "whichever it was, it arrived");
    }
}

#[tokio::test]
async fn an_acceptance_stands_though_the_try_before_it_fails_meanwhile() {
    let meta = Meta::start(|_| Answer::Held).await;
    let stage = Stage::open(&meta.url, patient()).await;
    stage.start();
    let id = stage.queue_one("+4915117404120").await;
    eventually(PATIENCE, || async { meta.asked().len() == 1 }).await;
    told(&stage, id, "wamid.before", "failed").await;
    assert_eq!(stage.state(id).await, "failed");
    meta.let_go(1);
    stage.end().await;
    let message = stage.message(id).await;
    assert_eq!(
        (&message["state"], &message["provider_id"]),
        (&json!("accepted"), &json!(format!("wamid.{id}.0")))
    );
    assert_eq!(message.get("error_code"), None, "{message}");
}

#[tokio::test]
async fn what_was_ended_in_doubt_has_arrived_after_all() {
    let stage = Stage::open("http://127.0.0.1:9", quick()).await;
    for state in ["skipped", "expired", "cancelled"] {
        for word in ["sent", "delivered", "read"] {
            let id = stage.queue_one("+4915117404120").await;
            set(&stage, id, &format!("state = '{state}', attempts = 1")).await;
            told(&stage, id, "wamid.1", "failed").await;
            assert_eq!(stage.state(id).await, state, "it did not arrive either way");
            told(&stage, id, "wamid.2", word).await;
            assert_eq!(stage.state(id).await, word, "{state}");
        }
    }
}

#[tokio::test]
async fn a_text_that_twilio_has_is_not_sent_again_though_it_never_answered() {
    let (stage, sender) = texts::open_at("http://127.0.0.1:9", quick()).await;
    for word in ["accepted", "scheduled", "queued", "sending"] {
        let id = texts::queue_one(&stage, sender, "+12015550140").await;
        set(
            &stage,
            id,
            "state = 'unknown', attempts = 1, unknown_because = 'silence'",
        )
        .await;
        crate::twilio_webhook::tell_at(&stage, sender, id, "SM1", word).await;
        let message = stage.message(id).await;
        assert_eq!(
            (&message["state"], &message["provider_id"]),
            (&json!("accepted"), &json!("SM1")),
            "{word}"
        );
    }
}
