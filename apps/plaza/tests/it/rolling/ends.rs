//! Every other kind of process is told to end while it works: it ends in order, what it took up it finishes or leaves to
//! whoever comes next, and a request is either answered or was never accepted.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{ENDED, PATIENCE};
use crate::client::Api;
use crate::fleet::Fleet;
use crate::front::Front;
use crate::plaza::free_address;
use crate::story;
use crate::superuser::Superuser;

/// In the order in which they are ended.
const MEMBERS: [&str; 6] = [
    "notification",
    "worker-notification",
    "broadcast",
    "worker-broadcast",
    "tenancy",
    "access",
];
/// More than are sent until the last of them has ended: so many a second leave.
const RECIPIENTS: u64 = 2_500;
const RATE: u64 = 40;
/// In every file that is imported while broadcast is ended.
const ROWS: u64 = 3_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_ends_under_load_ends_in_order_and_nothing_is_lost() {
    let mut fleet = Fleet::builder()
        .env("PLAZA_SERVER__DRAIN_DELAY_MILLISECONDS", 1000)
        .env("PLAZA_NOTIFICATION__DEFAULT_RATE", RATE)
        .env("PLAZA_BROADCAST__IMPORT_BATCH_ROWS", 100)
        // Nobody ever hears what became of a message whose answer was not waited for: it would be sent again.
        .receipts_to(&format!("http://{}/", free_address()))
        .env("PLAZA_NOTIFICATION__LEASE_MILLISECONDS", 10_000)
        .env("PLAZA_NOTIFICATION__UNKNOWN_WAIT_MILLISECONDS", 5_000)
        // So that messages are with the provider whenever somebody ends.
        .simulated("PLAZA_SIMULATOR__ANSWER_MILLISECONDS", "[200, 400]")
        .start()
        .await;
    let admin = story::administrator(&fleet).await;
    let owner = story::tenant(&admin, "acme").await.owner;
    let first = upload(&owner, 0, RECIPIENTS).await;
    story::until(&owner, &first, is_done).await;
    let template = story::template(&owner).await;
    let campaign = story::campaign(&owner, "Spring", &template).await;
    story::send(&owner, &campaign).await;
    let load = Load::begin(&admin, &owner, &template);

    let mut imports = Vec::new();
    for (number, name) in (1..).zip(MEMBERS) {
        if name.contains("broadcast") {
            imports.push(upload(&owner, number, ROWS).await);
        }
        load.goes_on().await;
        let begun = Instant::now();
        let status = fleet.end(name).await;
        let took = begun.elapsed();
        println!("{name} ended after {took:.1?}");
        assert!(status.success(), "{name}: {status}\n{}", fleet.stderr(name));
        assert!(took < ENDED, "{name} took {took:?} to end");
        fleet.restart(name).await;
    }
    let sent = fleet.simulator().counts().await["accepted"].as_u64().unwrap();
    assert!(sent < RECIPIENTS, "the campaign was over before the last end");
    load.goes_on().await;
    let made = load.end().await;

    for import in &imports {
        let import = story::until(&owner, import, is_done).await;
        assert_eq!(import["counts"]["valid"], ROWS, "{import}");
    }
    let completed = story::completed(&owner, &campaign).await;
    assert_eq!(completed["planned"], json!({"send": RECIPIENTS}));
    let counts = fleet.simulator().counts().await;
    assert_eq!(
        (&counts["accepted"], &counts["duplicates"]),
        (&json!(RECIPIENTS), &json!(0)),
        "{counts}"
    );
    what_was_answered_is_there(&fleet, &made).await;
    fleet.stop().await;
}

/// Uploads a file of people nobody has written to; the path of the import.
async fn upload(owner: &Api, number: u64, rows: u64) -> String {
    let mut file = "name,phone,opted_in\n".to_owned();
    for row in 0..rows {
        writeln!(file, "Person {row},+4915117{number}{row:05},yes").unwrap();
    }
    let path = "/api/v1/broadcast/recipients/import";
    let taken = owner.upload(path, "people.csv", file.into_bytes(), None).await;
    assert_eq!(taken.status, 202, "{}", taken.text());
    format!(
        "/api/v1/broadcast/imports/{}",
        taken.json()["id"].as_str().unwrap()
    )
}

fn is_done(import: &Value) -> bool {
    let state = import["state"].as_str().unwrap();
    assert!(!["failed", "done_with_errors"].contains(&state), "{import}");
    state == "done"
}

/// What is made, and where it is then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Made {
    Suppression,
    Campaign,
    Tenant,
    Role,
}

impl Made {
    const ALL: [Self; 4] = [Self::Suppression, Self::Campaign, Self::Tenant, Self::Role];

    fn name(self, number: u64) -> String {
        match self {
            Self::Suppression => format!("+49151190{number:05}"),
            Self::Campaign | Self::Role => format!("made {number}"),
            Self::Tenant => format!("made-{number}"),
        }
    }

    fn rows(self) -> &'static str {
        match self {
            Self::Suppression => "SELECT address FROM notification.suppressions",
            Self::Campaign => "SELECT name FROM broadcast.campaigns WHERE name LIKE 'made %'",
            Self::Tenant => "SELECT slug FROM tenancy.tenants WHERE slug LIKE 'made-%'",
            Self::Role => "SELECT name FROM access.roles WHERE name LIKE 'made %'",
        }
    }

    /// A tenant is much work for everybody.
    fn pause(self) -> Duration {
        match self {
            Self::Tenant => Duration::from_millis(300),
            Self::Suppression | Self::Campaign | Self::Role => Duration::from_millis(20),
        }
    }
}

/// What was answered with 201, and how many requests were answered with what else.
#[derive(Default)]
struct Answers {
    made: BTreeSet<(Made, String)>,
    refused: BTreeMap<(Made, String), u64>,
}

/// People who make things, each after the other.
struct Load {
    stop: CancellationToken,
    tasks: TaskTracker,
    answers: Arc<Mutex<Answers>>,
}

impl Load {
    fn begin(admin: &Api, owner: &Api, template: &str) -> Self {
        let load = Self {
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            answers: Arc::default(),
        };
        for made in Made::ALL {
            let (admin, owner, template) = (admin.clone(), owner.clone(), template.to_owned());
            let (stop, answers) = (load.stop.clone(), Arc::clone(&load.answers));
            load.tasks.spawn(async move {
                for number in 0.. {
                    if stop.is_cancelled() {
                        break;
                    }
                    let name = made.name(number);
                    let answer = match made {
                        Made::Suppression => {
                            let body = json!({"address": name, "reason": "asked"});
                            owner.post("/api/v1/notifications/suppressions", body).await
                        }
                        Made::Campaign => {
                            let body = json!({"name": name, "template_id": template});
                            owner.post("/api/v1/broadcast/campaigns", body).await
                        }
                        Made::Tenant => {
                            let email = format!("owner@{name}.example");
                            let body = json!({"slug": name, "name": name, "admin_email": email});
                            admin.post("/api/v1/admin/tenants", body).await
                        }
                        Made::Role => {
                            let body = json!({"name": name, "permissions": ["campaigns.view"]});
                            owner.post("/api/v1/admin/roles", body).await
                        }
                    };
                    let told = answer.json()["code"].as_str().unwrap_or_default().to_owned();
                    match answer.status.as_u16() {
                        201 => answers.lock().unwrap().take(made, name),
                        503 => answers.lock().unwrap().refuse(made, told),
                        _ => panic!("{made:?} {name}: {} {}", answer.status, answer.text()),
                    }
                    tokio::time::sleep(made.pause()).await;
                }
            });
        }
        load.tasks.close();
        load
    }

    /// Waits until some more of everything was made.
    async fn goes_on(&self) {
        let made = || {
            let answers = self.answers.lock().unwrap();
            Made::ALL.map(|kind| answers.made.iter().filter(|(made, _)| *made == kind).count())
        };
        let before = made();
        plaza_testkit::eventually(PATIENCE, async || {
            made().iter().zip(before).all(|(now, before)| *now >= before + 3)
        })
        .await;
    }

    async fn end(self) -> BTreeSet<(Made, String)> {
        self.stop.cancel();
        self.tasks.wait().await;
        let answers = std::mem::take(&mut *self.answers.lock().unwrap());
        println!("{} were made; refused {:?}", answers.made.len(), answers.refused);
        answers.made
    }
}

impl Answers {
    fn take(&mut self, made: Made, name: String) {
        self.made.insert((made, name));
    }

    fn refuse(&mut self, made: Made, code: String) {
        *self.refused.entry((made, code)).or_default() += 1;
    }
}

/// And what was refused is not; what follows from a tenant has followed.
async fn what_was_answered_is_there(fleet: &Fleet, made: &BTreeSet<(Made, String)>) {
    let superuser = Superuser::at(fleet.database()).await;
    for kind in Made::ALL {
        let rows = superuser.rows(kind.rows(), &[]).await;
        let found: BTreeSet<String> = rows.iter().map(|row| row.get(0)).collect();
        let of_kind = made.iter().filter(|(made, _)| *made == kind);
        let expected: BTreeSet<String> = of_kind.map(|(_, name)| name.clone()).collect();
        assert_eq!(found, expected, "{kind:?}");
    }
    let open = "SELECT count(*) FROM tenancy.tenants WHERE status <> 'active'";
    plaza_testkit::eventually(PATIENCE, async || superuser.number(open).await == 0).await;
}
