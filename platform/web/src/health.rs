//! Liveness and readiness.
//!
//! `/livez` says that the process runs: 200 always, also while it ends. `/readyz` says that it can serve: every
//! check passes, and it is not about to stop. `/health` is the short form of the latter. What is [noted](Health::note)
//! is told beside the checks and decides nothing: a broker that is away keeps nobody from answering requests.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::future::{BoxFuture, FutureExt, join_all};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::Instant;

/// How long an answer is given again before the checks run anew: probes cannot hammer the database.
const FRESH: Duration = Duration::from_secs(1);

/// How long one check may take.
const PATIENCE: Duration = Duration::from_secs(2);

const FAILING: &str = "failing";

/// So recent a question means that somebody goes on asking.
const ASKED_LATELY: Duration = Duration::from_secs(15);

/// Whether a check passes, or why it does not: for the log, never for a stranger.
type Check = Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// The checks of one process.
#[derive(Clone, Default)]
pub struct Health {
    inner: Arc<Inner>,
}

struct Inner {
    checks: RwLock<Vec<(&'static str, Weight, Check)>>,
    drain: watch::Sender<Drain>,
    // Held while the checks run, so that any number of probes runs them once.
    last: tokio::sync::Mutex<Option<(Instant, Readiness)>>,
}

impl Default for Inner {
    fn default() -> Self {
        Self {
            checks: RwLock::default(),
            drain: watch::Sender::new(Drain::default()),
            last: tokio::sync::Mutex::default(),
        }
    }
}

/// What hangs on a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weight {
    /// Without it the process cannot serve.
    Needed,
    /// Without it the process serves, and catches up later.
    Noted,
}

/// How far the end has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Drain {
    /// Whether somebody asks at all: the last time that readiness was looked at.
    asked: Option<Instant>,
    /// Whether the process is about to stop.
    begun: bool,
    /// Whether somebody was told so.
    seen: bool,
}

/// What `/readyz` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Readiness {
    status: &'static str,
    checks: BTreeMap<&'static str, &'static str>,
}

impl Readiness {
    fn new(checks: BTreeMap<&'static str, &'static str>) -> Self {
        let status = if checks.values().any(|state| *state == FAILING) {
            FAILING
        } else {
            "ok"
        };
        Self { status, checks }
    }

    /// Whether the process can serve.
    pub fn is_ready(&self) -> bool {
        self.status == "ok"
    }
}

impl Health {
    /// No checks yet: ready.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a check that has to pass before the process is ready.
    pub fn check<F, E>(&self, name: &'static str, check: impl Fn() -> F + Send + Sync + 'static)
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Display,
    {
        self.add(name, Weight::Needed, check);
    }

    /// Adds a check that is told, as `away`, and keeps nobody from being ready.
    pub fn note<F, E>(&self, name: &'static str, check: impl Fn() -> F + Send + Sync + 'static)
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Display,
    {
        self.add(name, Weight::Noted, check);
    }

    fn add<F, E>(&self, name: &'static str, weight: Weight, check: impl Fn() -> F + Send + Sync + 'static)
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Display,
    {
        let check: Check = Arc::new(move || {
            check()
                .map(|passed| passed.map_err(|error| error.to_string()))
                .boxed()
        });
        self.inner
            .checks
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .push((name, weight, check));
    }

    /// From now on the process is not ready, because it is about to stop.
    pub fn drain(&self) {
        self.inner.drain.send_modify(|drain| drain.begun = true);
    }

    /// Waits after [`Health::drain`] until whoever chooses between processes looks elsewhere: at least `least`; and where
    /// somebody asked for readiness lately, until they were told that it is down, but no longer than `most`.
    pub async fn drained(&self, least: Duration, most: Duration) {
        let ends = Instant::now() + most.max(least);
        tokio::time::sleep(least).await;
        let lately = |drain: &Drain| drain.asked.is_some_and(|at| at.elapsed() < ASKED_LATELY + least);
        let mut drain = self.inner.drain.subscribe();
        // The sender lives as long as we do: what remains is the deadline.
        let told = drain.wait_for(|drain| drain.seen || !lately(drain));
        let _ = tokio::time::timeout_at(ends, told).await;
    }

    /// Whether it can serve, as of at most a second ago.
    pub async fn readiness(&self) -> Readiness {
        if self.inner.drain.borrow().begun {
            return Readiness {
                status: "draining",
                checks: BTreeMap::new(),
            };
        }
        let mut last = self.inner.last.lock().await;
        match &*last {
            Some((at, readiness)) if at.elapsed() < FRESH => readiness.clone(),
            _ => {
                let readiness = Readiness::new(self.run().await);
                *last = Some((Instant::now(), readiness.clone()));
                readiness
            }
        }
    }

    /// The same, for somebody who will act on the answer.
    async fn asked(&self) -> Readiness {
        let readiness = self.readiness().await;
        self.inner.drain.send_modify(|drain| {
            drain.asked = Some(Instant::now());
            drain.seen |= readiness.status == "draining";
        });
        readiness
    }

    async fn run(&self) -> BTreeMap<&'static str, &'static str> {
        let checks = self
            .inner
            .checks
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let states = checks.into_iter().map(|(name, weight, check)| async move {
            let outcome = tokio::time::timeout(PATIENCE, check())
                .await
                .unwrap_or_else(|_| Err("too slow".to_owned()));
            if let Err(error) = &outcome {
                tracing::warn!(check = name, error, "readiness check failed");
            }
            let state = match (outcome, weight) {
                (Ok(()), _) => "ok",
                (Err(_), Weight::Needed) => FAILING,
                (Err(_), Weight::Noted) => "away",
            };
            (name, state)
        });
        join_all(states).await.into_iter().collect()
    }

    /// `/livez`, `/readyz` and `/health`, for the public and the internal listener.
    pub fn router(&self) -> Router {
        let live = || async { answer(StatusCode::OK, &Short { status: "ok" }) };
        Router::new()
            .route("/livez", get(live))
            .route("/readyz", get(readyz))
            .route("/health", get(health))
            .with_state(self.clone())
    }
}

#[derive(Serialize)]
struct Short {
    status: &'static str,
}

async fn readyz(State(health): State<Health>) -> Response {
    let readiness = health.asked().await;
    answer(status(&readiness), &readiness)
}

async fn health(State(health): State<Health>) -> Response {
    let readiness = health.asked().await;
    answer(
        status(&readiness),
        &Short {
            status: readiness.status,
        },
    )
}

fn status(readiness: &Readiness) -> StatusCode {
    if readiness.is_ready() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    }
}

fn answer(status: StatusCode, body: &impl Serialize) -> Response {
    let mut response = (status, axum::Json(body)).into_response();
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
