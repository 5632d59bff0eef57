//! A tenant with a hundred times the work leaves another one its half, from the planning to the provider.
//!
//! There is less of one thing than both want: one sender at a time may claim (`claims_at_once`), and a few messages at a time,
//! so that the provider is never what they wait for. No sender has a limit of its own. The large tenant has five times the
//! senders, so that whoever served senders in turn, or the oldest first, would leave the small one much less than its half.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;

use crate::client::Api;
use crate::fleet::{self, Fleet};
use crate::front::{Front, Running, Topology};
use crate::plaza::folder;
use crate::story::{self, Tenant};
use crate::superuser::Superuser;

/// A tenant, and how much there is of it. The large one has a hundred times the messages.
struct Size {
    slug: &'static str,
    people: u64,
    /// Each to all people.
    campaigns: u64,
    /// Each with its part of the campaigns.
    senders: usize,
}

const LARGE: Size = Size {
    slug: "large",
    people: 1_000,
    campaigns: 40,
    senders: 20,
};
const SMALL: Size = Size {
    slug: "small",
    people: 100,
    campaigns: 4,
    senders: 4,
};
/// Recipients that are planned in a turn.
const TURN: u64 = 500;
/// What is promised of the half.
const PROMISED: f64 = 0.9;
/// Messages that notification has.
const QUEUED: &str = "true";
/// Messages that had their turn: the provider has them, or they are not for it, because the person was not reached twice.
const LEFT: &str = "state IN ('accepted', 'sent', 'failed', 'delivered', 'read', 'skipped')";
const PATIENCE: Duration = Duration::from_secs(180);

#[tokio::test]
async fn a_hundred_times_the_work_leaves_the_small_campaign_its_share() {
    the_small_one_has_its_share(Topology::OneProcess).await;
}

#[tokio::test]
async fn a_hundred_times_the_work_leaves_the_small_campaign_its_share_in_pieces() {
    the_small_one_has_its_share(Topology::Pieces).await;
}

/// One process plans and one sends: turns are taken within a process, and a campaign or a sender is worked by one at a
/// time.
async fn started(topology: Topology) -> Running {
    const VARIABLES: [(&str, &str); 4] = [
        ("PLAZA_NOTIFICATION__DEFAULT_RATE", "0"),
        ("PLAZA_NOTIFICATION__CLAIMS_AT_ONCE", "1"),
        ("PLAZA_NOTIFICATION__IN_FLIGHT", "2"),
        ("PLAZA_BROADCAST__TURN_BATCHES", "1"),
    ];
    match topology {
        Topology::OneProcess => Running::start_with(topology, &VARIABLES).await,
        Topology::Pieces => {
            let add = |builder: fleet::Builder, (name, value)| builder.env(name, value);
            let builder = Fleet::builder()
                .count("worker-notification", 0)
                .count("worker-broadcast", 0);
            Running::Pieces(VARIABLES.into_iter().fold(builder, add).start().await)
        }
    }
}

async fn the_small_one_has_its_share(topology: Topology) {
    let mut plaza = started(topology).await;
    let superuser = plaza.superuser().await;
    let admin = story::administrator(&plaza).await;
    let (large, theirs) = ready(&admin, &LARGE).await;
    let (small, own) = ready(&admin, &SMALL).await;

    send(&large.owner, &theirs).await;
    // As autovacuum does it a minute after so much was written.
    superuser.rows("ANALYZE notification.messages", &[]).await;
    let begun = Instant::now();
    send(&small.owner, &own).await;
    let planned_before = planned_until(&superuser, &large, &large).await;
    // From here on both have all that they can send.
    let all = SMALL.messages();
    reaches(all, async || count(&superuser, &small, QUEUED).await).await;
    let (waited, own_before) = (begun.elapsed(), count(&superuser, &small, LEFT).await);
    let before = count(&superuser, &large, LEFT).await;
    reaches(all, async || count(&superuser, &small, LEFT).await).await;
    let took = begun.elapsed();
    let more = count(&superuser, &large, LEFT).await - before;
    let planned = planned_until(&superuser, &large, &small)
        .await
        .saturating_sub(planned_before);

    let left = all - own_before;
    let share = left as f64 / (left + more) as f64;
    println!(
        "{topology:?}: all of the small tenant's were queued after {waited:.1?} and had left after {took:.1?}: {left} of them \
         while {more} of the large one left, {:.0} % of its half; {planned} of the large one were planned before its last",
        share * 200.0
    );
    assert!(left > all / 2, "only {left} were left to compare");
    assert!(
        share >= PROMISED / 2.0,
        "{share:.2} is less than {PROMISED} of a half"
    );
    assert!(
        before + more < LARGE.messages(),
        "the large tenant was done before"
    );
    // Each of its campaigns is a turn, before each may be one of the large tenant, and one was being worked on.
    assert!(
        planned <= (SMALL.campaigns + 1) * TURN,
        "{planned} of the large tenant were planned first"
    );
    for campaign in &own {
        let completed = story::completed(&small.owner, campaign).await;
        assert_eq!(completed["planned"], json!({"send": SMALL.people}));
    }
    println!(
        "{topology:?}: completed {:.1?} after it was sent",
        begun.elapsed()
    );
    plaza.stop().await;
}

impl Size {
    fn messages(&self) -> u64 {
        self.people * self.campaigns
    }
}

/// A tenant with people who said yes and campaigns that can be sent.
async fn ready(admin: &Api, size: &Size) -> (Tenant, Vec<String>) {
    let tenant = story::tenant(admin, size.slug).await;
    let mut people = "name,phone,opted_in\n".to_owned();
    for number in 0..size.people {
        writeln!(people, "Person {number},+49151174{number:05},yes").unwrap();
    }
    let folder = folder();
    let file = folder.path().join("people.csv");
    std::fs::write(&file, people).unwrap();
    let imported = story::import(&tenant.owner, &file).await;
    assert_eq!(imported["counts"]["valid"], size.people, "{imported}");
    let senders = senders(&tenant.owner, size).await;
    let campaigns = drafts(&tenant.owner, size, &senders).await;
    (tenant, campaigns)
}

async fn send(owner: &Api, campaigns: &[String]) {
    let sent = campaigns.iter().map(|campaign| story::send(owner, campaign));
    join_all(sent).await;
}

async fn senders(owner: &Api, size: &Size) -> Vec<String> {
    let mut senders = Vec::new();
    for number in 0..size.senders {
        let body = json!({
            "name": format!("Sender {number}"),
            "phone_number_id": format!("{}{number:02}", 1_000_000 + size.people),
            "access_token": "any", "rate": 0,
        });
        let made = owner.post("/api/v1/notifications/senders", body).await.ok();
        senders.push(made["id"].as_str().unwrap().to_owned());
    }
    senders
}

/// The campaigns of a tenant, each from the next of its senders.
async fn drafts(owner: &Api, size: &Size, senders: &[String]) -> Vec<String> {
    let template = story::template(owner).await;
    let mut campaigns = Vec::new();
    for (number, sender) in (0..size.campaigns).zip(senders.iter().cycle()) {
        let body = json!({
            "name": format!("Number {number}"), "template_id": template, "sender_id": sender,
        });
        let made = owner.post("/api/v1/broadcast/campaigns", body).await.ok();
        campaigns.push(made["id"].as_str().unwrap().to_owned());
    }
    campaigns
}

async fn count(superuser: &Superuser, tenant: &Tenant, states: &str) -> u64 {
    let sql = "SELECT count(*) FROM notification.messages WHERE tenant_id =";
    superuser
        .number(&format!("{sql} '{}' AND {states}", tenant.id))
        .await
}

/// How many recipients of a tenant were planned before the last one of another, so far.
async fn planned_until(superuser: &Superuser, tenant: &Tenant, last_of: &Tenant) -> u64 {
    let sql = format!(
        "SELECT count(*) FROM broadcast.plan WHERE tenant_id = '{}'
            AND planned_at <= (SELECT max(planned_at) FROM broadcast.plan WHERE tenant_id = '{}')",
        tenant.id, last_of.id
    );
    superuser.number(&sql).await
}

async fn reaches(wanted: u64, count: impl AsyncFn() -> u64) {
    let begun = Instant::now();
    loop {
        let found = count().await;
        if found >= wanted {
            return;
        }
        assert!(
            begun.elapsed() < PATIENCE,
            "{found} of {wanted} after {PATIENCE:?}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
