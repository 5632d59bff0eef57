//! A provider that answers what a test tells it to.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// One answer.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Answer {
    Accept,
    /// Status and Meta's code.
    Refuse(u16, i64),
    /// A status and a body that is not Meta's.
    Status(u16),
    /// None, for as long as anybody waits.
    Stall,
    /// Accepted, after so many milliseconds.
    Slow(u64),
    /// Accepted, once the test lets it go ([`Meta::let_go`]).
    Held,
    /// [`Answer::Refuse`], once the test lets it go.
    HeldRefusal(u16, i64),
    /// Accepted, and the connection breaks before anything of the answer is sent.
    Cut,
    /// Accepted, and the connection breaks in the middle of the answer.
    Half,
    /// Accepted, and the answer never ends.
    Endless,
    /// Accepted, with an answer that cannot be read.
    Babble,
}

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) reference: String,
    pub(crate) to: String,
    pub(crate) token: String,
    pub(crate) at: Instant,
    pub(crate) body: Value,
    pub(crate) traceparent: Option<String>,
    /// How often this reference was sent before.
    pub(crate) before: usize,
}

type Script = Arc<dyn Fn(&Asked) -> Answer + Send + Sync>;

#[derive(Clone)]
pub(crate) struct Meta {
    pub(crate) url: String,
    script: Script,
    asked: Arc<Mutex<Vec<Asked>>>,
    let_go: Arc<Semaphore>,
    _stop: Arc<DropGuard>,
}

impl Meta {
    pub(crate) async fn start(script: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        Self::start_at("127.0.0.1:0", script).await
    }

    pub(crate) async fn start_at(
        address: &str,
        script: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let stop = CancellationToken::new();
        let meta = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            script: Arc::new(script),
            asked: Arc::default(),
            let_go: Arc::new(Semaphore::new(0)),
            _stop: Arc::new(stop.clone().drop_guard()),
        };
        let state = meta.clone();
        let router = Router::new()
            .route("/{version}/{account}/messages", post(messages))
            .with_state(state);
        TaskTracker::new().spawn(async move {
            tokio::select! {
                _ = axum::serve(listener, router) => {}
                () = stop.cancelled() => {}
            }
        });
        meta
    }

    /// All requests so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Lets so many answers go that are held, or will be.
    pub(crate) fn let_go(&self, answers: usize) {
        self.let_go.add_permits(answers);
    }

    /// How often each reference was sent.
    pub(crate) fn sent(&self) -> HashMap<String, usize> {
        let mut sent = HashMap::new();
        for asked in self.asked() {
            *sent.entry(asked.reference).or_default() += 1;
        }
        sent
    }
}

async fn messages(
    State(meta): State<Meta>,
    Path((_, _)): Path<(String, String)>,
    headers: HeaderMap,
    axum::Json(body): axum::Json<Value>,
) -> Response {
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    let token = headers["authorization"].to_str().unwrap().to_owned();
    let asked = {
        let mut all = meta.asked.lock().unwrap();
        let reference = text("biz_opaque_callback_data");
        let before = all.iter().filter(|asked| asked.reference == reference).count();
        let (to, at) = (text("to"), Instant::now());
        all.push(Asked {
            reference,
            to,
            token,
            at,
            body: body.clone(),
            traceparent: headers
                .get("traceparent")
                .map(|value| value.to_str().unwrap().to_owned()),
            before,
        });
        all[all.len() - 1].clone()
    };
    let accepted = || {
        if asked.body["status"] == "read" {
            return axum::Json(json!({"success": true})).into_response();
        }
        let id = format!("wamid.{}.{}", asked.reference, asked.before);
        let answer =
            json!({"messaging_product": "whatsapp", "messages": [{"id": id, "message_status": "accepted"}]});
        axum::Json(answer).into_response()
    };
    let refused = |status, code| {
        let error = json!({"error": {"message": format!("(#{code}) no"), "code": code,
            "error_data": {"details": "because"}}});
        (StatusCode::from_u16(status).unwrap(), axum::Json(error)).into_response()
    };
    let answer = (meta.script)(&asked);
    if let Answer::Held | Answer::HeldRefusal(..) = answer {
        meta.let_go.acquire().await.unwrap().forget();
    }
    match answer {
        Answer::Accept | Answer::Held => accepted(),
        Answer::Slow(milliseconds) => {
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
            accepted()
        }
        Answer::Refuse(status, code) | Answer::HeldRefusal(status, code) => refused(status, code),
        Answer::Status(status) => (StatusCode::from_u16(status).unwrap(), "<html>").into_response(),
        Answer::Cut => Response::new(Body::from_stream(stream::iter([broken()]))),
        Answer::Half => {
            let half = Ok(Bytes::from_static(br#"{"messaging_product": "whatsapp", "mess"#));
            Response::new(Body::from_stream(stream::iter([half, broken()])))
        }
        Answer::Babble => axum::Json(json!({"messages": "yes"})).into_response(),
        Answer::Endless => {
            let more = || Ok::<_, std::io::Error>(Bytes::from_static(&[b' '; 1_024]));
            Response::new(Body::from_stream(stream::repeat_with(more)))
        }
        Answer::Stall => {
            tokio::time::sleep(Duration::from_secs(600)).await;
            accepted()
        }
    }
}

fn broken() -> Result<Bytes, std::io::Error> {
    Err(std::io::Error::other("broken on purpose"))
}
