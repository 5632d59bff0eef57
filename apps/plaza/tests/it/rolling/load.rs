//! So many requests a second: each is sent at its time, whether earlier ones were answered or not. Only where very many of
//! them wait, the next ones wait too: a machine that cannot bear the rate is seen by the rate, not by requests that nobody
//! could have answered in time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http::Method;
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::client::Api;

/// Requests a second.
pub(super) const RATE: f64 = 300.0;
/// So many at once, so often.
const AT_ONCE: u64 = 3;
const EVERY: Duration = Duration::from_millis(10);
/// Requests that are under way at the most: those of half a second.
const UNDER_WAY: usize = 150;
/// One in so many makes something.
const MAKES: u64 = 20;
/// One in so many is on a connection of its own.
const ALONE: u64 = 4;

/// What a request is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Reads from identity.
    Me,
    /// Writes to identity.
    Invite,
    /// Writes to broadcast.
    Campaign,
}

/// What came of one.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) kind: Kind,
    pub(super) number: u64,
    /// Since the load began.
    pub(super) at: Duration,
    pub(super) took: Duration,
    /// Why it is no good.
    pub(super) failure: Option<String>,
}

impl Sent {
    /// What the processes call it in their logs.
    pub(super) fn request_id(&self) -> String {
        request_id(self.number)
    }
}

/// A load that goes on.
pub(super) struct Load {
    begun: Instant,
    stop: CancellationToken,
    sent: Arc<Mutex<Vec<Sent>>>,
    pace: JoinHandle<()>,
}

/// A load that has ended.
pub(super) struct Done {
    sent: Vec<Sent>,
    pub(super) took: Duration,
}

struct Client {
    owner: Api,
    template: String,
    begun: Instant,
}

impl Load {
    /// Begins to send in the name of a tenant's owner, and numbers the requests from here on.
    pub(super) fn begin(owner: Api, template: String, first: u64) -> Self {
        let (begun, stop, sent) = (Instant::now(), CancellationToken::new(), Arc::default());
        let client = Arc::new(Client {
            owner,
            template,
            begun,
        });
        #[expect(clippy::disallowed_methods, reason = "awaited at the end of the load")]
        let pace = tokio::spawn(pace(client, first, stop.clone(), Arc::clone(&sent)));
        Self {
            begun,
            stop,
            sent,
            pace,
        }
    }

    /// How long it goes on already.
    pub(super) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Sends nothing more and waits for every answer.
    pub(super) async fn end(self) -> Done {
        self.stop.cancel();
        let took = self.begun.elapsed();
        self.pace.await.unwrap();
        let sent = std::mem::take(&mut *self.sent.lock().unwrap());
        Done { sent, took }
    }
}

async fn pace(client: Arc<Client>, first: u64, stop: CancellationToken, sent: Arc<Mutex<Vec<Sent>>>) {
    let mut ticks = tokio::time::interval(EVERY);
    let (requests, places) = (TaskTracker::new(), Arc::new(Semaphore::new(UNDER_WAY)));
    let mut number = first;
    while !stop.is_cancelled() {
        ticks.tick().await;
        for _ in 0..AT_ONCE {
            number += 1;
            let (client, sent) = (Arc::clone(&client), Arc::clone(&sent));
            let place = Arc::clone(&places).acquire_owned().await.unwrap();
            requests.spawn(async move {
                let done = client.send(number).await;
                sent.lock().unwrap().push(done);
                drop(place);
            });
        }
    }
    requests.close();
    requests.wait().await;
}

impl Client {
    async fn send(&self, number: u64) -> Sent {
        let kind = match number % MAKES {
            0 => Kind::Invite,
            1 => Kind::Campaign,
            _ => Kind::Me,
        };
        let request = match kind {
            Kind::Me => self.owner.request(Method::GET, "/api/v1/auth/me"),
            Kind::Invite => {
                let body = json!({"email": name(kind, number)});
                self.owner.request(Method::POST, "/api/v1/auth/users").json(&body)
            }
            Kind::Campaign => {
                let body = json!({"name": name(kind, number), "template_id": self.template});
                self.owner
                    .request(Method::POST, "/api/v1/broadcast/campaigns")
                    .json(&body)
            }
        };
        let request = match number / MAKES % ALONE {
            0 => request.header(http::header::CONNECTION, "close"),
            _ => request,
        };
        let request = request.header("x-request-id", request_id(number));
        let begun = Instant::now();
        let at = self.begun.elapsed();
        let failure = failure(request, kind).await;
        Sent {
            kind,
            number,
            at,
            took: begun.elapsed(),
            failure,
        }
    }
}

async fn failure(request: reqwest::RequestBuilder, kind: Kind) -> Option<String> {
    let answer = async {
        let response = request.send().await?;
        Ok::<_, reqwest::Error>((response.status(), response.text().await?))
    };
    let expected = if kind == Kind::Me { 200 } else { 201 };
    match answer.await {
        Ok((status, _)) if status == expected => None,
        Ok((status, text)) => Some(format!("{status}: {text}")),
        Err(error) => Some(format!("{error:?}")),
    }
}

fn request_id(number: u64) -> String {
    format!("rolling-{number}-of-the-load")
}

fn name(kind: Kind, number: u64) -> String {
    match kind {
        Kind::Invite => format!("rolling-{number}@acme.example"),
        Kind::Campaign | Kind::Me => format!("rolling {number}"),
    }
}

impl Done {
    pub(super) fn requests(&self) -> usize {
        self.sent.len()
    }

    /// Requests a second.
    pub(super) fn rate(&self) -> f64 {
        self.sent.len() as f64 / self.took.as_secs_f64()
    }

    pub(super) fn failures(&self) -> impl Iterator<Item = &Sent> {
        self.sent.iter().filter(|sent| sent.failure.is_some())
    }

    /// How many failed in the same way: without what is different in each of them, such as the id.
    pub(super) fn kinds_of_failures(&self) -> BTreeMap<String, usize> {
        let mut kinds = BTreeMap::new();
        for failure in self.failures().filter_map(|sent| sent.failure.as_ref()) {
            let same = failure.split("\"request_id\"").next().unwrap_or_default();
            *kinds.entry(same.to_owned()).or_default() += 1;
        }
        kinds
    }

    /// Those that took longest.
    pub(super) fn slowest(&self, most: usize) -> Vec<&Sent> {
        let mut all: Vec<&Sent> = self.sent.iter().collect();
        all.sort_unstable_by_key(|sent| std::cmp::Reverse(sent.took));
        all.truncate(most);
        all
    }

    /// The names of what was made.
    pub(super) fn made(&self, kind: Kind) -> BTreeSet<String> {
        let made = self
            .sent
            .iter()
            .filter(|sent| sent.kind == kind && sent.failure.is_none());
        made.map(|sent| name(kind, sent.number)).collect()
    }

    /// Of this part of the requests.
    pub(super) fn latency(&self, part: f64) -> Duration {
        let mut all: Vec<Duration> = self.sent.iter().map(|sent| sent.took).collect();
        all.sort_unstable();
        let index = (part * (all.len() - 1) as f64).round();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between the first and the last"
        )]
        all[index as usize]
    }
}
