//! A running simulator, and what a test says to it.

use std::time::Duration;

use http::StatusCode;
use plaza_kernel::Clock;
use plaza_simulator::{Counts, MessageList, Simulator, SimulatorSettings};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::receiver::{APP_SECRET, Receiver};

/// Settings without chance: every message is sent, delivered and read, in order, at once.
pub(crate) fn calm() -> SimulatorSettings {
    SimulatorSettings {
        delay_milliseconds: [1, 5],
        duplicate_rate: 0.0,
        reorder_rate: 0.0,
        read_rate: 1.0,
        failure_rate: 0.0,
        retry_first_milliseconds: 10,
        retry_longest_milliseconds: 50,
        app_secret: APP_SECRET.into(),
        ..SimulatorSettings::default()
    }
}

pub(crate) fn calm_towards(receiver: &Receiver) -> SimulatorSettings {
    SimulatorSettings {
        callback_url: Some(receiver.url()),
        ..calm()
    }
}

pub(crate) struct Peer {
    pub(crate) simulator: Simulator,
    pub(crate) url: String,
    pub(crate) client: reqwest::Client,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Peer {
    pub(crate) async fn start(settings: SimulatorSettings) -> Self {
        install_tls();
        let simulator = Simulator::new(settings, Clock::system()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        simulator.start(&tasks, stop.clone());
        let (serving, until) = (simulator.clone(), stop.clone());
        tasks.spawn(async move { serving.serve(listener, until).await.unwrap() });
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(5))
            .build()
            .unwrap();
        Self {
            simulator,
            url,
            client,
            tasks,
            stop,
        }
    }

    /// Ends it; what it knows is only in its state file now.
    pub(crate) async fn stop(self) {
        let Self {
            simulator,
            client,
            tasks,
            stop,
            ..
        } = self;
        drop(client);
        stop.cancel();
        tasks.close();
        tasks.wait().await;
        drop(simulator);
    }

    pub(crate) async fn post(&self, token: &str, body: &Value) -> reqwest::Result<reqwest::Response> {
        let url = format!("{}/v23.0/106540352242922/messages", self.url);
        self.client.post(url).bearer_auth(token).json(body).send().await
    }

    /// Sends, and gives status and body.
    pub(crate) async fn send(&self, body: &Value) -> (StatusCode, Value) {
        let answer = self.post("token", body).await.unwrap();
        (answer.status(), answer.json().await.unwrap())
    }

    pub(crate) async fn send_to(&self, to: &str, reference: &str) -> (StatusCode, Value) {
        self.send(&template(to, reference)).await
    }

    /// Sends as a part of a trace.
    pub(crate) async fn send_within(&self, traceparent: &str, reference: &str) {
        let url = format!("{}/v23.0/106540352242922/messages", self.url);
        let request = self.client.post(url).bearer_auth("token");
        let request = request.json(&template("4915117404120", reference));
        let answer = request.header("traceparent", traceparent).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
    }

    pub(crate) async fn get(&self, path: &str) -> reqwest::Response {
        self.client
            .get(format!("{}{path}", self.url))
            .send()
            .await
            .unwrap()
    }

    pub(crate) async fn messages(&self, query: &str) -> MessageList {
        self.get(&format!("/_simulator/messages?{query}"))
            .await
            .json()
            .await
            .unwrap()
    }

    pub(crate) async fn counts(&self) -> Counts {
        self.get("/_simulator/counts").await.json().await.unwrap()
    }

    /// Waits until nothing is left to report.
    pub(crate) async fn settled(&self) -> Counts {
        for _ in 0..2_000 {
            let counts = self.simulator.counts();
            if counts.callbacks.pending == 0 {
                return counts;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("callbacks are still pending: {:?}", self.simulator.counts());
    }
}

pub(crate) fn template(to: &str, reference: &str) -> Value {
    json!({
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": to,
        "type": "template",
        "biz_opaque_callback_data": reference,
        "template": {
            "name": "order_update_v1",
            "language": { "code": "en_US" },
            "components": [
                { "type": "body", "parameters": [{ "type": "text", "text": "Zoë" }, { "type": "text", "text": "A123" }] },
            ],
        },
    })
}

/// Compares with what is committed. Sorted, since other crates decide whether `serde_json` keeps the order.
pub(crate) fn snapshot(name: &str, value: &Value) {
    insta::with_settings!({ sort_maps => true, prepend_module_to_snapshot => false }, {
        insta::assert_json_snapshot!(name, value);
    });
}

/// Every test process needs a provider; whoever comes first installs it.
fn install_tls() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}
