//! Text messages: Twilio's API, its magic numbers, and its callbacks.

use std::sync::{Arc, Mutex};

use aws_lc_rs::hmac;
use axum::Router;
use axum::extract::{OriginalUri, State};
use axum::routing::post;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use plaza_simulator::SimulatorSettings;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use crate::peer::{Peer, calm};

const TOKEN: &str = "12345";

fn account() -> String {
    format!("AC{}", "0".repeat(32))
}

/// A request that was received: its address, its fields in order, and whether its signature holds.
type Heard = (String, Vec<(String, String)>, bool);

/// Somebody who is called back, and refuses at first.
#[derive(Clone)]
struct Listener {
    url: String,
    heard: Arc<Mutex<Vec<Heard>>>,
    refuse: Arc<Mutex<usize>>,
}

impl Listener {
    async fn start(refuse: usize) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let listener = Self {
            url: format!("http://{}", socket.local_addr().unwrap()),
            heard: Arc::default(),
            refuse: Arc::new(Mutex::new(refuse)),
        };
        let router = Router::new()
            .route("/{*path}", post(hear))
            .with_state(listener.clone());
        TaskTracker::new().spawn(async move { axum::serve(socket, router).await });
        listener
    }

    fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }

    fn statuses(&self) -> Vec<String> {
        let status = |(_, fields, _): &Heard| field(fields, "MessageStatus");
        self.heard().iter().map(status).collect()
    }
}

fn field(fields: &[(String, String)], name: &str) -> String {
    let found = fields.iter().find(|(known, _)| known == name);
    found.map(|(_, value)| value.clone()).unwrap_or_default()
}

async fn hear(
    State(listener): State<Listener>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let mut refuse = listener.refuse.lock().unwrap();
    if *refuse > 0 {
        *refuse -= 1;
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    let fields: Vec<(String, String)> = form_urlencoded::parse(&body).into_owned().collect();
    let url = format!("{}{uri}", listener.url);
    let mut sorted = fields.clone();
    sorted.sort();
    let signed: String = sorted
        .iter()
        .map(|(name, value)| format!("{name}{value}"))
        .collect();
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, TOKEN.as_bytes());
    let good = STANDARD.encode(hmac::sign(&key, format!("{url}{signed}").as_bytes()));
    let holds = headers["x-twilio-signature"].to_str().unwrap() == good;
    listener.heard.lock().unwrap().push((url, fields, holds));
    StatusCode::NO_CONTENT
}

async fn send(peer: &Peer, password: &str, fields: &[(&str, &str)]) -> (StatusCode, Value) {
    let url = format!("{}/2010-04-01/Accounts/{}/Messages.json", peer.url, account());
    let request = peer
        .client
        .post(url)
        .basic_auth(account(), Some(password))
        .form(fields);
    let answer = request.send().await.unwrap();
    (answer.status(), answer.json().await.unwrap())
}

async fn send_to(peer: &Peer, to: &str, callback: &str) -> (StatusCode, Value) {
    let fields = [
        ("To", to),
        ("From", "+15005550006"),
        ("Body", "Hello"),
        ("StatusCallback", callback),
    ];
    send(peer, TOKEN, &fields).await
}

#[tokio::test]
async fn a_text_is_accepted_and_its_statuses_are_told_signed_to_its_own_address() {
    let listener = Listener::start(2).await;
    let peer = Peer::start(calm()).await;
    let callback = format!("{}/status/1?m=7", listener.url);
    let (status, message) = send_to(&peer, "+4915117404120", &callback).await;
    assert_eq!(status, StatusCode::CREATED);
    let sid = message["sid"].as_str().unwrap();
    assert!(sid.len() == 34 && sid.starts_with("SM"), "{message}");
    assert_eq!(
        (&message["status"], &message["num_segments"]),
        (&json!("queued"), &json!("1"))
    );
    peer.settled().await;
    assert_eq!(
        listener.statuses(),
        ["sent", "delivered"],
        "nobody tells that texts are read"
    );
    for (url, fields, holds) in listener.heard() {
        assert!(holds, "{fields:?}");
        assert_eq!(url, callback);
        assert_eq!(field(&fields, "MessageSid"), sid);
        assert_eq!(field(&fields, "To"), "+4915117404120");
    }
    let [kept] = &peer.messages("to=4915117404120").await.items[..] else {
        panic!("not one message")
    };
    assert_eq!(
        (kept.id.as_str(), kept.account_sid.as_deref()),
        (sid, Some(account().as_str()))
    );
    assert_eq!(peer.counts().await.callbacks.refused_requests, 2);
    peer.stop().await;
}

#[tokio::test]
async fn magic_numbers_and_bad_requests_are_refused_with_their_codes() {
    let peer = Peer::start(calm()).await;
    let good = [
        ("To", "+4915117404120"),
        ("From", "+15005550006"),
        ("Body", "Hello"),
    ];
    let with = |name: &'static str, value: &'static str| {
        let mut fields = good.to_vec();
        fields.retain(|(known, _)| *known != name);
        fields.push((name, value));
        fields
    };
    let long: &'static str = "x".repeat(1_601).leak();
    for (fields, status, code) in [
        (with("To", "+15005550001"), 400, 21_211),
        (with("To", "+15005550002"), 400, 21_612),
        (with("To", "+15005550003"), 400, 21_408),
        (with("To", "+15005550004"), 400, 21_610),
        (with("To", "+15005550009"), 400, 21_614),
        (with("From", "+15005550001"), 400, 21_212),
        (with("From", "+15005550007"), 400, 21_606),
        (with("From", "+15005550008"), 400, 21_611),
        (with("To", "4915117404120"), 400, 21_211),
        (with("To", ""), 400, 21_604),
        (with("From", ""), 400, 21_603),
        (with("MessagingServiceSid", "MG1"), 400, 21_606),
        (with("Body", ""), 400, 21_602),
        (with("Body", long), 400, 21_617),
        (with("StatusCallback", "http://example.com/"), 400, 21_609),
        (with("StatusCallback", "rubbish"), 400, 21_609),
        (with("To", "+12015550190"), 401, 20_003),
    ] {
        let (found, body) = send(&peer, TOKEN, &fields).await;
        assert_eq!(
            (found.as_u16(), &body["code"]),
            (status, &json!(code)),
            "{fields:?}"
        );
        assert_eq!(body["status"], status);
    }
    let (status, body) = send(&peer, "", &good).await;
    assert_eq!(
        (status, &body["code"]),
        (StatusCode::UNAUTHORIZED, &json!(20_003))
    );
    assert_eq!(peer.simulator.counts().accepted, 0);
    peer.stop().await;
}

#[tokio::test]
async fn what_was_accepted_before_a_restart_is_told_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let settings = || SimulatorSettings {
        state_file: Some(folder.path().join("state.jsonl")),
        ..calm()
    };
    let listener = Listener::start(usize::MAX).await;
    let first = Peer::start(settings()).await;
    let (status, _) = send_to(&first, "+4915117404120", &format!("{}/x", listener.url)).await;
    assert_eq!(status, StatusCode::CREATED);
    first.stop().await;
    *listener.refuse.lock().unwrap() = 0;
    let second = Peer::start(settings()).await;
    second.settled().await;
    assert_eq!(listener.statuses(), ["sent", "delivered"]);
    assert!(
        listener.heard().iter().all(|(_, _, holds)| *holds),
        "the token is known again"
    );
    second.stop().await;
}

#[tokio::test]
async fn faults_have_twilios_codes_and_carriers_words() {
    let listener = Listener::start(0).await;
    let peer = Peer::start(calm()).await;
    let callback = |name: &str| format!("{}/{name}", listener.url);
    for _ in 0..2 {
        let (status, body) = send_to(&peer, "+12015550129", &callback("limited")).await;
        assert_eq!(
            (status, &body["code"]),
            (StatusCode::TOO_MANY_REQUESTS, &json!(20_429))
        );
    }
    let (status, _) = send_to(&peer, "+12015550129", &callback("limited")).await;
    assert_eq!(status, StatusCode::CREATED);
    let (status, _) = send_to(&peer, "+12015550126", &callback("away")).await;
    assert_eq!(status, StatusCode::CREATED);
    peer.settled().await;
    let heard = listener.heard();
    let (_, fields, _) = heard.iter().find(|(url, ..)| url.ends_with("/away")).unwrap();
    assert_eq!(
        (field(fields, "MessageStatus"), field(fields, "ErrorCode")),
        ("undelivered".into(), "30003".into())
    );
    peer.stop().await;
}

#[tokio::test]
async fn somebody_writes_and_it_is_passed_on_signed() {
    let listener = Listener::start(0).await;
    let peer = Peer::start(calm()).await;
    let written = json!({"url": format!("{}/inbound/1", listener.url), "account_sid": account(),
        "from": "+4915117404120", "to": "+15005550006", "body": "STOP", "opt_out_type": "STOP"});
    let write = || {
        peer.client
            .post(format!("{}/_simulator/twilio/inbound", peer.url))
            .json(&written)
            .send()
    };
    assert_eq!(
        write().await.unwrap().status(),
        StatusCode::CONFLICT,
        "the token is not known yet"
    );
    send(
        &peer,
        TOKEN,
        &[
            ("To", "+4915117404120"),
            ("From", "+15005550006"),
            ("Body", "Hello"),
        ],
    )
    .await;
    let answer: Value = write().await.unwrap().json().await.unwrap();
    assert_eq!(answer["status"], 204);
    let [(_, fields, holds)] = &listener.heard()[..] else {
        panic!("{:?}", listener.heard())
    };
    assert!(holds);
    assert_eq!(
        (field(fields, "Body"), field(fields, "OptOutType")),
        ("STOP".into(), "STOP".into())
    );
    peer.stop().await;
}
