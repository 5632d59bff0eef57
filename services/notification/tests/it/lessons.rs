//! What failures say about recipients, senders and sources, and what follows.

use std::time::Duration;

use plaza_contracts::ids::MessageId;
use plaza_contracts::proto::notification::SuppressedRequest;
use plaza_contracts::proto::notification::notification_client::NotificationClient;
use plaza_testkit::eventually;
use serde_json::{Value, json};

use crate::holding::Source;
use crate::ladder::status;
use crate::meta::{Answer, Asked, Meta};
use crate::stage::{ACCOUNT, PATIENCE, Stage, campaign, patient, people, quick};
use crate::webhook::{callback, signed};

async fn with(script: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> (Stage, Meta) {
    let meta = Meta::start(script).await;
    let stage = Stage::open(&meta.url, quick()).await;
    stage.start();
    (stage, meta)
}

/// A message failed afterwards, with this code.
async fn fails(stage: &Stage, id: MessageId, code: i64) {
    let accepted = stage.message(id).await["provider_id"].clone();
    let mut told = status(id, accepted.as_str().unwrap_or("wamid.x"), "failed");
    told["errors"] = json!([{"code": code, "title": "no", "error_data": {"details": "because"}}]);
    signed(stage, &callback(ACCOUNT, &[told])).await.assert_ok();
}

/// Why a message of this class would not go to these.
async fn reasons(stage: &Stage, addresses: &[&str], class: &str) -> Value {
    let request = SuppressedRequest {
        tenant_id: stage.tenant.to_string(),
        channel: "whatsapp".to_owned(),
        addresses: addresses.iter().map(ToString::to_string).collect(),
        class: class.to_owned(),
    };
    let mut client = NotificationClient::new(stage.transport());
    let reply = client.suppressed(request).await.unwrap().into_inner();
    json!(reply.reasons)
}

#[tokio::test]
async fn an_address_without_anybody_is_tried_twice_and_no_more() {
    let (stage, meta) = with(|_| Answer::Refuse(400, 131_026)).await;
    let address = "+4915117404120";
    let first = stage.queue_one(address).await;
    stage.until_state(first, "failed").await;
    assert_eq!(reasons(&stage, &[address], "").await, json!({}));
    // The second time it is told afterwards.
    let second = stage.queue_one(address).await;
    stage.until_state(second, "failed").await;
    assert_eq!(
        reasons(&stage, &[address], "").await,
        json!({address: "wa_unreachable"})
    );
    let third = stage.queue_one(address).await;
    stage.until_state(third, "skipped").await;
    assert_eq!(stage.message(third).await["error_code"], "WA_UNREACHABLE");
    assert_eq!(meta.asked().len(), 2);
}

#[tokio::test]
async fn a_failure_that_is_told_afterwards_teaches_the_same() {
    let (stage, _meta) = with(|_| Answer::Accept).await;
    let address = "+4915117404120";
    for _ in 0..2 {
        let id = stage.queue_one(address).await;
        stage.until_state(id, "accepted").await;
        fails(&stage, id, 131_026).await;
    }
    assert_eq!(
        reasons(&stage, &[address], "").await,
        json!({address: "wa_unreachable"})
    );
    let id = stage.queue_one("+4915117404121").await;
    stage.until_state(id, "accepted").await;
    fails(&stage, id, 131_050).await;
    let other = "+4915117404121";
    assert_eq!(
        reasons(&stage, &[other], "marketing").await,
        json!({other: "suppressed"})
    );
    assert_eq!(reasons(&stage, &[other], "utility").await, json!({}));
    assert_eq!(stage.told("broadcast.optout.recorded").await.len(), 1);
}

#[tokio::test]
async fn who_opted_out_with_the_provider_gets_no_advertising_any_more() {
    let (stage, meta) = with(|_| Answer::Refuse(400, 131_050)).await;
    let address = "+4915117404120";
    let first = stage.queue_one(address).await;
    stage.until_state(first, "failed").await;
    eventually(PATIENCE, || async {
        reasons(&stage, &[address], "marketing").await == json!({address: "suppressed"})
    })
    .await;
    let told = stage.told("broadcast.optout.recorded").await;
    assert_eq!(
        (&told[0]["scope"], &told[0]["source"]),
        (&json!("marketing"), &json!("provider"))
    );
    assert_eq!(meta.asked().len(), 1);
}

#[tokio::test]
async fn a_template_that_was_stopped_holds_its_campaign_and_no_other() {
    let (stage, meta) = with(|asked| match asked.to.as_str() {
        "4915117404120" => Answer::Accept,
        _ => Answer::Refuse(400, 132_015),
    })
    .await;
    let stopped = campaign();
    stage.queue(stopped, &people(200)).await;
    let source = Source::of(&stage, stopped);
    eventually(PATIENCE, || async {
        source.report().await.source_state == "held"
    })
    .await;
    let report = source.report().await;
    let trip = report.tripped.unwrap();
    assert_eq!((trip.class.as_str(), trip.code.as_str()), ("template", "132015"));
    assert_eq!(report.source_reason, "TRIPPED");
    assert!(
        meta.asked().len() <= 2 * stage.config.in_flight,
        "{}",
        meta.asked().len()
    );
    let told = stage.told("notification.source.tripped").await;
    assert_eq!((told.len(), &told[0]["source"]), (1, &json!(source.name)));
    let other = stage.queue_one("+4915117404120").await;
    stage.until_state(other, "accepted").await;
    // Whoever releases it sees it tripped no more; nothing was dropped.
    source.hold().await;
    source.release().await.unwrap();
    let states = stage.states().await;
    assert_eq!(states.values().sum::<i64>(), 201);
    assert!(!states.contains_key("cancelled"));
}

#[tokio::test]
async fn many_failures_of_one_sort_hold_a_campaign_and_as_many_as_the_tenant_says() {
    let (stage, meta) = with(|_| Answer::Refuse(400, 131_009)).await;
    stage
        .configure(3, json!({"breaker": {"window": 50, "failures": 5, "share": 10}}))
        .await;
    let bad = campaign();
    stage.queue(bad, &people(300)).await;
    let source = Source::of(&stage, bad);
    eventually(PATIENCE, || async {
        source.report().await.source_state == "held"
    })
    .await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let asked = meta.asked().len();
    assert!((5..=5 + 2 * stage.config.in_flight).contains(&asked), "{asked}");
    let told = &stage.told("notification.source.tripped").await[0];
    assert_eq!(
        (&told["class"], &told["code"], &told["failed"]),
        (&json!("request"), &json!("131009"), &json!(5))
    );
}

#[tokio::test]
async fn a_sender_that_is_stopped_is_told_of_once() {
    let meta = Meta::start(|_| Answer::HeldRefusal(400, 131_031)).await;
    let stage = Stage::open(&meta.url, patient()).await;
    stage.start();
    stage.queue(campaign(), &people(20)).await;
    let in_flight = stage.config.in_flight;
    eventually(PATIENCE, || async { meta.asked().len() == in_flight }).await;
    // The others are refused when it has been stopped for the first.
    meta.let_go(1);
    eventually(PATIENCE, || async {
        !stage.told("broadcast.sender.degraded").await.is_empty()
    })
    .await;
    meta.let_go(in_flight - 1);
    eventually(PATIENCE, || async {
        stage.states().await == [("queued".to_owned(), 20)].into()
    })
    .await;
    let told = stage.told("broadcast.sender.degraded").await;
    assert_eq!(told.len(), 1);
    assert_eq!(meta.asked().len(), in_flight);
    assert_eq!(
        (&told[0]["status"], &told[0]["class"], &told[0]["code"]),
        (&json!("paused"), &json!("sender"), &json!("131031"))
    );
}

#[tokio::test]
async fn an_account_that_is_locked_afterwards_stops_its_sender() {
    let (stage, _meta) = with(|_| Answer::Accept).await;
    let id = stage.queue_one("+4915117404120").await;
    stage.until_state(id, "accepted").await;
    fails(&stage, id, 131_031).await;
    let path = format!("/api/v1/notifications/senders/{}", stage.sender);
    let sender = stage.owner().get(&path).await.value();
    assert_eq!(
        (&sender["status"], &sender["status_reason"]),
        (&json!("paused"), &json!("131031: because"))
    );
}

/// Messages of a campaign that the provider took; their ids.
async fn taken(stage: &Stage, to: &[String]) -> (Source, Vec<MessageId>) {
    let name = campaign();
    let ids = stage.queue(name, to).await;
    eventually(PATIENCE, || async {
        stage.states().await.get("accepted").copied() == Some(ids.len() as i64)
    })
    .await;
    (Source::of(stage, name), ids)
}

#[tokio::test]
async fn failures_that_are_told_afterwards_hold_a_campaign_too() {
    let (stage, _meta) = with(|_| Answer::Accept).await;
    stage
        .configure(3, json!({"breaker": {"window": 50, "failures": 5, "share": 10}}))
        .await;
    let (source, ids) = taken(&stage, &people(40)).await;
    let delivered: Vec<Value> = ids[10..]
        .iter()
        .map(|id| status(*id, "wamid.x", "delivered"))
        .collect();
    signed(&stage, &callback(ACCOUNT, &delivered)).await.assert_ok();
    for id in &ids[..4] {
        fails(&stage, *id, 131_049).await;
    }
    assert_eq!(source.report().await.source_state, "active");
    fails(&stage, ids[4], 131_049).await;
    let report = source.report().await;
    let trip = report.tripped.unwrap();
    assert_eq!(
        (
            report.source_state.as_str(),
            trip.class.as_str(),
            trip.code.as_str(),
            trip.failed,
            trip.tried
        ),
        ("held", "pacing", "131049", 5, 35)
    );
    // Whoever lets it go has seen these: told again, they hold nothing.
    source.release().await.unwrap();
    for id in &ids[..5] {
        fails(&stage, *id, 131_049).await;
    }
    fails(&stage, ids[5], 131_049).await;
    assert_eq!(source.report().await.source_state, "active");
}

#[tokio::test]
async fn a_trip_that_a_crash_swallowed_is_made_up_for_when_the_callback_is_repeated() {
    let (stage, _meta) = with(|_| Answer::Accept).await;
    let (source, ids) = taken(&stage, &people(3)).await;
    // All that was written down before the process ended.
    stage
        .sql(&format!(
            "UPDATE notification.messages SET state = 'failed', error_code = '132015', provider_id = 'wamid.x',
                    updated_at = now() WHERE id = '{}'",
            ids[0]
        ))
        .await;
    fails(&stage, ids[0], 132_015).await;
    assert_eq!(source.report().await.source_state, "held");
}

#[tokio::test]
async fn somebody_to_whom_something_is_delivered_is_there() {
    let (stage, _meta) = with(|_| Answer::Accept).await;
    let address = "+4915117404120";
    let (_, ids) = taken(&stage, &vec![address.to_owned(); 3]).await;
    // One message that met nobody counts once, however often it is told of.
    for _ in 0..3 {
        fails(&stage, ids[0], 131_026).await;
    }
    assert_eq!(reasons(&stage, &[address], "").await, json!({}));
    signed(
        &stage,
        &callback(ACCOUNT, &[status(ids[1], "wamid.x", "delivered")]),
    )
    .await
    .assert_ok();
    fails(&stage, ids[2], 131_026).await;
    assert_eq!(reasons(&stage, &[address], "").await, json!({}));
}
