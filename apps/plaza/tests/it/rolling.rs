//! A deploy: two gateways behind HAProxy and two processes of identity, each told to end and started again, one after
//! the other, while people go on. Nobody may notice.
//!
//! `PLAZA_TEST_SIGTERMS=100` asks for more of them.

mod ends;
mod load;
mod restarts;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use plaza_testkit::eventually;
use plaza_testkit::haproxy::Haproxy;
use serde_json::Value;

use crate::client::Api;
use crate::fleet::Fleet;
use crate::front::Front;
use crate::story;
use crate::superuser::Superuser;
use load::{Done, Kind, Load};
use restarts::{Restart, explained};

const SIGTERMS: usize = 6;
/// One after the other, and around again.
const MEMBERS: [&str; 4] = ["gateway", "identity", "gateway-2", "identity-2"];
const ENDED: Duration = Duration::from_secs(30);
const PATIENCE: Duration = Duration::from_secs(60);
/// How long everything is up between two of them.
const PAUSE: Duration = Duration::from_secs(1);
/// The rate is held against whatever machine this is: once more tells a slow moment of it from a slow program. That nobody
/// notices is held in each of them.
const TIMES: u64 = 2;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_notices_a_rolling_restart() {
    #[expect(clippy::disallowed_methods, reason = "tests have no configuration file")]
    let asked = std::env::var("PLAZA_TEST_SIGTERMS").ok();
    let sigterms = asked.map_or(SIGTERMS, |number| number.parse().unwrap());
    let mut fleet = Fleet::builder()
        .count("gateway", 2)
        .count("identity", 2)
        .count("worker-notification", 0)
        .count("worker-broadcast", 0)
        .env("PLAZA_SERVER__DRAIN_DELAY_MILLISECONDS", 1000)
        .prepare()
        .await;
    let gateways = ["gateway", "gateway-2"].map(|name| fleet.public_address(name).parse().unwrap());
    let haproxy = Haproxy::before(&gateways).await;
    fleet.reached_at(&haproxy.url());
    fleet.spawn_all();
    fleet.all_ready().await;
    both_up(&haproxy).await;

    let admin = story::administrator(&fleet).await;
    let owner = story::tenant(&admin, "acme").await.owner;
    let template = story::template(&owner).await;
    let (mut all, mut rate) = (Vec::new(), 0.0);
    for time in 0..TIMES {
        let load = Load::begin(owner.clone(), template.clone(), time * 1_000_000);
        tokio::time::sleep(PAUSE).await;
        let restarts = restarted(&mut fleet, &haproxy, &load, sigterms).await;
        let done = load.end().await;
        nobody_noticed(&fleet, &restarts, &done);
        rate = done.rate();
        all.push(done);
        if rate > load::RATE * 0.9 {
            break;
        }
    }
    every_post_is_there_once(&fleet, &owner, &all).await;
    assert!(
        rate > load::RATE * 0.9,
        "only {rate:.0} requests a second, {TIMES} times"
    );
    fleet.stop().await;
}

async fn both_up(haproxy: &Haproxy) {
    eventually(PATIENCE, async || haproxy.up().len() == 2).await;
}

/// Ends processes in turn and starts them again.
async fn restarted(fleet: &mut Fleet, haproxy: &Haproxy, load: &Load, sigterms: usize) -> Vec<Restart> {
    let mut restarts = Vec::new();
    for name in MEMBERS.into_iter().cycle().take(sigterms) {
        let (begun, asked) = (Instant::now(), load.elapsed());
        let status = fleet.end(name).await;
        assert!(status.success(), "{name}: {status}\n{}", fleet.stderr(name));
        assert!(
            begun.elapsed() < ENDED,
            "{name} took {:?} to end",
            begun.elapsed()
        );
        let ended = load.elapsed();
        fleet.restart(name).await;
        let ready = load.elapsed();
        both_up(haproxy).await;
        restarts.push(Restart {
            name,
            asked,
            ended,
            ready,
            up: load.elapsed(),
        });
        tokio::time::sleep(PAUSE).await;
    }
    restarts
}

fn nobody_noticed(fleet: &Fleet, restarts: &[Restart], done: &Done) {
    let slowest = restarts.iter().map(Restart::took).max();
    println!(
        "{} SIGTERMs, {} requests in {:.1?} ({:.0} a second), slowest end {:.1?}; latency p50 {:.1?}, p99 {:.1?}, worst \
         {:.1?}",
        restarts.len(),
        done.requests(),
        done.took,
        done.rate(),
        slowest.unwrap_or_default(),
        done.latency(0.5),
        done.latency(0.99),
        done.latency(1.0),
    );
    for sent in done.slowest(3) {
        println!("slow: {}", explained(fleet, restarts, sent));
    }
    let failed: Vec<String> = done
        .failures()
        .take(10)
        .map(|sent| explained(fleet, restarts, sent))
        .collect();
    assert!(
        failed.is_empty(),
        "{} of {} requests failed: {:#?}\n{}",
        done.failures().count(),
        done.requests(),
        done.kinds_of_failures(),
        failed.join("\n")
    );
}

/// What was answered with 201 is there, and nothing else, and nothing twice.
async fn every_post_is_there_once(fleet: &Fleet, owner: &Api, done: &[Done]) {
    let superuser = Superuser::at(fleet.database()).await;
    let invited = "SELECT email FROM identity.users WHERE email LIKE 'rolling-%'";
    let invited = superuser.rows(invited, &[]).await;
    let invited: Vec<String> = invited.iter().map(|row| row.get(0)).collect();
    let campaigns = owner.all("/api/v1/broadcast/campaigns").await;
    let campaigns: Vec<String> = campaigns
        .into_iter()
        .filter_map(|mut campaign| match campaign["name"].take() {
            Value::String(name) => Some(name),
            _ => None,
        })
        .collect();
    for (kind, found) in [(Kind::Invite, invited), (Kind::Campaign, campaigns)] {
        let expected: BTreeSet<String> = done.iter().flat_map(|done| done.made(kind)).collect();
        println!("{kind:?}: {} were made", expected.len());
        assert!(!expected.is_empty());
        assert_eq!(found.len(), expected.len(), "{kind:?}: lost or doubled");
        assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), expected);
    }
}
