//! One message to one person, and finding messages again.

use http::StatusCode;
use plaza_contracts::events::NotificationRequested;
use plaza_testkit::callers;
use serde_json::{Value, json};

use crate::inbound::conversation_with;
use crate::meta::{Answer, Meta};
use crate::stage::{Stage, batch, campaign, owner, people, quick};

const PATH: &str = "/api/v1/notifications/messages";

fn template(to: &str) -> Value {
    json!({"channel": "whatsapp", "to": to, "template": {"name": "order_update_v1", "language": "en_US", "body": ["Zoë"]}})
}

#[tokio::test]
async fn a_message_is_sent_and_its_story_told() {
    let meta = Meta::start(|_| Answer::Accept).await;
    let stage = Stage::open(&meta.url, quick()).await;
    let reply = stage.owner().post(PATH, &template("+4915117404120")).await;
    let sent = reply.assert_status(StatusCode::ACCEPTED).value();
    assert_eq!(
        (&sent["state"], &sent["sender_id"]),
        (&json!("queued"), &json!(stage.sender))
    );
    stage.start();
    let id: plaza_contracts::ids::MessageId = serde_json::from_value(sent["id"].clone()).unwrap();
    stage.until_state(id, "accepted").await;
    let told = crate::ladder::status(id, "wamid.1", "delivered");
    let body = crate::webhook::callback(crate::stage::ACCOUNT, &[told]);
    crate::webhook::signed(&stage, &body).await.assert_ok();
    let message = stage.message(id).await;
    assert_eq!(
        (&message["state"], &message["receipts"][0]["status"]),
        (&json!("delivered"), &json!("delivered"))
    );
}

#[tokio::test]
async fn free_text_only_goes_to_whom_it_may() {
    let stage = Stage::open("http://127.0.0.1:9", quick()).await;
    let text = json!({"channel": "whatsapp", "to": "+12015550123", "text": "Hello"});
    let reply = stage.owner().post(PATH, &text).await;
    reply.assert_failed(StatusCode::CONFLICT, "WINDOW_CLOSED");
    conversation_with(&stage, "12015550123").await;
    let reply = stage.owner().post(PATH, &text).await;
    reply.assert_status(StatusCode::ACCEPTED);
    let suppress = json!({"address": "+12015550123", "scope": "marketing"});
    stage
        .owner()
        .post("/api/v1/notifications/suppressions", &suppress)
        .await
        .assert_ok();
    let mut advert = template("+12015550123");
    advert["class"] = json!("marketing");
    let reply = stage.owner().post(PATH, &advert).await;
    reply.assert_failed(StatusCode::CONFLICT, "SUPPRESSED");
    stage
        .owner()
        .post(PATH, &template("+12015550123"))
        .await
        .assert_status(StatusCode::ACCEPTED);
}

#[tokio::test]
async fn what_is_no_message_is_refused_with_its_place() {
    let stage = Stage::open("http://127.0.0.1:9", quick()).await;
    let with = |name: &str, value: Value| {
        let mut body = template("+4915117404120");
        body[name] = value;
        body
    };
    for (body, pointer) in [
        (with("to", json!("15117404120")), "/to"),
        (with("channel", json!("pigeon")), "/channel"),
        (with("class", json!("spam")), "/class"),
        (with("text", json!("both")), "/text"),
        (with("template", Value::Null), "/template"),
    ] {
        let reply = stage.owner().post(PATH, &body).await;
        let reply = reply
            .assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_MESSAGE")
            .value();
        assert_eq!(reply["errors"][0]["pointer"], pointer, "{reply}");
    }
    let nobodys = with("sender_id", json!("0193a0a0-0000-7000-8000-000000000000"));
    let reply = stage.owner().post(PATH, &nobodys).await;
    reply.assert_failed(StatusCode::NOT_FOUND, "SENDER_NOT_FOUND");
    let rival = owner(&stage.mounted, callers::tenant());
    let mut theirs = template("+4915117404120");
    theirs["sender_id"] = json!(stage.sender);
    rival
        .post(PATH, &theirs)
        .await
        .assert_failed(StatusCode::NOT_FOUND, "SENDER_NOT_FOUND");
    rival
        .post(PATH, &template("+4915117404120"))
        .await
        .assert_failed(StatusCode::NOT_FOUND, "SENDER_NOT_FOUND");
    assert!(stage.states().await.is_empty());
}

#[tokio::test]
async fn messages_that_another_service_asks_for_are_queued_from_the_default_sender() {
    let stage = Stage::open("http://127.0.0.1:9", quick()).await;
    let mut event = NotificationRequested {
        source: "order:7".to_owned(),
        sender_id: None,
        messages: batch(campaign(), stage.sender, 0, &people(3)).messages,
    };
    stage.hear(&event).await;
    let found = stage.owner().get(&format!("{PATH}?source=order:7")).await.value();
    assert_eq!(found["items"].as_array().unwrap().len(), 3);
    assert_eq!(found["items"][0]["sender_id"], json!(stage.sender));
    // No sender of text messages is there, and a text message does not go out from another one.
    event.messages[0].channel = "sms".to_owned();
    for sender in [None, Some(stage.sender)] {
        event.sender_id = sender;
        event.source = format!("order:{}", sender.is_some());
        for message in &mut event.messages {
            message.message_id = plaza_contracts::ids::MessageId::generate(&plaza_kernel::Clock::system());
        }
        stage.hear(&event).await;
    }
    // Without a sender nothing can be queued; with one, what it cannot send fails alone.
    assert_eq!(stage.states().await["queued"], 5);
    let text = stage.message(event.messages[0].message_id).await;
    assert_eq!(
        (&text["state"], &text["error_code"]),
        (&json!("failed"), &json!("UNACCEPTABLE"))
    );
}

#[tokio::test]
async fn messages_are_found_by_number_failure_and_time() {
    let stage = Stage::open("http://127.0.0.1:9", quick()).await;
    let source = campaign();
    let to = [
        "+5511987654321".to_owned(),
        "+551187654321".to_owned(),
        "+4915117404120".to_owned(),
    ];
    let ids = stage.queue(source, &to).await;
    stage
        .sql(&format!(
            "UPDATE notification.messages SET state = 'failed', error_code = '131026' WHERE id = '{}'",
            ids[0]
        ))
        .await;
    let count = async |query: &str| {
        let found = stage
            .owner()
            .get(&format!("{PATH}?{query}"))
            .await
            .assert_ok()
            .value();
        found["items"].as_array().unwrap().len()
    };
    assert_eq!(count("address=%2B5511987654321").await, 2, "in either spelling");
    assert_eq!(count("address=%2B5511987654321&state=failed").await, 1);
    assert_eq!(count("error_code=131026").await, 1);
    assert_eq!(
        count(&format!(
            "error_code=131026&source=campaign:{source}&state=failed"
        ))
        .await,
        1
    );
    assert_eq!(count("error_code=131026&state=queued").await, 0);
    assert_eq!(count("from=2020-01-01T00:00:00Z").await, 3);
    assert_eq!(count("to=2020-01-01T00:00:00Z").await, 0);
    assert_eq!(
        count(&format!(
            "source=campaign:{source}&from=2020-01-01T00:00:00Z&limit=2"
        ))
        .await,
        2
    );
    assert_eq!(count("channel=whatsapp").await, 3);
    assert_eq!(count("channel=whatsapp&state=failed").await, 1);
    assert_eq!(count("channel=sms").await, 0);
    for bad in ["address=15117404120", "state=lost", "channel=pigeon"] {
        let reply = stage.owner().get(&format!("{PATH}?{bad}")).await;
        reply.assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_QUERY");
    }
}

#[tokio::test]
async fn the_database_compares_numbers_as_the_program_does() {
    let stage = Stage::open("http://127.0.0.1:9", quick()).await;
    let vectors = include_str!("../../../../testdata/vectors/phones.json");
    let vectors: Value = serde_json::from_str(vectors).unwrap();
    let admin = stage.database.admin().await;
    for row in vectors["keys"].as_array().unwrap() {
        let address = row["address"].as_str().unwrap();
        let found = admin
            .query_one("SELECT notification.address_key($1)", &[&address])
            .await
            .unwrap();
        assert_eq!(found.get::<_, String>(0), row["key"], "{}", row["why"]);
    }
    for row in vectors["variants"].as_array().unwrap() {
        let address = row["address"].as_str().unwrap();
        let spellings = "SELECT notification.spellings(notification.address_key($1))";
        let found = admin.query_one(spellings, &[&address]).await.unwrap();
        let mut found = found.get::<_, Vec<String>>(0);
        let variants = row["variants"].as_array().unwrap().iter();
        let mut variants: Vec<&str> = variants.map(|one| one.as_str().unwrap()).collect();
        found.sort();
        variants.sort_unstable();
        assert_eq!(found, variants, "{address}");
    }
}
