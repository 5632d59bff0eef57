//! `/webhooks/twilio`: only who signs with the sender's own token is heard, and only about that tenant's messages.

use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{Request, StatusCode};
use plaza_contracts::ids::{MessageId, SenderId};
use plaza_crypto::hmac_sha1;
use plaza_testkit::{Reply, callers};

use crate::stage::{Stage, owner, quick};
use crate::texts::{FROM, TOKEN, account_sid, create, queue, queue_one};

const ORIGIN: &str = "https://plaza.example";

async fn stage() -> (Stage, SenderId, MessageId) {
    let mut config = quick();
    config.public_url = ORIGIN.to_owned();
    config.twilio.base_url = "http://127.0.0.1:9".to_owned();
    let stage = Stage::open("http://127.0.0.1:9", config).await;
    let sender = create(&stage.owner(), "Texts", FROM).await;
    let id = queue_one(&stage, sender, "+4915117404120").await;
    (stage, sender, id)
}

fn form(fields: &[(&str, &str)]) -> String {
    // What a test sends needs no more escaping than this.
    let pairs: Vec<String> = fields
        .iter()
        .map(|(name, value)| format!("{name}={}", value.replace('+', "%2B").replace(' ', "+")))
        .collect();
    pairs.join("&")
}

/// What Twilio signs, made apart from the program's own code.
fn signature(token: &str, url: &str, fields: &[(&str, &str)]) -> String {
    let mut sorted = fields.to_vec();
    sorted.sort_unstable();
    let signed: String = sorted
        .into_iter()
        .map(|(name, value)| format!("{name}{value}"))
        .collect();
    STANDARD.encode(hmac_sha1(token.as_bytes(), format!("{url}{signed}").as_bytes()))
}

async fn deliver(stage: &Stage, target: &str, body: &str, signatures: &[&str]) -> Reply {
    let mut request = Request::post(target).header("content-type", "application/x-www-form-urlencoded");
    for signature in signatures {
        request = request.header("x-twilio-signature", *signature);
    }
    let request = request.body(Body::from(body.to_owned())).unwrap();
    stage.mounted.anonymous().send(request).await
}

fn target(sender: SenderId, message: MessageId) -> String {
    format!("/webhooks/twilio/status/{sender}?m={message}")
}

/// The same to whoever listens where it says that it does.
pub(crate) async fn tell_at(stage: &Stage, sender: SenderId, message: MessageId, sid: &str, status: &str) {
    let fields = [("MessageSid", sid), ("MessageStatus", status)];
    let target = target(sender, message);
    let good = signature(TOKEN, &format!("{}{target}", stage.config.public_url), &fields);
    deliver(stage, &target, &form(&fields), &[&good])
        .await
        .assert_status(StatusCode::NO_CONTENT);
}

/// Tells a status as Twilio would.
async fn tell(stage: &Stage, sender: SenderId, message: MessageId, sid: &str, status: &str) -> Reply {
    let account = account_sid();
    let mut fields = vec![
        ("MessageSid", sid),
        ("MessageStatus", status),
        ("AccountSid", &*account),
        ("From", FROM),
    ];
    if status == "undelivered" {
        fields.push(("ErrorCode", "30006"));
    }
    let target = target(sender, message);
    let good = signature(TOKEN, &format!("{ORIGIN}{target}"), &fields);
    deliver(stage, &target, &form(&fields), &[&good]).await
}

#[tokio::test]
async fn a_callback_without_the_right_signature_changes_nothing() {
    let (stage, sender, id) = stage().await;
    let rival = callers::tenant();
    let theirs = create(&owner(&stage.mounted, rival), "Rival", FROM).await;
    let fields = [("MessageSid", "SM1"), ("MessageStatus", "delivered")];
    let (target, body) = (target(sender, id), form(&fields));
    let url = format!("{ORIGIN}{target}");
    let good = signature(TOKEN, &url, &fields);
    let forged: &[&[&str]] = &[
        &[],
        &[""],
        &[&good[1..]],
        &[&good.replace('=', "")],
        &[&signature("another-token", &url, &fields)],
        &[&signature("", &url, &fields)],
        &[&signature(TOKEN, &url, &fields[..1])],
        &[&signature(TOKEN, &target, &fields)],
        &[&signature(TOKEN, &url.replace("https", "http"), &fields)],
        &[&good, &good],
    ];
    for signatures in forged {
        let reply = deliver(&stage, &target, &body, signatures).await;
        reply.assert_failed(StatusCode::UNAUTHORIZED, "INVALID_SIGNATURE");
    }
    let other = target.replace(&sender.to_string(), &theirs.to_string());
    let nobody = target.replace(&sender.to_string(), &id.to_string());
    for (target, body) in [
        (&target, format!("{body}&ErrorCode=1")),
        (&target, body.replace("delivered", "read")),
        (&format!("{target}&x=1"), body.clone()),
        (&other, body.clone()),
        (&nobody, body.clone()),
        (&target.replace("status", "inbound"), body.clone()),
    ] {
        let reply = deliver(&stage, target, &body, &[&good]).await;
        reply.assert_failed(StatusCode::UNAUTHORIZED, "INVALID_SIGNATURE");
    }
    assert_eq!(stage.state(id).await, "queued");
    deliver(&stage, &target, &body, &[&good])
        .await
        .assert_status(StatusCode::NO_CONTENT);
    assert_eq!(stage.state(id).await, "delivered");
}

#[tokio::test]
async fn whose_sender_it_is_not_has_no_word_in_it() {
    let (stage, _, id) = stage().await;
    let rival = callers::tenant();
    let theirs = create(&owner(&stage.mounted, rival), "Rival", FROM).await;
    // Signed as it should be, by somebody whose own sender it is, about another tenant's message.
    tell(&stage, theirs, id, "SM1", "delivered")
        .await
        .assert_status(StatusCode::NO_CONTENT);
    assert_eq!(stage.state(id).await, "queued");
    let facts = "SELECT count(*) FROM notification.receipts";
    let row = stage.database.admin().await.query_one(facts, &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 0);
}

#[tokio::test]
async fn every_order_of_statuses_ends_in_the_same_state() {
    let (stage, sender, _) = stage().await;
    let words = ["sent", "undelivered", "delivered", "read"];
    let mut stories: Vec<Vec<&str>> = vec![vec![]];
    for _ in 0..words.len() {
        let longer: Vec<Vec<&str>> = stories
            .iter()
            .flat_map(|story| {
                words
                    .iter()
                    .filter(|word| !story.contains(word))
                    .map(move |word| [&story[..], &[*word]].concat())
            })
            .collect();
        stories.extend(longer);
        stories.sort();
        stories.dedup();
    }
    stories.retain(|story| !story.is_empty());
    assert_eq!(stories.len(), 64);
    let ids = queue(&stage, sender, &crate::stage::people(stories.len())).await;
    for (id, story) in ids.iter().zip(&stories) {
        // The first word once more after all of them, as if it had been late.
        for word in ["queued", "sending"].iter().chain(story).chain(&story[..1]) {
            tell(&stage, sender, *id, "SM1", word)
                .await
                .assert_status(StatusCode::NO_CONTENT);
        }
        let highest = words.iter().rev().find(|word| story.contains(word)).unwrap();
        let expected = if *highest == "undelivered" {
            "failed"
        } else {
            highest
        };
        let message = stage.message(*id).await;
        assert_eq!(message["state"], expected, "{story:?}");
        assert_eq!(
            message["error_code"] == "30006",
            expected == "failed",
            "{story:?}: {message}"
        );
    }
}

#[tokio::test]
async fn one_fact_told_fifty_times_at_once_is_one_fact() {
    let (stage, sender, id) = stage().await;
    let told = (0..50).map(|_| tell(&stage, sender, id, "SM1", "delivered"));
    for reply in futures_util::future::join_all(told).await {
        reply.assert_status(StatusCode::NO_CONTENT);
    }
    let facts = "SELECT count(*) FROM notification.receipts";
    let row = stage.database.admin().await.query_one(facts, &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 1);
    assert_eq!(stage.outbox().await.len(), 1, "and settles its source once");
}

#[tokio::test]
async fn what_is_signed_and_says_nothing_is_acknowledged() {
    let (stage, sender, id) = stage().await;
    for (target, fields) in [
        (target(sender, id), &[("MessageStatus", "delivered")][..]),
        (
            target(sender, id),
            &[("MessageSid", "SM1"), ("MessageStatus", "something new")],
        ),
        (
            format!("/webhooks/twilio/status/{sender}"),
            &[("MessageSid", "SM1"), ("MessageStatus", "read")],
        ),
        (
            format!("/webhooks/twilio/status/{sender}?m=x"),
            &[("MessageSid", "SM1"), ("MessageStatus", "read")],
        ),
        (target(sender, id), &[]),
    ] {
        let good = signature(TOKEN, &format!("{ORIGIN}{target}"), fields);
        let reply = deliver(&stage, &target, &form(fields), &[&good]).await;
        reply.assert_status(StatusCode::NO_CONTENT);
    }
    assert_eq!(stage.state(id).await, "queued");
    let long = "x".repeat((64 << 10) + 1);
    let reply = deliver(
        &stage,
        &target(sender, id),
        &long,
        &["0/KCTR6DLpKmkAf8muzZqo1nDgQ="],
    )
    .await;
    reply.assert_failed(StatusCode::PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE");
}

/// Passes on what somebody wrote, as Twilio would.
async fn write(stage: &Stage, sender: SenderId, sid: &str, text: &str, opt_out: Option<&str>) -> Reply {
    let account = account_sid();
    let mut fields = vec![
        ("MessageSid", sid),
        ("From", "+4915117404120"),
        ("To", FROM),
        ("Body", text),
        ("AccountSid", &*account),
        ("NumMedia", "0"),
    ];
    fields.extend(opt_out.map(|kind| ("OptOutType", kind)));
    let target = format!("/webhooks/twilio/inbound/{sender}");
    let good = signature(TOKEN, &format!("{ORIGIN}{target}"), &fields);
    deliver(stage, &target, &form(&fields), &[&good]).await
}

#[tokio::test]
async fn what_somebody_writes_is_kept_once_and_answered_with_no_reply() {
    let (stage, sender, _) = stage().await;
    for _ in 0..3 {
        let reply = write(&stage, sender, "SM-1", "When do you open?", None)
            .await
            .assert_ok();
        assert_eq!(reply.headers["content-type"], "text/xml; charset=utf-8");
        assert!(reply.text().ends_with("<Response/>"));
    }
    let list = stage
        .owner()
        .get("/api/v1/notifications/conversations")
        .await
        .assert_ok()
        .value();
    let [conversation] = list["items"].as_array().unwrap().as_slice() else {
        panic!("{list}")
    };
    assert_eq!(conversation["channel"], "sms", "{conversation}");
    let path = format!(
        "/api/v1/notifications/conversations/{}/messages",
        conversation["id"].as_str().unwrap()
    );
    let said = stage.owner().get(&path).await.assert_ok().value();
    let said = said["items"].as_array().unwrap();
    assert_eq!(
        (said.len(), said[0]["text"].as_str()),
        (1, Some("When do you open?")),
        "{said:?}"
    );
}

#[tokio::test]
async fn who_writes_stop_gets_no_texts_until_they_write_start() {
    let (stage, sender, _) = stage().await;
    stage.start();
    write(&stage, sender, "SM-1", "Stop.", Some("STOP"))
        .await
        .assert_ok();
    let refused = queue_one(&stage, sender, "+4915117404120").await;
    stage.until_state(refused, "skipped").await;
    assert_eq!(stage.message(refused).await["error_code"], "SUPPRESSED");
    write(&stage, sender, "SM-2", "START", Some("START"))
        .await
        .assert_ok();
    let list = stage
        .owner()
        .get("/api/v1/notifications/suppressions")
        .await
        .assert_ok()
        .value();
    assert_eq!(list["items"], serde_json::json!([]));
    let sources = "SELECT count(*) FROM notification.messages WHERE source LIKE 'optout:%'";
    let row = stage
        .database
        .admin()
        .await
        .query_one(sources, &[])
        .await
        .unwrap();
    assert_eq!(row.get::<_, i64>(0), 0, "Twilio has answered it");
}

#[tokio::test]
async fn what_twilio_takes_for_stop_is_one_whatever_the_word() {
    let (stage, sender, _) = stage().await;
    for (sid, text, kind, standing) in [
        ("SM-1", "arret", "STOP", 1),
        ("SM-2", "stop", "HELP", 1),
        ("SM-3", "reprendre", "START", 0),
    ] {
        write(&stage, sender, sid, text, Some(kind)).await.assert_ok();
        let list = stage
            .owner()
            .get("/api/v1/notifications/suppressions")
            .await
            .assert_ok()
            .value();
        assert_eq!(
            list["items"].as_array().unwrap().len(),
            standing,
            "{text}: {list}"
        );
    }
}

#[tokio::test]
async fn who_writes_stop_to_one_channel_is_written_to_on_none() {
    let (stage, sender, _) = stage().await;
    write(&stage, sender, "SM-1", "STOP", None).await.assert_ok();
    let id = stage.queue_one("+4915117404120").await;
    let other = stage.queue_one("+4915117404121").await;
    stage.start();
    stage.until_state(id, "skipped").await;
    assert_eq!(stage.message(id).await["error_code"], "SUPPRESSED");
    assert_ne!(stage.state(other).await, "skipped");
    let body = serde_json::json!({"sender_id": stage.sender, "to": "+4915117404120", "text": "Hello"});
    let reply = stage.owner().post("/api/v1/notifications/messages", &body).await;
    assert!(!reply.status.is_success(), "{reply}");
}
