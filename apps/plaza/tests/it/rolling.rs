//! A deploy: two gateways behind HAProxy and two processes of identity, each told to end and started again, one after
//! the other, while people go on. Nobody may notice.
//!
//! `PLAZA_TEST_SIGTERMS=100` asks for more of them.

mod load;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use plaza_testkit::eventually;
use plaza_testkit::haproxy::Haproxy;
use serde_json::Value;

use crate::fleet::Fleet;
use crate::front::Front;
use crate::story;
use crate::superuser::Superuser;
use load::{Kind, Load};

const SIGTERMS: usize = 6;
/// One after the other, and around again.
const MEMBERS: [&str; 4] = ["gateway", "identity", "gateway-2", "identity-2"];
const ENDED: Duration = Duration::from_secs(30);
const PATIENCE: Duration = Duration::from_secs(60);
/// How long everything is up between two of them.
const PAUSE: Duration = Duration::from_secs(1);

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
    let both = async || haproxy.up().len() == gateways.len();
    eventually(PATIENCE, both).await;

    let admin = story::administrator(&fleet).await;
    let owner = story::tenant(&admin, "acme").await.owner;
    let template = story::template(&owner).await;
    let load = Load::begin(owner.clone(), template);
    tokio::time::sleep(PAUSE).await;
    let mut slowest_end = Duration::ZERO;
    for name in MEMBERS.into_iter().cycle().take(sigterms) {
        let begun = Instant::now();
        let status = fleet.end(name).await;
        let took = begun.elapsed();
        assert!(status.success(), "{name}: {status}\n{}", fleet.stderr(name));
        assert!(took < ENDED, "{name} took {took:?} to end");
        slowest_end = slowest_end.max(took);
        fleet.restart(name).await;
        eventually(PATIENCE, both).await;
        tokio::time::sleep(PAUSE).await;
    }
    let done = load.end().await;

    println!(
        "{sigterms} SIGTERMs, {} requests in {:.1?} ({:.0} a second), slowest end {slowest_end:.1?}; latency p50 {:.1?}, \
         p99 {:.1?}, worst {:.1?}",
        done.requests(),
        done.took,
        done.rate(),
        done.latency(0.5),
        done.latency(0.99),
        done.latency(1.0),
    );
    let failed: Vec<_> = done.failures().take(10).collect();
    assert!(
        failed.is_empty(),
        "{} of {} requests failed: {failed:#?}",
        done.failures().count(),
        done.requests()
    );
    assert!(
        done.rate() > load::RATE * 0.9,
        "only {:.0} requests a second",
        done.rate()
    );
    every_post_is_there_once(&fleet, &owner, &done).await;
    fleet.stop().await;
}

/// What was answered with 201 is there, and nothing else, and nothing twice.
async fn every_post_is_there_once(fleet: &Fleet, owner: &crate::client::Api, done: &load::Done) {
    let superuser = Superuser::at(fleet.database()).await;
    let invited = "SELECT email FROM identity.users WHERE email LIKE 'rolling-%'";
    let invited: Vec<String> = superuser
        .rows(invited, &[])
        .await
        .iter()
        .map(|row| row.get(0))
        .collect();
    let campaigns = owner.all("/api/v1/broadcast/campaigns").await;
    let campaigns = campaigns.iter().map(|campaign| campaign["name"].clone());
    let campaigns: Vec<String> = campaigns
        .filter_map(|name| match name {
            Value::String(name) => Some(name),
            _ => None,
        })
        .collect();
    for (kind, found) in [(Kind::Invite, invited), (Kind::Campaign, campaigns)] {
        let expected: BTreeSet<String> = done.made(kind);
        println!("{kind:?}: {} were made", expected.len());
        assert!(!expected.is_empty());
        assert_eq!(found.len(), expected.len(), "{kind:?}: lost or doubled");
        assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), expected);
    }
}
