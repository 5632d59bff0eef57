//! A webhook that remembers what it was told and refuses when it is told to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use aws_lc_rs::hmac;
use axum::Router;
use axum::extract::State;
use axum::routing::post;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

pub(crate) const APP_SECRET: &str = "app-secret";

#[derive(Clone)]
pub(crate) struct Receiver {
    state: Arc<Mutex<Received>>,
    address: std::net::SocketAddr,
}

#[derive(Default)]
struct Received {
    requests: Vec<(String, Bytes)>,
    /// Of the same requests.
    traceparents: Vec<Option<String>>,
    refuse: Vec<StatusCode>,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap()).await
    }

    pub(crate) async fn start_at(address: std::net::SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let receiver = Self {
            state: Arc::default(),
            address: listener.local_addr().unwrap(),
        };
        let router = Router::new()
            .route("/webhooks/meta", post(receive))
            .with_state(receiver.clone());
        TaskTracker::new().spawn(async move { axum::serve(listener, router).await });
        receiver
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/webhooks/meta", self.address)
    }

    /// The next requests are answered like this.
    pub(crate) fn refuse(&self, answers: &[StatusCode]) {
        self.state.lock().unwrap().refuse.extend(answers);
    }

    /// Signature and raw body of everything that was accepted.
    pub(crate) fn requests(&self) -> Vec<(String, Bytes)> {
        self.state.lock().unwrap().requests.clone()
    }

    /// What each accepted request says of its trace.
    pub(crate) fn traceparents(&self) -> Vec<Option<String>> {
        self.state.lock().unwrap().traceparents.clone()
    }

    pub(crate) fn bodies(&self) -> Vec<Value> {
        self.requests()
            .iter()
            .map(|(_, body)| serde_json::from_slice(body).unwrap())
            .collect()
    }

    /// All statuses in the order in which they came: every entry, every change, every status.
    pub(crate) fn statuses(&self) -> Vec<Value> {
        self.bodies().iter().flat_map(statuses_of).collect()
    }

    /// The words of each reference, in the order in which they came.
    pub(crate) fn stories(&self) -> BTreeMap<String, Vec<String>> {
        let mut stories: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for status in self.statuses() {
            let reference = status["biz_opaque_callback_data"].as_str().unwrap().to_owned();
            stories
                .entry(reference)
                .or_default()
                .push(status["status"].as_str().unwrap().to_owned());
        }
        stories
    }
}

/// The statuses of one callback.
pub(crate) fn statuses_of(body: &Value) -> Vec<Value> {
    let list = |value: &Value, name: &str| value[name].as_array().cloned().unwrap_or_default();
    let entries = list(body, "entry").into_iter();
    entries
        .flat_map(|entry| list(&entry, "changes"))
        .flat_map(|change| list(&change["value"], "statuses"))
        .collect()
}

async fn receive(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let mut state = receiver.state.lock().unwrap();
    if !state.refuse.is_empty() {
        return state.refuse.remove(0);
    }
    let signature = headers["x-hub-signature-256"].to_str().unwrap().to_owned();
    let traceparent = headers.get("traceparent");
    let traceparent = traceparent.map(|value| value.to_str().unwrap().to_owned());
    state.requests.push((signature, body));
    state.traceparents.push(traceparent);
    StatusCode::OK
}

/// What the signature has to be, made apart from the simulator's own code.
pub(crate) fn signature_of(body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, APP_SECRET.as_bytes());
    format!("sha256={}", hex::encode(hmac::sign(&key, body).as_ref()))
}
