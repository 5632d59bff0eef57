//! What people write, and what they are answered.

use std::time::Duration;

use axum::body::Body;
use http::{Method, Request, StatusCode};
use plaza_testkit::{callers, eventually};
use serde_json::{Value, json};

use crate::meta::{Answer, Meta};
use crate::stage::{ACCOUNT, PATIENCE, Stage, create_sender, owner, quick};
use crate::webhook::signed;

const ROOT: &str = "/api/v1/notifications";
const BUSINESS: &str = "102290129340398";

/// A callback with a change of this field.
fn change(account: &str, field: &str, value: Value) -> Vec<u8> {
    let mut whole = json!({"messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "15550000000", "phone_number_id": account}});
    for (name, part) in value.as_object().unwrap() {
        whole[name] = part.clone();
    }
    let callback = json!({"object": "whatsapp_business_account",
        "entry": [{"id": BUSINESS, "changes": [{"field": field, "value": whole}]}]});
    serde_json::to_vec(&callback).unwrap()
}

/// A text from a number.
fn text(from: &str, id: &str, body: &str) -> Value {
    let now = plaza_kernel::Clock::system().now().timestamp().to_string();
    json!({"from": from, "id": id, "timestamp": now, "type": "text", "text": {"body": body}})
}

async fn writes(stage: &Stage, message: Value) {
    let body = change(ACCOUNT, "messages", json!({"messages": [message]}));
    signed(stage, &body).await.assert_ok();
}

async fn says(stage: &Stage, from: &str, id: &str, body: &str) {
    writes(stage, text(from, id, body)).await;
}

async fn items(stage: &Stage, path: &str) -> Vec<Value> {
    let list = stage
        .owner()
        .get(&format!("{ROOT}/{path}"))
        .await
        .assert_ok()
        .value();
    list["items"].as_array().unwrap().clone()
}

/// A conversation with somebody who wrote; its id.
pub(crate) async fn conversation_with(stage: &Stage, from: &str) -> String {
    stage.prove().await;
    says(stage, from, &format!("wamid.{from}"), "Hello").await;
    let found = items(stage, "conversations").await;
    found[0]["id"].as_str().unwrap().to_owned()
}

async fn proven() -> Stage {
    let stage = Stage::open("http://127.0.0.1:9", quick()).await;
    stage.prove().await;
    stage
}

#[tokio::test]
async fn what_a_person_writes_is_read_and_answered() {
    let meta = Meta::start(|_| Answer::Accept).await;
    let stage = Stage::open(&meta.url, quick()).await;
    let id = conversation_with(&stage, "12015550123").await;
    let found = &items(&stage, "conversations").await[0];
    assert_eq!(
        (&found["address"], &found["unread"], &found["channel"]),
        (&json!("+12015550123"), &json!(1), &json!("whatsapp"))
    );
    let path = format!("{ROOT}/conversations/{id}");
    let reply = stage
        .owner()
        .post(&format!("{path}/messages"), &json!({"text": "We open at nine."}))
        .await;
    reply.assert_status(StatusCode::ACCEPTED);
    stage.start();
    eventually(PATIENCE, || async { meta.asked().len() == 1 }).await;
    assert_eq!(meta.asked()[0].to, "12015550123");
    assert_eq!(meta.asked()[0].body["text"]["body"], "We open at nine.");
    let said = items(&stage, &format!("conversations/{id}/messages")).await;
    let said: Vec<_> = said
        .iter()
        .map(|one| (one["direction"].as_str().unwrap(), one["text"].as_str().unwrap()))
        .collect();
    assert_eq!(said, [("out", "We open at nine."), ("in", "Hello")]);
    assert_eq!(stage.owner().get(&path).await.value()["unread"], 0);
    let received = stage.told("broadcast.inbound.received").await;
    assert_eq!(received.len(), 1);
    assert_eq!(
        (&received[0]["conversation_id"], &received[0]["kind"]),
        (&json!(id), &json!("text"))
    );
    assert!(!received[0].to_string().contains("Hello") && !received[0].to_string().contains("12015550123"));
}

#[tokio::test]
async fn one_message_told_fifty_times_at_once_is_one_message() {
    let stage = proven().await;
    let body = change(
        ACCOUNT,
        "messages",
        json!({"messages": [text("12015550123", "wamid.1", "Hello")]}),
    );
    let all = (0..50).map(|_| signed(&stage, &body));
    for reply in futures_util::future::join_all(all).await {
        // Some find no place for their bodies; Meta repeats those.
        assert!(
            [StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE].contains(&reply.status),
            "{reply}"
        );
    }
    signed(&stage, &body).await.assert_ok();
    let found = items(&stage, "conversations").await;
    assert_eq!((found.len(), &found[0]["unread"]), (1, &json!(1)));
    assert_eq!(stage.told("broadcast.inbound.received").await.len(), 1);
}

#[tokio::test]
async fn who_only_says_that_an_account_is_theirs_hears_nothing_of_it() {
    let stage = proven().await;
    let rival = callers::tenant();
    let theirs = owner(&stage.mounted, rival);
    create_sender(&theirs, "Mine too", ACCOUNT).await;
    says(&stage, "12015550123", "wamid.1", "Hello").await;
    let found = theirs.get(&format!("{ROOT}/conversations")).await.value();
    assert_eq!(found["items"], json!([]));
    assert_eq!(items(&stage, "conversations").await.len(), 1);
    let told = "SELECT count(*) FROM notification.outbox WHERE tenant_id = $1";
    let admin = stage.database.admin().await;
    let row = admin.query_one(told, &[&rival.as_uuid()]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 0);
}

#[tokio::test]
async fn the_first_message_that_is_taken_shows_whose_account_it_is() {
    let meta = Meta::start(|_| Answer::Accept).await;
    let stage = Stage::open(&meta.url, quick()).await;
    says(&stage, "12015550123", "wamid.1", "too early").await;
    assert_eq!(items(&stage, "conversations").await.len(), 0);
    stage.start();
    let id = stage.queue_one("+4915117404120").await;
    stage.until_state(id, "accepted").await;
    says(&stage, "12015550123", "wamid.2", "Hello").await;
    assert_eq!(items(&stage, "conversations").await.len(), 1);
}

#[tokio::test]
async fn somebody_without_a_number_is_known_by_the_providers_id_and_by_both_later() {
    let stage = proven().await;
    let user = "US.13491208655302741918";
    let mut hidden = text("x", "wamid.1", "Hello");
    hidden.as_object_mut().unwrap().remove("from");
    hidden["from_user_id"] = json!(user);
    writes(&stage, hidden).await;
    let found = items(&stage, "conversations").await;
    assert_eq!((&found[0]["user"], found[0].get("address")), (&json!(user), None));
    let path = format!(
        "{ROOT}/conversations/{}/messages",
        found[0]["id"].as_str().unwrap()
    );
    let reply = stage.owner().post(&path, &json!({"text": "Hi"})).await;
    reply.assert_failed(StatusCode::CONFLICT, "NO_ADDRESS");
    let mut open = text("12015550123", "wamid.2", "It is me");
    open["from_user_id"] = json!(user);
    writes(&stage, open).await;
    says(&stage, "12015550123", "wamid.3", "Me again").await;
    let found = items(&stage, "conversations").await;
    assert_eq!(found.len(), 1, "one person: {found:?}");
    assert_eq!(
        (&found[0]["address"], &found[0]["unread"]),
        (&json!("+12015550123"), &json!(3))
    );
    // Called otherwise from now on.
    let renamed = json!({"user_id_update": [{"user_id": {"previous": user, "current": "US.2"}}]});
    signed(&stage, &change(ACCOUNT, "user_id_update", renamed))
        .await
        .assert_ok();
    assert_eq!(items(&stage, "conversations").await[0]["user"], "US.2");
    // The number is another person's now.
    let mut other = text("12015550123", "wamid.4", "Who are you?");
    other["from_user_id"] = json!("US.77");
    writes(&stage, other).await;
    let found = items(&stage, "conversations").await;
    assert_eq!(found.len(), 2, "{found:?}");
}

#[tokio::test]
async fn two_spellings_of_a_number_are_one_person() {
    let stage = proven().await;
    says(&stage, "5511987654321", "wamid.1", "Oi").await;
    says(&stage, "551187654321", "wamid.2", "Oi de novo").await;
    assert_eq!(items(&stage, "conversations").await.len(), 1);
    says(&stage, "551187654321", "wamid.3", "STOP").await;
    let id = stage.queue_one("+5511987654321").await;
    stage.start();
    stage.until_state(id, "skipped").await;
}

#[tokio::test]
async fn nobody_is_answered_after_the_window() {
    let stage = proven().await;
    let id = conversation_with(&stage, "12015550123").await;
    let path = format!("{ROOT}/conversations/{id}/messages");
    stage
        .sql("UPDATE notification.conversations SET window_until = now() - interval '1 s'")
        .await;
    let reply = stage.owner().post(&path, &json!({"text": "Late"})).await;
    reply.assert_failed(StatusCode::CONFLICT, "WINDOW_CLOSED");
    // What is told late, of long ago, opens nothing.
    let mut old = text("12015550123", "wamid.old", "Old");
    old["timestamp"] = json!("1700000000");
    writes(&stage, old).await;
    let reply = stage.owner().post(&path, &json!({"text": "Late"})).await;
    reply.assert_failed(StatusCode::CONFLICT, "WINDOW_CLOSED");
    says(&stage, "12015550123", "wamid.new", "Still there?").await;
    let reply = stage.owner().post(&path, &json!({"text": "Yes"})).await;
    reply.assert_status(StatusCode::ACCEPTED);
    for bad in [
        json!({"text": ""}),
        json!({"text": "x".repeat(4_097)}),
        json!({"text": "a", "to": "b"}),
    ] {
        let reply = stage.owner().post(&path, &bad).await;
        assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY, "{reply}");
    }
}

#[tokio::test]
async fn a_reply_that_is_repeated_under_its_key_is_sent_once() {
    let stage = proven().await;
    let id = conversation_with(&stage, "12015550123").await;
    let path = format!("{ROOT}/conversations/{id}/messages");
    let client = stage.owner();
    let send = async || {
        let request = Request::builder().method(Method::POST).uri(&path);
        let request = request
            .header("content-type", "application/json")
            .header("idempotency-key", "r-1");
        client
            .send(request.body(Body::from(r#"{"text":"Once"}"#)).unwrap())
            .await
    };
    let (first, second) = (send().await, send().await);
    assert_eq!(first.status, StatusCode::ACCEPTED);
    assert_eq!(first.value()["id"], second.value()["id"]);
    assert_eq!(second.headers["idempotency-replayed"], "true");
    assert_eq!(stage.states().await["queued"], 1);
}

#[tokio::test]
async fn stop_is_heeded_at_once_and_start_takes_it_back() {
    let meta = Meta::start(|_| Answer::Accept).await;
    let stage = Stage::open(&meta.url, quick()).await;
    stage.prove().await;
    stage
        .configure(
            1,
            json!({"opt_out": {"stop": ["abmelden"], "confirmation": "You get no more messages."}}),
        )
        .await;
    let waiting = stage.queue_one("+12015550123").await;
    says(&stage, "12015550123", "wamid.1", " Stop! ").await;
    says(&stage, "12015550123", "wamid.2", "ABMELDEN").await;
    let suppressed = items(&stage, "suppressions").await;
    assert_eq!(
        (&suppressed[0]["scope"], &suppressed[0]["source"]),
        (&json!("all"), &json!("stop"))
    );
    stage.start();
    stage.until_state(waiting, "skipped").await;
    // One confirmation, however often it is said; it goes to somebody who must not be written to otherwise.
    eventually(PATIENCE, || async { meta.asked().len() == 1 }).await;
    assert_eq!(meta.asked()[0].body["text"]["body"], "You get no more messages.");
    let told = stage.told("broadcast.optout.recorded").await;
    assert_eq!(told.len(), 1);
    assert_eq!(
        (&told[0]["action"], &told[0]["scope"], &told[0]["address"]),
        (&json!("out"), &json!("all"), &json!("+12015550123"))
    );
    says(&stage, "12015550123", "wamid.3", "start").await;
    assert_eq!(items(&stage, "suppressions").await.len(), 0);
    let told = stage.told("broadcast.optout.recorded").await;
    assert_eq!(told[1]["action"], "in");
    let again = stage.queue_one("+12015550123").await;
    stage.until_state(again, "accepted").await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(meta.asked().len(), 2);
}

#[tokio::test]
async fn start_takes_back_only_what_the_person_said() {
    let stage = proven().await;
    let by_hand = json!({"address": "+12015550123", "reason": "asked by telephone"});
    stage
        .owner()
        .post(&format!("{ROOT}/suppressions"), &by_hand)
        .await
        .assert_ok();
    says(&stage, "12015550123", "wamid.1", "stop").await;
    says(&stage, "12015550123", "wamid.2", "start").await;
    let left = items(&stage, "suppressions").await;
    assert_eq!((left.len(), &left[0]["source"]), (1, &json!("api")));
    // A preference for no advertising is there beneath a stop, and stays when that is taken back.
    prefers(&stage, "12015550199", "stop", 1).await;
    says(&stage, "12015550199", "wamid.3", "stop").await;
    says(&stage, "12015550199", "wamid.4", "start").await;
    let left = items(&stage, "suppressions").await;
    let narrow = left.iter().find(|one| one["address"] == "+12015550199").unwrap();
    assert_eq!(
        (&narrow["scope"], &narrow["source"]),
        (&json!("marketing"), &json!("preference"))
    );
    prefers(&stage, "12015550199", "resume", 2).await;
    assert_eq!(items(&stage, "suppressions").await.len(), 1);
}

/// What somebody tells WhatsApp about advertising, so many seconds after the first of them.
async fn prefers(stage: &Stage, who: &str, what: &str, at: i64) {
    let told = json!({"user_preferences": [{"wa_id": who, "category": "marketing_messages", "value": what,
        "timestamp": 1_700_000_000 + at}]});
    signed(stage, &change(ACCOUNT, "user_preferences", told))
        .await
        .assert_ok();
}

#[tokio::test]
async fn a_preference_that_is_taken_back_while_it_is_written_down_is_told_of() {
    const WAITING: &str = "SELECT count(*) FROM pg_stat_activity
                            WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let stage = proven().await;
    let (who, address) = ("12015550199", "+12015550199");
    // Another process has just written that the person wants none, and has not committed.
    prefers(&stage, who, "stop", 1).await;
    let before = "UPDATE notification.opt_outs SET stands = false";
    stage.sql(before).await;
    let (writing, admin) = (stage.database.admin().await, stage.database.admin().await);
    writing
        .batch_execute("BEGIN; UPDATE notification.opt_outs SET stands = true")
        .await
        .unwrap();
    let committed = async {
        eventually(PATIENCE, || async {
            admin.query_one(WAITING, &[]).await.unwrap().get::<_, i64>(0) > 0
        })
        .await;
        writing.batch_execute("COMMIT").await.unwrap();
    };
    tokio::join!(prefers(&stage, who, "resume", 2), committed);
    assert_eq!(standing(&stage, address).await, [""; 0]);
    let told = stage.told("broadcast.optout.recorded").await;
    assert_eq!(told.len(), 2, "that they want none, and that they do: {told:?}");
}

#[tokio::test]
async fn words_that_may_mean_stop_keep_advertising_away_and_ask_for_somebody() {
    let meta = Meta::start(|_| Answer::Accept).await;
    let stage = Stage::open(&meta.url, quick()).await;
    stage.prove().await;
    says(
        &stage,
        "12015550123",
        "wamid.1",
        "Please remove me from your list",
    )
    .await;
    let found = &items(&stage, "conversations").await[0];
    assert_eq!(found["needs_review"], true);
    let (plain, advert) = (
        stage.queue_one("+12015550123").await,
        stage.queue_one("+12015550123").await,
    );
    stage
        .sql(&format!(
            "UPDATE notification.messages SET class = 'marketing' WHERE id = '{advert}'"
        ))
        .await;
    stage.start();
    stage.until_state(plain, "accepted").await;
    stage.until_state(advert, "skipped").await;
    says(&stage, "12015550124", "wamid.2", "Can I stop by the shop?").await;
    assert_eq!(items(&stage, "suppressions").await.len(), 1);
}

#[tokio::test]
async fn a_person_with_another_number_still_wants_no_messages() {
    let stage = proven().await;
    says(&stage, "12015550123", "wamid.1", "STOP").await;
    let moved = json!({"from": "12015550123", "id": "wamid.2", "timestamp": "1700000000", "type": "system",
        "system": {"type": "user_changed_number", "wa_id": "12015550199", "body": "changed"}});
    writes(&stage, moved).await;
    let addresses: Vec<_> = items(&stage, "suppressions")
        .await
        .iter()
        .map(|one| one["address"].clone())
        .collect();
    assert!(addresses.contains(&json!("+12015550199")), "{addresses:?}");
    assert_eq!(items(&stage, "conversations").await[0]["address"], "+12015550199");
}

#[tokio::test]
async fn what_becomes_of_a_template_is_told_once() {
    let stage = proven().await;
    // A business account is known by its number's callbacks.
    says(&stage, "12015550123", "wamid.1", "Hello").await;
    let update = |event: &str| {
        let value = json!({"event": event, "message_template_id": 7, "message_template_name": "order_update_v1",
            "message_template_language": "en_US", "reason": "NONE"});
        let callback = json!({"entry": [{"id": BUSINESS, "changes": [{"field": "message_template_status_update",
            "value": value}]}]});
        serde_json::to_vec(&callback).unwrap()
    };
    for event in ["APPROVED", "APPROVED", "PAUSED"] {
        signed(&stage, &update(event)).await.assert_ok();
    }
    let told = stage.told("broadcast.template.state_changed").await;
    let states: Vec<_> = told.iter().map(|one| one["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["approved", "paused"]);
    assert_eq!(told[0]["sender_id"], json!(stage.sender));
}

#[tokio::test]
async fn a_conversation_is_read_and_the_person_is_told_so() {
    let meta = Meta::start(|_| Answer::Accept).await;
    let stage = Stage::open(&meta.url, quick()).await;
    let id = conversation_with(&stage, "12015550123").await;
    let path = format!("{ROOT}/conversations/{id}/read");
    for _ in 0..2 {
        let read = stage.owner().post(&path, &json!({})).await.assert_ok().value();
        assert_eq!(read["unread"], 0);
    }
    stage.start();
    eventually(PATIENCE, || async {
        stage.states().await.contains_key("accepted")
    })
    .await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let asked = meta.asked();
    assert_eq!(asked.len(), 1, "said once");
    assert_eq!(
        (&asked[0].body["status"], &asked[0].body["message_id"]),
        (&json!("read"), &json!("wamid.12015550123"))
    );
    let states = stage.states().await;
    assert_eq!(states, [("accepted".to_owned(), 1)].into());
}

/// The sources of what stands about an address, sorted.
async fn standing(stage: &Stage, address: &str) -> Vec<String> {
    let all = items(stage, "suppressions").await;
    let of_it = all.iter().filter(|one| one["address"] == address);
    let mut sources: Vec<String> = of_it
        .map(|one| one["source"].as_str().unwrap().to_owned())
        .collect();
    sources.sort();
    sources
}

async fn suppress_by_hand(stage: &Stage, address: &str) -> String {
    let client = stage.owner();
    let made = client
        .post(&format!("{ROOT}/suppressions"), &json!({"address": address}))
        .await;
    made.assert_ok().value()["id"].as_str().unwrap().to_owned()
}

async fn lift(stage: &Stage, id: &str) {
    let path = format!("{ROOT}/suppressions/{id}");
    stage
        .owner()
        .delete(&path)
        .await
        .assert_status(StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn what_a_person_said_stands_when_what_was_added_by_hand_is_lifted() {
    let stage = proven().await;
    let address = "+12015550123";
    let by_hand = suppress_by_hand(&stage, address).await;
    says(&stage, "12015550123", "wamid.1", "stop").await;
    prefers(&stage, "12015550123", "stop", 1).await;
    says(&stage, "12015550123", "wamid.2", "please remove me").await;
    assert_eq!(
        standing(&stage, address).await,
        ["api", "preference", "review", "stop"]
    );
    lift(&stage, &by_hand).await;
    assert_eq!(standing(&stage, address).await, ["preference", "review", "stop"]);
    let waiting = stage.queue_one(address).await;
    stage.start();
    stage.until_state(waiting, "skipped").await;
}

#[tokio::test]
async fn what_was_added_by_hand_stands_when_a_person_takes_back_what_they_said() {
    let stage = proven().await;
    let address = "+12015550123";
    says(&stage, "12015550123", "wamid.1", "stop").await;
    let by_hand = suppress_by_hand(&stage, address).await;
    says(&stage, "12015550123", "wamid.2", "start").await;
    assert_eq!(standing(&stage, address).await, ["api"]);
    lift(&stage, &by_hand).await;
    assert_eq!(standing(&stage, address).await, [""; 0]);
}

#[tokio::test]
async fn a_word_that_is_told_late_or_again_does_not_undo_a_later_one() {
    let stage = proven().await;
    let (who, address) = ("12015550123", "+12015550123");
    prefers(&stage, who, "resume", 1).await;
    prefers(&stage, who, "stop", 2).await;
    prefers(&stage, who, "resume", 1).await;
    prefers(&stage, who, "resume", 2).await;
    assert_eq!(standing(&stage, address).await, ["preference"]);
    prefers(&stage, who, "resume", 3).await;
    prefers(&stage, who, "stop", 2).await;
    assert_eq!(standing(&stage, address).await, [""; 0]);
    assert_eq!(stage.told("broadcast.optout.recorded").await.len(), 2);
    // So with what they write.
    says(&stage, who, "wamid.1", "stop").await;
    let mut early = text(who, "wamid.0", "start");
    early["timestamp"] = json!("1700000000");
    writes(&stage, early).await;
    assert_eq!(standing(&stage, address).await, ["stop"]);
    // And what somebody has lifted by hand is not said again by a word from before that.
    let stop = items(&stage, "suppressions").await[0]["id"].clone();
    lift(&stage, stop.as_str().unwrap()).await;
    let mut early = text(who, "wamid.01", "stop");
    early["timestamp"] = json!("1700000000");
    writes(&stage, early).await;
    assert_eq!(standing(&stage, address).await, [""; 0]);
}

#[tokio::test]
async fn who_hides_their_number_is_heeded_at_the_number_they_showed_before() {
    let stage = proven().await;
    let (user, address) = ("US.13491208655302741918", "+12015550123");
    let mut open = text("12015550123", "wamid.1", "Hello");
    open["from_user_id"] = json!(user);
    writes(&stage, open).await;
    let mut hidden = text("x", "wamid.2", "STOP");
    hidden.as_object_mut().unwrap().remove("from");
    hidden["from_user_id"] = json!(user);
    writes(&stage, hidden).await;
    assert_eq!(standing(&stage, address).await, ["stop"]);
}

#[tokio::test]
async fn a_person_who_is_known_by_number_and_by_id_apart_may_change_their_number() {
    let stage = proven().await;
    let user = "US.13491208655302741918";
    let mut hidden = text("x", "wamid.1", "Hello");
    hidden.as_object_mut().unwrap().remove("from");
    hidden["from_user_id"] = json!(user);
    writes(&stage, hidden).await;
    says(&stage, "12015550123", "wamid.2", "Hello").await;
    assert_eq!(items(&stage, "conversations").await.len(), 2);
    let moved = json!({"from": "12015550123", "from_user_id": user, "id": "wamid.3", "timestamp": "1700000000",
        "type": "system", "system": {"type": "user_changed_number", "wa_id": "12015550199", "user_id": "US.2"}});
    writes(&stage, moved).await;
    let found = items(&stage, "conversations").await;
    let of_user = found.iter().find(|one| one["user"] == "US.2").unwrap();
    assert_eq!(of_user["address"], "+12015550199", "{found:?}");
}

#[tokio::test]
async fn a_new_number_is_suppressed_as_widely_as_the_old_one_was() {
    let stage = proven().await;
    suppress_by_hand(&stage, "+12015550123").await;
    says(&stage, "12015550123", "wamid.1", "STOP").await;
    let narrow = json!({"address": "+12015550199", "scope": "marketing"});
    stage
        .owner()
        .post(&format!("{ROOT}/suppressions"), &narrow)
        .await
        .assert_ok();
    let moved = json!({"from": "12015550123", "id": "wamid.2", "timestamp": "1700000000", "type": "system",
        "system": {"type": "user_changed_number", "wa_id": "12015550199", "body": "changed"}});
    writes(&stage, moved).await;
    assert_eq!(standing(&stage, "+12015550199").await, ["api", "stop"]);
    let all = items(&stage, "suppressions").await;
    assert!(all.iter().all(|one| one["scope"] == "all"), "{all:?}");
}

#[tokio::test]
async fn a_number_that_cannot_be_taken_does_not_cost_the_next_one_its_receipts() {
    let stage = proven().await;
    let (other, id) = (callers::tenant(), stage.queue_one("+4915117404120").await);
    create_sender(&owner(&stage.mounted, other), "First", "100").await;
    stage
        .sql(&format!(
            "CREATE FUNCTION notification.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
                 BEGIN RAISE EXCEPTION 'no'; END $$;
             CREATE TRIGGER refuse BEFORE INSERT ON notification.conversations FOR EACH ROW
                 WHEN (NEW.tenant_id = '{other}') EXECUTE FUNCTION notification.refuse();
             UPDATE notification.senders SET proven_at = now()"
        ))
        .await;
    let change = |account: &str, name: &str, part: Value| {
        let metadata = json!({"display_phone_number": "1", "phone_number_id": account});
        json!({"field": "messages", "value": {"metadata": metadata, name: [part]}})
    };
    let told = json!({"entry": [{"id": BUSINESS, "changes": [
        change("100", "messages", text("12015550123", "wamid.1", "Hello")),
        change(ACCOUNT, "statuses", crate::ladder::status(id, "wamid.9", "delivered")),
    ]}]});
    let reply = signed(&stage, &serde_json::to_vec(&told).unwrap()).await;
    assert!(reply.status.is_server_error(), "it is to be told again: {reply}");
    assert_eq!(stage.state(id).await, "delivered");
}
