//! Text messages, by Twilio's API as the simulator has it, and as a provider has it that does what a test tells it.

use axum::Router;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect};
use axum::routing::any;
use http::StatusCode;
use plaza_contracts::events::{BroadcastSend, MessageContent, OutgoingMessage};
use plaza_contracts::ids::{MessageId, SenderId};
use plaza_kernel::Clock;
use plaza_notification::NotificationConfig;
use plaza_simulator::{MessageView, Simulator, SimulatorSettings};
use plaza_testkit::{Client, eventually};
use plaza_web::server::{self, ServerSettings};
use serde_json::json;
use tokio::net::TcpListener;

use crate::stage::{PATIENCE, Stage, campaign, owner, people, quick};

pub(crate) const FROM: &str = "+15005550006";
pub(crate) const TOKEN: &str = "twilio-auth-token";

pub(crate) fn account_sid() -> String {
    format!("AC{}", "0123456789abcdef".repeat(2))
}

/// Makes a sender of text messages.
pub(crate) async fn create(owner: &Client, name: &str, from: &str) -> SenderId {
    let body = json!({"channel": "sms", "name": name, "account_sid": account_sid(), "auth_token": TOKEN, "from": from});
    let reply = owner.post("/api/v1/notifications/senders", &body).await;
    let id = reply.assert_status(StatusCode::CREATED).value()["id"].clone();
    serde_json::from_value(id).unwrap()
}

/// A service that is called back where it listens, with Twilio at an address, and its sender.
pub(crate) async fn open_at(twilio: &str, mut config: NotificationConfig) -> (Stage, SenderId) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    config.public_url = format!("http://{}", listener.local_addr().unwrap());
    config.twilio.base_url = twilio.to_owned();
    config.twilio.timeout_milliseconds = 1_000;
    let stage = Stage::open("http://127.0.0.1:9", config).await;
    let router = stage.notification.http(plaza_testkit::Permit::none()).router;
    let (stop, tasks) = (stage.stop.clone(), stage.tasks.clone());
    stage.tasks.spawn(async move {
        let settings = ServerSettings::default();
        server::serve(listener, router, settings, Clock::system(), stop, &tasks).await
    });
    let sender = create(&stage.owner(), "Texts", FROM).await;
    (stage, sender)
}

/// The same with the simulator as Twilio.
pub(crate) async fn with_simulator(settings: SimulatorSettings) -> (Stage, SenderId, Simulator) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (stage, sender) = open_at(&url, quick()).await;
    let simulator = Simulator::new(settings, Clock::system()).unwrap();
    simulator.start(&stage.tasks, stage.stop.clone());
    let (serving, stop) = (simulator.clone(), stage.stop.clone());
    stage
        .tasks
        .spawn(async move { serving.serve(listener, stop).await });
    (stage, sender, simulator)
}

/// Every message is delivered, without faults by chance.
pub(crate) fn calm() -> SimulatorSettings {
    SimulatorSettings {
        delay_milliseconds: [1, 5],
        failure_rate: 0.0,
        duplicate_rate: 0.3,
        reorder_rate: 0.3,
        retry_first_milliseconds: 10,
        retry_longest_milliseconds: 50,
        ..SimulatorSettings::default()
    }
}

/// Queues a text to each of these.
pub(crate) async fn queue(stage: &Stage, sender: SenderId, to: &[String]) -> Vec<MessageId> {
    let message = |to: &String| OutgoingMessage {
        message_id: MessageId::generate(&Clock::system()),
        channel: "sms".to_owned(),
        to: to.clone(),
        content: MessageContent::Text {
            body: "Hallo Zoë, Grüße 😀".to_owned(),
            preview_url: false,
            reply_to: None,
        },
        class: None,
        zone: None,
        expires_at: None,
    };
    let event = BroadcastSend {
        campaign_id: campaign(),
        sender_id: sender,
        shard: 0,
        messages: to.iter().map(message).collect(),
    };
    let ids = event.messages.iter().map(|message| message.message_id).collect();
    stage.publish(&event).await;
    stage.settle().await;
    ids
}

pub(crate) async fn queue_one(stage: &Stage, sender: SenderId, to: &str) -> MessageId {
    queue(stage, sender, &[to.to_owned()]).await[0]
}

async fn simulated(stage: &Stage, to: &str) -> Vec<MessageView> {
    let url = format!(
        "{}/_simulator/messages?to={}",
        stage.config.twilio.base_url,
        &to[1..]
    );
    let list: plaza_simulator::MessageList = reqwest::get(url).await.unwrap().json().await.unwrap();
    list.items
}

#[tokio::test]
async fn texts_go_out_and_what_became_of_them_comes_back() {
    let (stage, sender, simulator) = with_simulator(calm()).await;
    stage.start();
    let people = people(40);
    let ids = queue(&stage, sender, &people).await;
    eventually(PATIENCE, || async {
        stage.states().await.get("delivered") == Some(&40)
    })
    .await;
    assert_eq!(simulator.counts().duplicates, 0);
    let [told] = &simulated(&stage, &people[0]).await[..] else {
        panic!("not one message")
    };
    assert_eq!(
        (told.phone_number_id.as_str(), told.text.as_deref()),
        (FROM, Some("Hallo Zoë, Grüße 😀"))
    );
    assert_eq!(told.account_sid, Some(account_sid()));
    let message = stage.message(ids[0]).await;
    assert_eq!(
        (message["channel"].as_str(), message["provider_id"].as_str()),
        (Some("sms"), Some(&*told.id))
    );
    assert_eq!(message["segments"], 1, "{message}");
}

#[tokio::test]
async fn the_magic_numbers_end_as_the_policy_says() {
    let (stage, sender, _simulator) = with_simulator(calm()).await;
    stage.start();
    for (to, code) in [
        ("+15005550001", "21211"),
        ("+15005550002", "21612"),
        ("+15005550003", "21408"),
        ("+15005550004", "21610"),
        ("+15005550009", "21614"),
    ] {
        let id = queue_one(&stage, sender, to).await;
        stage.until_state(id, "failed").await;
        let message = stage.message(id).await;
        assert_eq!(
            (&message["error_code"], &message["attempts"]),
            (&json!(code), &json!(1)),
            "{to}"
        );
    }
    // Who wrote STOP to Twilio is not written to again, whatever is asked for.
    let again = queue_one(&stage, sender, "+15005550004").await;
    stage.until_state(again, "skipped").await;
    let list = stage
        .owner()
        .get("/api/v1/notifications/suppressions")
        .await
        .assert_ok()
        .value();
    let [suppression] = list["items"].as_array().unwrap().as_slice() else {
        panic!("{list}")
    };
    assert_eq!(
        (&suppression["address"], &suppression["channel"]),
        (&json!("+15005550004"), &json!("sms"))
    );
}

#[tokio::test]
async fn what_passes_is_tried_again_and_what_a_carrier_says_is_kept() {
    let (stage, sender, simulator) = with_simulator(calm()).await;
    stage.start();
    let (limited, away) = ("+12015550129", "+12015550126");
    let id = queue_one(&stage, sender, limited).await;
    stage.until_state(id, "delivered").await;
    assert_eq!(stage.message(id).await["attempts"], 3);
    assert_eq!(simulator.counts().rejected["20429"], 2);
    let id = queue_one(&stage, sender, away).await;
    // Once more, later; and then it is away for good.
    eventually(PATIENCE, || async {
        stage.state(id).await == "failed" && simulated(&stage, away).await.len() == 2
    })
    .await;
    let message = stage.message(id).await;
    assert_eq!(message["error_code"], "30003");
    assert_eq!(message["error_text"], "the handset cannot be reached");
    assert_eq!(message["attempts"], 2);
    let waited = "SELECT count(*) FROM notification.messages WHERE state = 'queued'";
    let admin = stage.database.admin().await;
    let row = admin.query_one(waited, &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 0, "and no third time");
}

#[tokio::test]
async fn an_answer_that_never_came_is_made_up_for_by_the_callback() {
    let (stage, sender, simulator) = with_simulator(calm()).await;
    stage.start();
    // Accepted, and the connection closed without an answer.
    let id = queue_one(&stage, sender, "+12015550109").await;
    stage.until_state(id, "delivered").await;
    assert_eq!(simulator.counts().accepted, 1, "it was not sent again");
    let [told] = &simulated(&stage, "+12015550109").await[..] else {
        panic!("not one message")
    };
    assert_eq!(stage.message(id).await["provider_id"], *told.id);
}

#[tokio::test]
async fn lost_credentials_stop_the_sender_until_it_gets_others() {
    let settings = SimulatorSettings {
        access_token: Some("another-token".into()),
        ..calm()
    };
    let (stage, sender, _simulator) = with_simulator(settings).await;
    stage.start();
    let ids = queue(&stage, sender, &people(10)).await;
    let path = format!("/api/v1/notifications/senders/{sender}");
    eventually(PATIENCE, || async {
        stage.owner().get(&path).await.value()["status"] == "needs_auth"
    })
    .await;
    // Nobody's message failed for it.
    eventually(PATIENCE, || async {
        stage.states().await.get("queued") == Some(&10)
    })
    .await;
    let renew = format!("{path}/access-token");
    let renewed = stage
        .owner()
        .put(&renew, &json!({"access_token": "another-token"}))
        .await;
    renewed.assert_status(StatusCode::NO_CONTENT);
    for id in ids {
        stage.until_state(id, "delivered").await;
    }
}

#[tokio::test]
async fn a_redirect_is_followed_by_nobody_and_an_endless_answer_is_cut() {
    let (elsewhere, mut asked) = tokio::sync::mpsc::unbounded_channel();
    let secret = move |headers: HeaderMap| {
        let _ = elsewhere.send(headers);
        async { StatusCode::OK }
    };
    let endless = || async {
        let chunk = || Ok::<_, std::io::Error>(axum::body::Bytes::from(vec![b' '; 16 << 10]));
        axum::body::Body::from_stream(futures_util::stream::repeat_with(chunk)).into_response()
    };
    let router = Router::new()
        .route("/secret", any(secret))
        .route("/endless/{*rest}", any(endless))
        .fallback(|| async { Redirect::temporary("/secret") });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (stage, sender) = open_at(&url, quick()).await;
    stage
        .tasks
        .spawn(async move { axum::serve(listener, router).await });
    stage.start();
    let id = queue_one(&stage, sender, "+4915117404120").await;
    stage.until_state(id, "failed").await;
    assert_eq!(stage.message(id).await["error_code"], "HTTP_307");
    assert!(asked.try_recv().is_err(), "the token went nowhere else");
    let (stage, sender) = open_at(&format!("{url}/endless"), quick()).await;
    stage.start();
    let id = queue_one(&stage, sender, "+4915117404120").await;
    eventually(PATIENCE, || async {
        stage.state(id).await != "leased" && stage.state(id).await != "queued"
    })
    .await;
}

#[tokio::test]
async fn a_sender_of_texts_is_made_and_shown_without_its_secret() {
    let stage = Stage::open("http://127.0.0.1:9", quick()).await;
    let service = format!("MG{}", "0".repeat(32));
    let path = "/api/v1/notifications/senders";
    let body = json!({"channel": "sms", "name": "Service", "account_sid": account_sid(), "auth_token": TOKEN,
        "messaging_service_sid": service});
    let made = stage
        .owner()
        .post(path, &body)
        .await
        .assert_status(StatusCode::CREATED)
        .value();
    assert_eq!(
        (&made["channel"], &made["messaging_service_sid"]),
        (&json!("sms"), &json!(service))
    );
    assert_eq!(
        (&made["from"], &made["phone_number_id"]),
        (&json!(null), &json!(null))
    );
    let id = create(&stage.owner(), "Number", FROM).await;
    let shown = stage.owner().get(&format!("{path}/{id}")).await.assert_ok();
    assert!(!shown.text().contains(TOKEN));
    assert_eq!(shown.value()["from"], FROM);
    // A rival may name the same number: nobody proves that it is theirs, and callbacks are signed.
    create(
        &owner(&stage.mounted, plaza_testkit::callers::tenant()),
        "Number",
        FROM,
    )
    .await;
    for (with, pointer) in [
        (json!({"account_sid": "AC"}), "/account_sid"),
        (json!({"from": "Rosas Blumenladen"}), "/from"),
        (json!({"from": null}), "/from"),
        (json!({"messaging_service_sid": "MG"}), "/from"),
        (json!({"auth_token": "a b"}), "/auth_token"),
        (json!({"auth_token": null}), "/auth_token"),
        (json!({"phone_number_id": "42"}), "/phone_number_id"),
        (json!({"access_token": "x"}), "/access_token"),
        (json!({"channel": "whatsapp"}), "/account_sid"),
    ] {
        let mut body = json!({"channel": "sms", "name": "Other", "account_sid": account_sid(), "auth_token": TOKEN,
            "from": "+15005550007"});
        for (name, value) in with.as_object().unwrap() {
            body[name] = value.clone();
        }
        let reply = stage.owner().post(path, &body).await;
        let reply = reply.assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_SENDER");
        assert_eq!(reply.value()["errors"][0]["pointer"], pointer, "{reply}");
    }
}
