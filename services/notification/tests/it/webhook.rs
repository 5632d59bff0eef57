//! `/webhooks/meta`: only who signs is heard, and only about its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use axum::body::Body;
use futures_util::stream;
use http::{Method, Request, StatusCode};
use plaza_contracts::ids::MessageId;
use plaza_crypto::hmac_sha256;
use plaza_testkit::{Reply, callers};
use serde_json::{Value, json};

use crate::ladder::status;
use crate::stage::{ACCOUNT, APP_SECRET, Stage, batch, campaign, create_sender, owner, quick};

/// A callback of Meta's shape about an account.
pub(crate) fn callback(account: &str, statuses: &[Value]) -> Vec<u8> {
    let value = json!({
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "15550000000", "phone_number_id": account},
        "statuses": statuses,
    });
    let callback = json!({"object": "whatsapp_business_account",
        "entry": [{"id": "100000000000001", "changes": [{"field": "messages", "value": value}]}]});
    serde_json::to_vec(&callback).unwrap()
}

pub(crate) fn signature(secret: &str, body: &[u8]) -> String {
    format!("sha256={}", hex::encode(hmac_sha256(secret.as_bytes(), body)))
}

/// Delivers it as Meta would.
pub(crate) async fn signed(stage: &Stage, body: &[u8]) -> Reply {
    deliver(stage, body, &[&signature(APP_SECRET, body)]).await
}

async fn deliver(stage: &Stage, body: &[u8], signatures: &[&str]) -> Reply {
    let mut request = Request::builder().method(Method::POST).uri("/webhooks/meta");
    for signature in signatures {
        request = request.header("X-Hub-Signature-256", *signature);
    }
    let request = request.header("content-type", "application/json");
    stage
        .mounted
        .anonymous()
        .send(request.body(Body::from(body.to_vec())).unwrap())
        .await
}

async fn waiting() -> (Stage, MessageId) {
    let stage = Stage::open("http://127.0.0.1:9", quick()).await;
    let id = stage.queue_one("+4915117404120").await;
    (stage, id)
}

#[tokio::test]
async fn a_callback_without_the_right_signature_changes_nothing() {
    let (stage, id) = waiting().await;
    // A slash may be written in two ways in JSON: the bytes are signed, not what they mean.
    let mut body = callback(ACCOUNT, &[status(id, "wamid/1", "read")]);
    body = String::from_utf8(body)
        .unwrap()
        .replace("wamid/1", "wamid\\/1")
        .into_bytes();
    let good = signature(APP_SECRET, &body);
    let rewritten = serde_json::to_vec(&serde_json::from_slice::<Value>(&body).unwrap()).unwrap();
    assert_ne!(rewritten, body);
    let (wrong, other) = (
        signature("another-secret", &body),
        signature(APP_SECRET, &rewritten),
    );
    let (upper, empty) = (good.to_uppercase(), signature("", &body));
    let upper_hex = format!("sha256={}", good["sha256=".len()..].to_uppercase());
    let long = format!("{good}00");
    let forged: &[&[&str]] = &[
        &[],
        &[""],
        &["sha256="],
        &["v1,"],
        &[&good["sha256=".len()..]],
        &[&good[..good.len() - 1]],
        &[&good[..good.len() - 2]],
        &[&long],
        &[&upper],
        &[&upper_hex],
        &[&wrong],
        &[&empty],
        &[&other],
        &[&good, &good],
        &[&good, &wrong],
        &[&wrong, &good],
    ];
    for signatures in forged {
        let reply = deliver(&stage, &body, signatures).await;
        reply.assert_failed(StatusCode::UNAUTHORIZED, "INVALID_SIGNATURE");
    }
    let changed = [&body[..], b" "].concat();
    let reply = deliver(&stage, &changed, &[&good]).await;
    reply.assert_failed(StatusCode::UNAUTHORIZED, "INVALID_SIGNATURE");
    assert_eq!(stage.state(id).await, "queued");
    signed(&stage, &body).await.assert_status(StatusCode::OK);
    assert_eq!(stage.message(id).await["provider_id"], "wamid/1");
    assert_eq!(stage.state(id).await, "read");
}

#[tokio::test]
async fn without_a_secret_nobody_is_believed() {
    let mut config = quick();
    config.whatsapp.app_secret = None;
    let stage = Stage::open("http://127.0.0.1:9", config).await;
    let body = callback(ACCOUNT, &[]);
    for secret in ["", APP_SECRET] {
        let reply = deliver(&stage, &body, &[&signature(secret, &body)]).await;
        reply.assert_failed(StatusCode::UNAUTHORIZED, "INVALID_SIGNATURE");
    }
}

#[tokio::test]
async fn an_empty_secret_is_none() {
    let mut config = quick();
    config.whatsapp.app_secret = Some("".into());
    config.whatsapp.verify_token = Some("".into());
    let stage = Stage::open("http://127.0.0.1:9", config).await;
    let body = callback(ACCOUNT, &[]);
    let reply = deliver(&stage, &body, &[&signature("", &body)]).await;
    reply.assert_failed(StatusCode::UNAUTHORIZED, "INVALID_SIGNATURE");
    for token in ["", "&hub.verify_token="] {
        let path = format!("/webhooks/meta?hub.mode=subscribe&hub.challenge=1{token}");
        let reply = stage.mounted.anonymous().get(&path).await;
        reply.assert_failed(StatusCode::FORBIDDEN, "VERIFY_TOKEN_MISMATCH");
    }
}

/// A callback whose body never comes; counts those that are being read.
async fn dribble(stage: &Stage, read: Arc<AtomicUsize>) -> Reply {
    let mut begun = false;
    let body = stream::poll_fn(move |_| {
        if !std::mem::replace(&mut begun, true) {
            read.fetch_add(1, Ordering::SeqCst);
        }
        Poll::<Option<Result<Vec<u8>, std::io::Error>>>::Pending
    });
    let request = Request::post("/webhooks/meta").header("X-Hub-Signature-256", signature("guess", b""));
    let request = request.body(Body::from_stream(body)).unwrap();
    stage.mounted.anonymous().send(request).await
}

#[tokio::test]
async fn sixteen_bodies_are_held_at_a_time_and_meta_is_asked_to_repeat_the_next() {
    let (stage, id) = waiting().await;
    let body = callback(ACCOUNT, &[status(id, "wamid.1", "read")]);
    let read = Arc::new(AtomicUsize::new(0));
    let strangers = futures_util::future::join_all((0..20).map(|_| dribble(&stage, read.clone())));
    let meanwhile = async {
        while read.load(Ordering::SeqCst) < 16 {
            tokio::task::yield_now().await;
        }
        let reply = signed(&stage, &body).await;
        let reply = reply.assert_failed(StatusCode::SERVICE_UNAVAILABLE, "TOO_MANY_CALLBACKS");
        assert_eq!(reply.headers["retry-after"], "1");
        deliver(&stage, &body, &[])
            .await
            .assert_failed(StatusCode::UNAUTHORIZED, "INVALID_SIGNATURE");
    };
    tokio::select! {
        _ = strangers => panic!("bodies that never come were answered"),
        () = meanwhile => {}
    }
    assert_eq!(read.load(Ordering::SeqCst), 16, "no more bodies were begun");
    // The strangers are gone, and their places are free.
    signed(&stage, &body).await.assert_status(StatusCode::OK);
    assert_eq!(stage.state(id).await, "read");
}

#[tokio::test]
async fn strangers_at_one_provider_keep_no_place_of_the_other_and_theirs_not_for_long() {
    let mut config = quick();
    config.public_url = "https://plaza.example".to_owned();
    let stage = Stage::open("http://127.0.0.1:9", config).await;
    let sender = crate::texts::create(&stage.owner(), "Texts", crate::texts::FROM).await;
    let id = crate::texts::queue_one(&stage, sender, "+4915117404120").await;
    let read = Arc::new(AtomicUsize::new(0));
    let strangers = futures_util::future::join_all((0..16).map(|_| dribble(&stage, read.clone())));
    let meanwhile = async {
        while read.load(Ordering::SeqCst) < 16 {
            tokio::task::yield_now().await;
        }
        crate::twilio_webhook::tell_at(&stage, sender, id, "SM1", "delivered").await;
    };
    let began = std::time::Instant::now();
    let (strangers, ()) = futures_util::future::join(strangers, meanwhile).await;
    assert!(
        began.elapsed().as_secs() < 8,
        "a whole request may take ten seconds"
    );
    for reply in strangers {
        reply.assert_failed(StatusCode::BAD_REQUEST, "BODY_TOO_SLOW");
    }
    assert_eq!(stage.state(id).await, "delivered");
}

#[tokio::test]
async fn a_tenant_that_names_anothers_account_neither_gets_nor_stops_its_receipts() {
    let (stage, id) = waiting().await;
    let squatters: Vec<_> = (0..102).map(|_| callers::tenant()).collect();
    for squatter in &squatters {
        create_sender(&owner(&stage.mounted, *squatter), "Squatter", ACCOUNT).await;
    }
    let body = callback(ACCOUNT, &[status(id, "wamid.1", "delivered")]);
    signed(&stage, &body).await.assert_status(StatusCode::OK);
    assert_eq!(stage.state(id).await, "delivered");
    let rows = stage.database.admin().await;
    let holders =
        "SELECT count(DISTINCT tenant_id), count(*) FROM notification.receipts WHERE tenant_id = $1";
    let kept = rows.query_one(holders, &[&stage.tenant.as_uuid()]).await.unwrap();
    assert_eq!((kept.get::<_, i64>(0), kept.get::<_, i64>(1)), (1, 1));
    let all = "SELECT count(*) FROM notification.receipts";
    assert_eq!(rows.query_one(all, &[]).await.unwrap().get::<_, i64>(0), 1);
    assert_eq!(stage.outbox().await.len(), 1, "nobody else is told of it");
    let path = format!("/api/v1/notifications/messages/{id}");
    let reply = owner(&stage.mounted, squatters[0]).get(&path).await;
    reply.assert_failed(StatusCode::NOT_FOUND, "MESSAGE_NOT_FOUND");
}

#[tokio::test]
async fn what_is_signed_but_about_nobody_here_is_acknowledged_and_dropped() {
    let (stage, id) = waiting().await;
    let strange = callback("999999999", &[status(id, "wamid.1", "read")]);
    signed(&stage, &strange).await.assert_status(StatusCode::OK);
    let nobody = callback(
        ACCOUNT,
        &[json!({"id": "wamid.2", "status": "read", "timestamp": "1"})],
    );
    signed(&stage, &nobody).await.assert_status(StatusCode::OK);
    signed(&stage, b"{}").await.assert_status(StatusCode::OK);
    assert_eq!(stage.state(id).await, "queued");
    signed(&stage, b"{\"entry\":7}")
        .await
        .assert_failed(StatusCode::BAD_REQUEST, "MALFORMED_JSON");
    signed(&stage, b"")
        .await
        .assert_failed(StatusCode::BAD_REQUEST, "MALFORMED_JSON");
}

#[tokio::test]
async fn a_receipt_under_one_tenants_account_has_no_effect_on_another() {
    let (stage, id) = waiting().await;
    let rival = callers::tenant();
    create_sender(&owner(&stage.mounted, rival), "Rival", "555").await;
    let body = callback("555", &[status(id, "wamid.1", "failed")]);
    signed(&stage, &body).await.assert_status(StatusCode::OK);
    assert_eq!(stage.state(id).await, "queued");
    let receipts = "SELECT count(*) FROM notification.receipts";
    let row = stage
        .database
        .admin()
        .await
        .query_one(receipts, &[])
        .await
        .unwrap();
    assert_eq!(row.get::<_, i64>(0), 0);
}

#[tokio::test]
async fn one_fact_told_fifty_times_at_once_is_one_fact() {
    let (stage, id) = waiting().await;
    let body = callback(ACCOUNT, &[status(id, "wamid.1", "delivered")]);
    let told = (0..50).map(|_| signed(&stage, &body));
    for reply in futures_util::future::join_all(told).await {
        reply.assert_status(StatusCode::OK);
    }
    let receipts = "SELECT count(*) FROM notification.receipts";
    let row = stage
        .database
        .admin()
        .await
        .query_one(receipts, &[])
        .await
        .unwrap();
    assert_eq!(row.get::<_, i64>(0), 1);
    assert_eq!(stage.outbox().await.len(), 1, "and settles its source once");
}

#[tokio::test]
async fn a_callback_that_is_too_long_is_a_problem() {
    let stage = Stage::open("http://127.0.0.1:9", quick()).await;
    let body = vec![b' '; (3 << 20) + 1];
    signed(&stage, &body)
        .await
        .assert_failed(StatusCode::PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE");
}

#[tokio::test]
async fn the_callback_address_is_confirmed_to_who_knows_the_token() {
    let stage = Stage::open("http://127.0.0.1:9", quick()).await;
    let ask = |query: &'static str| {
        let client = stage.mounted.anonymous();
        async move { client.get(&format!("/webhooks/meta?{query}")).await }
    };
    let good = ask("hub.mode=subscribe&hub.verify_token=verify-me&hub.challenge=1158201444").await;
    assert_eq!(good.assert_status(StatusCode::OK).text(), "1158201444");
    for bad in [
        "",
        "hub.mode=subscribe&hub.challenge=1",
        "hub.mode=subscribe&hub.verify_token=verify-m&hub.challenge=1",
        "hub.mode=unsubscribe&hub.verify_token=verify-me&hub.challenge=1",
        "hub.mode=subscribe&hub.verify_token=verify-me",
    ] {
        ask(bad)
            .await
            .assert_failed(StatusCode::FORBIDDEN, "VERIFY_TOKEN_MISMATCH");
    }
}

#[tokio::test]
async fn callbacks_about_the_same_messages_in_opposite_order_do_not_block_each_other() {
    let stage = Stage::open("http://127.0.0.1:9", quick()).await;
    let people = crate::stage::people(200);
    let all = batch(campaign(), stage.sender, 0, &people);
    stage.publish(&all).await;
    stage.settle().await;
    let mut statuses: Vec<Value> = all
        .messages
        .iter()
        .map(|message| status(message.message_id, "wamid.1", "delivered"))
        .collect();
    let forward = callback(ACCOUNT, &statuses);
    statuses.reverse();
    let backward = callback(ACCOUNT, &statuses);
    for _ in 0..5 {
        stage
            .sql("UPDATE notification.messages SET state = 'accepted'")
            .await;
        let told = (0..4).map(|at| signed(&stage, if at % 2 == 0 { &forward } else { &backward }));
        for reply in futures_util::future::join_all(told).await {
            reply.assert_status(StatusCode::OK);
        }
        assert_eq!(stage.states().await["delivered"], 200);
    }
}
