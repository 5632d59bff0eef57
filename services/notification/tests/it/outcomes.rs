//! What becomes of a message, by what the provider answers or does not.

use std::time::Duration;

use http::StatusCode;
use plaza_testkit::eventually;
use serde_json::json;

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

#[tokio::test]
async fn a_refused_connection_costs_the_message_no_attempt() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let mut config = quick();
    config.attempts = 1;
    let stage = Stage::open(&format!("http://{address}"), config).await;
    stage.start();
    let id = stage.queue_one("+4915117404120").await;
    eventually(PATIENCE, || async {
        stage.message(id).await["error_code"] == "NOT_CONNECTED"
    })
    .await;
    assert_ne!(stage.state(id).await, "failed");
    let meta = Meta::start_at(&address, |_| Answer::Accept).await;
    stage.until_state(id, "accepted").await;
    let message = stage.message(id).await;
    assert_eq!(message["attempts"], 1, "only the one that left counts");
    assert_eq!(message["error_code"], json!(null));
    assert_eq!(meta.asked().len(), 1);
}

#[tokio::test]
async fn what_may_pass_is_tried_again_until_it_is_accepted() {
    let (stage, meta) = with(|asked| match asked.before {
        0 => Answer::Status(429),
        1 => Answer::Status(500),
        2 => Answer::Refuse(400, 130_429),
        _ => Answer::Accept,
    })
    .await;
    let id = stage.queue_one("+4915117404120").await;
    stage.until_state(id, "accepted").await;
    let message = stage.message(id).await;
    assert_eq!((message["attempts"].as_i64(), meta.asked().len()), (Some(4), 4));
    assert_eq!(message["provider_id"], format!("wamid.{id}.3"));
}

#[tokio::test]
async fn what_does_not_pass_is_not_tried_for_ever() {
    let meta = Meta::start(|_| Answer::Status(503)).await;
    let mut config = quick();
    config.attempts = 3;
    let stage = Stage::open(&meta.url, config).await;
    stage.start();
    let id = stage.queue_one("+4915117404120").await;
    stage.until_state(id, "failed").await;
    assert_eq!(stage.message(id).await["error_code"], "HTTP_503");
    assert_eq!(meta.asked().len(), 3);
}

#[tokio::test]
async fn a_final_refusal_fails_the_message_with_its_code_and_no_other() {
    let (stage, meta) = with(|asked| match asked.to.as_str() {
        "4915117404120" => Answer::Refuse(400, 132_001),
        _ => Answer::Accept,
    })
    .await;
    let id = stage.queue_one("+4915117404120").await;
    let other = stage.queue_one("+4915117404121").await;
    stage.until_state(id, "failed").await;
    stage.until_state(other, "accepted").await;
    let message = stage.message(id).await;
    assert_eq!(
        (&message["error_code"], &message["error_text"]),
        (&json!("132001"), &json!("because"))
    );
    assert_eq!(meta.sent()[&id.to_string()], 1);
}

#[tokio::test]
async fn lost_credentials_stop_the_sender_until_somebody_resumes_it() {
    let (stage, meta) = with(|asked| match asked.token.as_str() {
        "Bearer EAAG-secret-token" => Answer::Refuse(401, 190),
        _ => Answer::Accept,
    })
    .await;
    let ids = stage.queue(campaign(), &people(40)).await;
    let path = format!("/api/v1/notifications/senders/{}", stage.sender);
    eventually(PATIENCE, || async {
        stage.owner().get(&path).await.value()["status"] == "needs_auth"
    })
    .await;
    // Nobody's message failed for it.
    eventually(PATIENCE, || async {
        stage.states().await.get("queued") == Some(&40)
    })
    .await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let asked = meta.asked().len();
    assert!(
        asked <= 8,
        "nothing more is sent with a token that does not hold: {asked}"
    );
    assert_eq!(stage.states().await["queued"], 40);
    let sender = stage.owner().get(&path).await.value();
    assert_eq!(sender["status_reason"], "190: because");

    let resume = format!("{path}/resume");
    stage
        .owner()
        .post(&resume, &json!({}))
        .await
        .assert_status(StatusCode::NO_CONTENT);
    eventually(PATIENCE, || async { meta.asked().len() > asked }).await;
    eventually(PATIENCE, || async {
        stage.owner().get(&path).await.value()["status"] == "needs_auth"
    })
    .await;

    let renew = format!("{path}/access-token");
    let reply = stage
        .owner()
        .put(&renew, &json!({"access_token": "EAAG-another"}))
        .await;
    reply.assert_status(StatusCode::NO_CONTENT);
    eventually(PATIENCE, || async {
        stage.states().await.get("accepted") == Some(&40)
    })
    .await;
    let message = stage.message(ids[0]).await;
    assert_eq!(message["attempts"], 1, "waiting for a sender costs no attempt");
    assert_eq!(stage.owner().get(&path).await.value()["status"], "active");
}

#[tokio::test]
async fn a_receipt_resolves_an_answer_that_never_came() {
    let meta = Meta::start(|_| Answer::Stall).await;
    let mut config = quick();
    config.whatsapp.timeout_milliseconds = 100;
    config.unknown_wait_milliseconds = 600;
    let stage = Stage::open(&meta.url, config).await;
    stage.start();
    let id = stage.queue_one("+4915117404120").await;
    stage.until_state(id, "unknown").await;
    let body = callback(ACCOUNT, &[status(id, "wamid.1", "delivered")]);
    signed(&stage, &body).await.assert_ok();
    tokio::time::sleep(Duration::from_millis(900)).await;
    let message = stage.message(id).await;
    assert_eq!(
        (&message["state"], &message["provider_id"]),
        (&json!("delivered"), &json!("wamid.1"))
    );
    assert_eq!(meta.asked().len(), 1, "it was not sent again");
    assert_eq!(stage.outbox().await.len(), 1, "the receipt settled its source");
}

#[tokio::test]
async fn silence_is_answered_by_one_more_try_and_then_given_up() {
    let meta = Meta::start(|_| Answer::Stall).await;
    let mut config = quick();
    config.whatsapp.timeout_milliseconds = 100;
    let stage = Stage::open(&meta.url, config).await;
    stage.start();
    let id = stage.queue_one("+4915117404120").await;
    stage.until_state(id, "failed").await;
    assert_eq!(stage.message(id).await["error_code"], "OUTCOME_UNKNOWN");
    assert_eq!(meta.asked().len(), 2);
    let waited = meta.asked()[1].at - meta.asked()[0].at;
    assert!(
        waited >= Duration::from_millis(450),
        "timeout and wait come before the second try: {waited:?}"
    );
    eventually(PATIENCE, || async { stage.outbox().await.len() == 1 }).await;
    let late = callback(ACCOUNT, &[status(id, "wamid.1", "delivered")]);
    signed(&stage, &late).await.assert_ok();
    assert_eq!(
        stage.state(id).await,
        "delivered",
        "the truth overrides what was given up"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_comes_while_the_database_hangs_is_an_answer() {
    let meta = Meta::start(|asked| match asked.to.as_str() {
        "4915117404120" => Answer::Slow(100),
        _ => Answer::Slow(300),
    })
    .await;
    let mut config = quick();
    config.lease_milliseconds = 8_000;
    config.whatsapp.timeout_milliseconds = 600;
    let stage = Stage::open(&meta.url, config).await;
    let to = ["+4915117404120".to_owned(), "+4915117404121".to_owned()];
    stage.queue(campaign(), &to).await;
    let admin = stage.database.admin().await;
    stage.start();
    eventually(PATIENCE, || async { meta.asked().len() == 2 }).await;
    // The worker writes down the first answer; the second one comes, and its time is over, before that is done.
    admin
        .batch_execute("BEGIN; LOCK TABLE notification.messages IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    admin.batch_execute("COMMIT").await.unwrap();
    eventually(PATIENCE, || async {
        stage.states().await.get("accepted") == Some(&2)
    })
    .await;
    assert_eq!(
        meta.asked().len(),
        2,
        "nothing was in doubt, so nothing was sent again"
    );
}

#[tokio::test]
async fn an_answer_that_comes_after_its_claim_ran_out_still_counts() {
    let meta = Meta::start(|_| Answer::Held).await;
    let stage = Stage::open(&meta.url, patient()).await;
    stage.start();
    let id = stage.queue_one("+4915117404120").await;
    eventually(PATIENCE, || async { meta.asked().len() == 1 }).await;
    // As the sweeper of a process whose clock is far ahead would have it: doubt, and then the queue.
    let due = "UPDATE notification.messages SET state = 'queued', lease_until = NULL, due_at = now() + interval '1 s'";
    stage.sql(due).await;
    meta.let_go(1);
    stage.until_state(id, "accepted").await;
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    assert_eq!(meta.asked().len(), 1, "what was accepted is not sent again");
}

#[tokio::test]
async fn an_answer_to_an_earlier_attempt_does_not_touch_the_later_one() {
    let meta = Meta::start(|asked| {
        if asked.before == 0 {
            Answer::Held
        } else {
            Answer::Stall
        }
    })
    .await;
    let stage = Stage::open(&meta.url, patient()).await;
    stage.start();
    let id = stage.queue_one("+4915117404120").await;
    eventually(PATIENCE, || async { meta.asked().len() == 1 }).await;
    stage
        .sql("UPDATE notification.messages SET epoch = epoch + 1")
        .await;
    meta.let_go(1);
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(stage.state(id).await, "leased");
}

#[tokio::test]
async fn too_much_to_one_person_lets_that_person_wait_and_nobody_else() {
    let (stage, meta) = with(|asked| match (asked.to.as_str(), asked.before) {
        ("4915117404120", 0 | 1) => Answer::Refuse(400, 131_056),
        _ => Answer::Accept,
    })
    .await;
    let id = stage.queue_one("+4915117404120").await;
    stage.queue(campaign(), &people(20)).await;
    eventually(PATIENCE, || async {
        stage.states().await.get("accepted") == Some(&20)
    })
    .await;
    assert_eq!(stage.state(id).await, "queued");
    stage.until_state(id, "accepted").await;
    let asked = meta.asked();
    let tries: Vec<_> = asked
        .iter()
        .filter(|one| one.reference == id.to_string())
        .map(|one| one.at)
        .collect();
    assert_eq!(tries.len(), 3);
    let (first, second) = (tries[1] - tries[0], tries[2] - tries[1]);
    assert!(first >= Duration::from_millis(950), "4^0 seconds: {first:?}");
    assert!(second >= Duration::from_millis(3_950), "4^1 seconds: {second:?}");
}

#[tokio::test]
async fn whom_the_provider_spares_is_asked_again_a_day_later_and_once() {
    for code in [131_049, 130_472] {
        let named = code.to_string();
        let (stage, meta) = with(move |_| Answer::Refuse(400, code)).await;
        let id = stage.queue_one("+4915117404120").await;
        eventually(PATIENCE, || async {
            stage.message(id).await["error_code"] == named
        })
        .await;
        let due = "SELECT due_at - now() BETWEEN interval '24 hours' AND interval '26 hours' FROM notification.messages";
        let row = stage.database.admin().await.query_one(due, &[]).await.unwrap();
        assert!(row.get::<_, bool>(0), "{code}");
        assert_eq!(
            (stage.state(id).await.as_str(), meta.asked().len()),
            ("queued", 1)
        );
        stage.sql("UPDATE notification.messages SET due_at = now()").await;
        stage.until_state(id, "failed").await;
        assert_eq!(meta.asked().len(), 2, "{code}");
    }
}

#[tokio::test]
async fn what_stops_a_sender_keeps_its_messages_whatever_the_code() {
    for (code, status) in [
        (368, "paused"),
        (130_497, "paused"),
        (131_042, "paused"),
        (131_045, "paused"),
        (131_048, "paused"),
        (133_010, "paused"),
        (0, "needs_auth"),
        (10, "needs_auth"),
        (200, "needs_auth"),
        (131_005, "needs_auth"),
    ] {
        let (stage, _meta) = with(move |_| Answer::Refuse(403, code)).await;
        stage.queue(campaign(), &people(3)).await;
        let path = format!("/api/v1/notifications/senders/{}", stage.sender);
        eventually(PATIENCE, || async {
            stage.owner().get(&path).await.value()["status"] == status
        })
        .await;
        eventually(PATIENCE, || async {
            stage.states().await == [("queued".to_owned(), 3)].into()
        })
        .await;
        let reason = &stage.owner().get(&path).await.value()["status_reason"];
        assert_eq!(reason, &json!(format!("{code}: because")));
    }
}

#[tokio::test]
async fn what_a_template_or_a_window_is_wrong_about_fails_at_once_and_stops_nobody() {
    let codes = [
        132_000, 132_001, 132_005, 132_007, 132_012, 132_068, 132_069, 131_047, 131_021, 131_051, 33, 100,
    ];
    let (stage, meta) = with(move |asked| {
        let number: usize = asked.to[asked.to.len() - 2..].parse().unwrap();
        codes
            .get(number)
            .map_or(Answer::Accept, |code| Answer::Refuse(400, *code))
    })
    .await;
    let ids = stage.queue(campaign(), &people(codes.len() + 3)).await;
    eventually(PATIENCE, || async {
        let states = stage.states().await;
        (states.get("failed"), states.get("accepted")) == (Some(&12), Some(&3))
    })
    .await;
    for (id, code) in ids.iter().zip(codes) {
        assert_eq!(stage.message(*id).await["error_code"], code.to_string());
    }
    assert_eq!(meta.asked().len(), ids.len(), "each was asked once");
}

#[tokio::test]
async fn a_failure_of_an_earlier_copy_does_not_fail_the_later_one() {
    let (stage, _meta) = with(|asked| match asked.before {
        0 => Answer::Cut,
        _ => Answer::Accept,
    })
    .await;
    let id = stage.queue_one("+4915117404120").await;
    stage.until_state(id, "accepted").await;
    let (first, second) = (format!("wamid.{id}.0"), format!("wamid.{id}.1"));
    let failed = callback(ACCOUNT, &[status(id, &first, "failed")]);
    signed(&stage, &failed).await.assert_ok();
    assert_eq!(stage.state(id).await, "accepted");
    // Nor does it hide what is told of the later one in the same breath.
    let both = [status(id, &first, "failed"), status(id, &second, "sent")];
    signed(&stage, &callback(ACCOUNT, &both)).await.assert_ok();
    assert_eq!(stage.state(id).await, "sent");
    let failed = callback(ACCOUNT, &[status(id, &second, "failed")]);
    signed(&stage, &failed).await.assert_ok();
    assert_eq!(stage.state(id).await, "failed");
    // That an earlier copy arrived is as good.
    let arrived = callback(ACCOUNT, &[status(id, &first, "delivered")]);
    signed(&stage, &arrived).await.assert_ok();
    assert_eq!(stage.state(id).await, "delivered");
}

#[tokio::test]
async fn what_fails_afterwards_for_what_may_pass_is_sent_once_more_and_later() {
    let (stage, meta) = with(|_| Answer::Accept).await;
    let fails = async |id, copy: usize| {
        let mut told = status(id, &format!("wamid.{id}.{copy}"), "failed");
        told["errors"] = json!([{"code": 131_000, "title": "Something went wrong"}]);
        signed(&stage, &callback(ACCOUNT, &[told.clone(), told]))
            .await
            .assert_ok();
    };
    let id = stage.queue_one("+4915117404120").await;
    stage.until_state(id, "accepted").await;
    let begun = std::time::Instant::now();
    fails(id, 0).await;
    let message = stage.message(id).await;
    assert_eq!(
        (&message["state"], &message["error_code"]),
        (&json!("queued"), &json!("131000"))
    );
    fails(id, 0).await;
    assert_eq!(
        stage.state(id).await,
        "queued",
        "the same failure once more is no other one"
    );
    eventually(PATIENCE, || async { meta.asked().len() == 2 }).await;
    let least = Duration::from_millis(stage.config.retry_milliseconds * 60 * 7 / 10);
    assert!(begun.elapsed() >= least, "{:?}", begun.elapsed());
    stage.until_state(id, "accepted").await;
    fails(id, 1).await;
    assert_eq!(stage.state(id).await, "failed");
    // What arrives after all while the second copy waits is not sent again.
    let lucky = stage.queue_one("+4915117404121").await;
    stage.until_state(lucky, "accepted").await;
    fails(lucky, 0).await;
    let arrived = status(lucky, &format!("wamid.{lucky}.0"), "delivered");
    signed(&stage, &callback(ACCOUNT, &[arrived])).await.assert_ok();
    tokio::time::sleep(Duration::from_millis(stage.config.retry_milliseconds * 80)).await;
    assert_eq!(stage.state(lucky).await, "delivered");
    assert_eq!(meta.asked().len(), 3);
}
