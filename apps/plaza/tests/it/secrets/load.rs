//! People who go on meanwhile: what they do needs keys and secrets that lie sealed.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Method;
use plaza_testkit::eventually;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::client::{Answer, Api, answer};
use crate::front::Front;
use crate::story;

const OWNER: &str = "owner@acme.example";
const PATIENCE: Duration = Duration::from_secs(240);
/// A few people who get messages. The numbers are kept free for fiction.
const FILE: &str = "id,name,phone,country,opted_in\n1,Ada,+12025550111,US,yes\n2,Bob,+12025550112,US,yes\n";
/// What is done again and again. Each needs something that is sealed: the keys that tokens are signed and checked with (identity),
/// senders' tokens (notification), a tenant's own secret (tenancy).
const KINDS: [&str; 8] = [
    "log in",
    "refresh",
    "me",
    "renew a sender",
    "keep a secret",
    "reseal a secret",
    "read the configuration",
    "campaign",
];

/// A tenant at work.
#[derive(Clone)]
pub(super) struct Site {
    tenant: String,
    owner: Api,
    template: String,
    sender: String,
}

impl Site {
    /// A tenant with recipients, a template, and a sender of its own beside the first one.
    pub(super) async fn open(plaza: &impl Front, folder: &Path) -> Self {
        let admin = story::administrator(plaza).await;
        let tenant = story::tenant(&admin, "acme").await;
        people(&tenant.owner, folder).await;
        Self {
            template: story::template(&tenant.owner).await,
            sender: sender(&tenant.owner, "token-0").await,
            owner: tenant.owner,
            tenant: tenant.id,
        }
    }

    /// The same tenant after Plaza was started anew, maybe at another address; nobody has to log in again.
    pub(super) fn at(&mut self, plaza: &impl Front) {
        self.owner = plaza.api().with_token(self.owner.token().unwrap());
    }

    /// Logs in and sends: nothing that is needed for that is lost.
    pub(super) async fn works(&self) {
        story::log_in(&self.owner, OWNER).await;
        let told = self.campaign("After").await;
        assert!(told.is_none(), "{told:?}");
    }

    /// Sends one to its end; says what went wrong.
    async fn campaign(&self, name: &str) -> Option<String> {
        let campaign = story::campaign(&self.owner, name, &self.template).await;
        story::send(&self.owner, &campaign).await;
        let counts = &story::completed(&self.owner, &campaign).await["counts"];
        let reached =
            ["accepted", "sent", "delivered", "read"].map(|state| counts[state].as_u64().unwrap_or(0));
        (reached.iter().sum::<u64>() != 2).then(|| format!("{counts}"))
    }
}

pub(super) async fn people(owner: &Api, folder: &Path) {
    let file = folder.join("people.csv");
    std::fs::write(&file, FILE).unwrap();
    story::import(owner, &file).await;
}

pub(super) async fn sender(owner: &Api, token: &str) -> String {
    let body = json!({"name": "Other", "phone_number_id": "106540352242922", "access_token": token});
    let made = owner.post("/api/v1/notifications/senders", body).await.ok();
    made["id"].as_str().unwrap().to_owned()
}

/// What was done so far, and what went wrong.
#[derive(Default)]
struct Done {
    kinds: Mutex<BTreeMap<&'static str, u64>>,
    failures: Mutex<Vec<String>>,
}

impl Done {
    fn note(&self, kind: &'static str, failure: Option<String>) {
        match failure {
            None => *self.kinds.lock().unwrap().entry(kind).or_default() += 1,
            Some(told) => self.failures.lock().unwrap().push(format!("{kind}: {told}")),
        }
    }

    /// What was answered, if it is a success.
    fn taken(&self, kind: &'static str, answer: &Answer) -> Option<Value> {
        let taken = answer.status.is_success();
        let told = || format!("{} {}", answer.status, answer.text());
        self.note(kind, (!taken).then(told));
        taken.then(|| answer.json())
    }
}

/// A load that goes on until it is told to stop.
pub(super) struct Load {
    done: Arc<Done>,
    stop: CancellationToken,
    people: Vec<JoinHandle<()>>,
}

impl Load {
    pub(super) fn begin(site: &Site) -> Self {
        let (done, stop, tasks) = (
            Arc::<Done>::default(),
            CancellationToken::new(),
            TaskTracker::new(),
        );
        let (worker, sender) = (site.clone(), site.clone());
        let (worked, sent) = (Arc::clone(&done), Arc::clone(&done));
        let (until, until_then) = (stop.clone(), stop.clone());
        let people = vec![
            tasks.spawn(async move { works_on(&worker, &worked, &until).await }),
            tasks.spawn(async move { sends_on(&sender, &sent, &until_then).await }),
        ];
        Self { done, stop, people }
    }

    /// Waits until everything was done once more from beginning to end, and nothing went wrong.
    pub(super) async fn goes_on(&self) {
        let before = self.done.kinds.lock().unwrap().clone();
        // What is under way now may have begun before: the one after it has not.
        let more = |kind: &&str| count(&self.done.kinds.lock().unwrap(), kind) >= count(&before, kind) + 2;
        let all = || {
            let (failed, ended) = (
                !self.failures().is_empty(),
                self.people.iter().any(JoinHandle::is_finished),
            );
            let enough = failed || ended || KINDS.iter().all(more);
            async move { enough }
        };
        eventually(PATIENCE, all).await;
        self.nothing_failed();
    }

    /// Stops it; nothing went wrong.
    pub(super) async fn end(mut self) {
        self.stop.cancel();
        for one in std::mem::take(&mut self.people) {
            one.await.unwrap();
        }
        println!("done meanwhile: {:?}", self.done.kinds.lock().unwrap());
        self.nothing_failed();
    }

    fn failures(&self) -> Vec<String> {
        self.done.failures.lock().unwrap().clone()
    }

    fn nothing_failed(&self) {
        let failures = self.failures();
        let some = &failures[..failures.len().min(5)];
        assert!(failures.is_empty(), "{} failures: {some:#?}", failures.len());
    }
}

fn count(kinds: &BTreeMap<&'static str, u64>, kind: &str) -> u64 {
    kinds.get(kind).copied().unwrap_or(0)
}

/// Logs in, gives secrets, and looks at what there is, again and again.
async fn works_on(site: &Site, done: &Done, stop: &CancellationToken) {
    let owner = &site.owner;
    let sender = format!("/api/v1/notifications/senders/{}/access-token", site.sender);
    let tenant = format!("/api/v1/admin/tenants/{}", site.tenant);
    let secret = format!("{tenant}/secrets/messaging/whatsapp_token");
    let put = async |kind, path: &str, body: Value| {
        let request = owner.request(Method::PUT, path).json(&body);
        done.taken(kind, &answer(request).await);
    };
    let mut number = 0;
    while !stop.is_cancelled() {
        number += 1;
        let body = json!({"email": OWNER, "password": story::PASSWORD});
        if let Some(pair) = done.taken("log in", &owner.post("/api/v1/auth/login", body).await) {
            let refresh = json!({"refresh_token": pair["refresh_token"]});
            let refreshed = owner.post("/api/v1/auth/refresh", refresh).await;
            done.taken("refresh", &refreshed);
            let fresh = owner.with_token(pair["access_token"].as_str().unwrap());
            done.taken("me", &fresh.get("/api/v1/auth/me").await);
        }
        put(
            "renew a sender",
            &sender,
            json!({"access_token": format!("token-{number}")}),
        )
        .await;
        put(
            "keep a secret",
            &secret,
            json!({"value": format!("secret-of-{number}")}),
        )
        .await;
        let resealed = owner.post_nothing(&format!("{secret}/rotate")).await;
        done.taken("reseal a secret", &resealed);
        done.taken(
            "read the configuration",
            &owner.get(&format!("{tenant}/config")).await,
        );
    }
}

/// Sends campaigns, whose senders' tokens have to be opened.
async fn sends_on(site: &Site, done: &Done, stop: &CancellationToken) {
    while !stop.is_cancelled() {
        done.note("campaign", site.campaign("Rotation").await);
    }
}
