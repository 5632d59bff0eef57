//! A Plaza that dies at a place of its code: after a row was written and before the commit, after the commit and before anybody
//! heard of it, after the provider has answered and before that was written down. Three times at each, one further than the last:
//! what is left has to be taken up by the next one as if nothing had happened.
//!
//! The places are those of `plaza_telemetry::crash`, which are in debug builds alone.

use std::time::{Duration, Instant};

use http::Method;
use serde_json::{Value, json};

use super::bench::{Bench, PATIENCE, Receipts, draft, imported};
use super::campaign::{owner, with_people};
use super::truth::Truth;
use super::{outcome, truth};
use crate::client::Api;
use crate::front::Topology;

/// How often it dies at each place.
const TIMES: u32 = 3;

/// Places that campaigns do not come by on their way.
const OTHERS: [&str; 4] = [
    "broadcast.import.committed",
    "broadcast.steer.committed",
    "sources.changed",
    "sources.moved",
];

/// A test for each place on the way of a campaign.
macro_rules! campaign_dies {
    ($($name:ident = $point:literal;)*) => {
        const ON_THE_WAY: &[&str] = &[$($point),*];
        $(
            #[tokio::test]
            async fn $name() {
                campaign_that_dies_at($point).await;
            }
        )*
    };
}

campaign_dies! {
    a_campaign_that_dies_before_its_plan_is_committed_reaches_everybody = "broadcast.plan.written";
    a_campaign_that_dies_after_its_plan_is_committed_reaches_everybody = "broadcast.plan.committed";
    a_campaign_that_dies_before_an_event_is_committed_reaches_everybody = "outbox.appended";
    a_campaign_that_dies_when_an_event_was_published_reaches_everybody = "relay.published";
    a_campaign_that_dies_before_an_effect_is_committed_reaches_everybody = "consumer.applied";
    a_campaign_that_dies_after_an_effect_is_committed_reaches_everybody = "consumer.committed";
    a_campaign_that_dies_when_messages_were_claimed_reaches_everybody = "dispatch.claimed";
    a_campaign_that_dies_when_the_provider_has_answered_reaches_everybody = "dispatch.answered";
    a_campaign_that_dies_when_the_answer_is_written_down_reaches_everybody = "dispatch.settled";
    a_campaign_that_dies_when_a_receipt_was_applied_reaches_everybody = "receipts.committed";
}

#[test]
fn every_place_has_its_test() {
    let mut places: Vec<&str> = ON_THE_WAY.iter().chain(&OTHERS).copied().collect();
    let mut known = plaza_telemetry::crash::POINTS;
    places.sort_unstable();
    known.sort_unstable();
    assert_eq!(places, known);
}

async fn campaign_that_dies_at(point: &str) {
    let truth = truth::first(700);
    let mut bench = Bench::open(Topology::OneProcess, Receipts::Arrive).await;
    let owner = with_people(&bench, &truth).await;
    let campaign = draft(&owner).await;
    let mut crashes = 0;
    for time in 1..=TIMES {
        bench.arm(Some((point, time)));
        crashes += u32::from(dies(&mut bench, || sent(&owner, &campaign)).await);
    }
    bench.arm(None);
    until(|| sent(&owner, &campaign)).await;
    // What comes by a place seldom may be over before it does so for the third time.
    assert!(crashes >= 2, "it came by {point} {crashes} times only");
    let outcome = outcome::of(&bench, &owner, &campaign, &truth).await;
    eprintln!(
        "{point}: {crashes} crashes, {} messages, 0 lost, {} duplicates (at most {})",
        outcome.messages,
        outcome.duplicates,
        bench.in_doubt(),
    );
}

#[tokio::test]
async fn an_import_that_dies_between_batches_becomes_what_the_truth_says() {
    let truth = truth::first(1_400);
    let mut bench = Bench::open(Topology::OneProcess, Receipts::Arrive).await;
    let owner = owner(&bench).await;
    let import = super::bench::upload(&owner, truth.file.clone()).await;
    let mut crashes = 0;
    for time in 1..=TIMES {
        bench.arm(Some(("broadcast.import.committed", time)));
        let over = async || {
            found(&owner, &import)
                .await
                .is_some_and(|import| imported(&import))
        };
        crashes += u32::from(dies(&mut bench, over).await);
    }
    bench.arm(None);
    until(async || {
        found(&owner, &import)
            .await
            .is_some_and(|import| imported(&import))
    })
    .await;
    assert!(crashes >= 2, "{crashes}");
    let end = owner.get(&import).await.ok();
    let errors: u64 = [
        "duplicate",
        "missing_phone",
        "invalid_phone",
        "damaged_by_spreadsheet",
    ]
    .iter()
    .map(|class| end["counts"][class].as_u64().unwrap())
    .sum();
    assert_eq!(
        (end["counts"]["valid"].as_u64(), errors),
        (Some(truth.valid.len() as u64), truth.errors.len() as u64),
        "{end}"
    );
    let recipients = owner.all("/api/v1/broadcast/recipients").await;
    assert_eq!(recipients.len(), truth.valid.len());
}

/// The decision is committed, and nobody has told notification.
#[tokio::test]
async fn a_campaign_that_dies_when_it_was_called_off_is_called_off() {
    called_off_that_dies_at("broadcast.steer.committed").await;
}

/// Notification knows, and no message was called off.
#[tokio::test]
async fn a_campaign_that_dies_while_it_is_called_off_is_called_off() {
    called_off_that_dies_at("sources.changed").await;
}

async fn called_off_that_dies_at(point: &str) {
    let (mut bench, owner, campaign, _) = under_way_to_die_at(point).await;
    let cancel = format!("{campaign}/cancel");
    // It is cancelled once notification knows; its messages follow.
    let called_off = async || {
        drop(owner.request(Method::POST, &cancel).json(&json!({})).send().await);
        found(&owner, &campaign)
            .await
            .is_some_and(|found| found["state"] == "cancelled" && count(&found, "queued") == 0)
    };
    assert!(dies(&mut bench, called_off).await, "it does not come by {point}");
    bench.arm(None);
    // The first asking may not have come through; one more changes nothing.
    until(called_off).await;
    let end = owner.get(&campaign).await.ok();
    assert!(count(&end, "cancelled") > 0, "{point}: {end}");
    nothing_leaves_any_more(&bench, &owner, &campaign).await;
    none_called_off_has_left(&bench, &owner, &campaign).await;
}

/// Its messages were put aside, or the first few thousand of them, and nobody knows how far that went.
#[tokio::test]
async fn a_campaign_that_dies_while_it_is_paused_is_paused_and_goes_on() {
    let (mut bench, owner, campaign, truth) = under_way_to_die_at("sources.moved").await;
    let pause = format!("{campaign}/pause");
    let paused = async || {
        drop(owner.request(Method::POST, &pause).json(&json!({})).send().await);
        found(&owner, &campaign)
            .await
            .is_some_and(|found| found["state"] == "paused")
    };
    // It is paused at once; that its messages are moved comes after it.
    let never_over = async || {
        paused().await;
        false
    };
    assert!(dies(&mut bench, never_over).await);
    bench.arm(None);
    until(paused).await;
    nothing_leaves_any_more(&bench, &owner, &campaign).await;

    owner.post_nothing(&format!("{campaign}/resume")).await.ok();
    until(|| sent(&owner, &campaign)).await;
    let outcome = outcome::of(&bench, &owner, &campaign, &truth).await;
    assert!(outcome.messages > 0);
}

/// A campaign of which much is still queued when the first of it have arrived.
async fn under_way_to_die_at(point: &str) -> (Bench, Api, String, Truth) {
    let truth = truth::first(5_000);
    let mut bench = Bench::open(Topology::OneProcess, Receipts::Arrive).await;
    let owner = with_people(&bench, &truth).await;
    let campaign = draft(&owner).await;
    bench.arm(Some((point, 1)));
    until(|| begun(&owner, &campaign)).await;
    until(async || {
        found(&owner, &campaign)
            .await
            .is_some_and(|found| count(&found, "delivered") > 20)
    })
    .await;
    (bench, owner, campaign, truth)
}

/// What is open comes to rest, and nothing new leaves.
async fn nothing_leaves_any_more(bench: &Bench, owner: &Api, campaign: &str) {
    until(async || {
        found(owner, campaign)
            .await
            .is_some_and(|found| count(&found, "leased") + count(&found, "unknown") == 0)
    })
    .await;
    let accepted = bench.counts().await["accepted"].clone();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(
        bench.counts().await["accepted"],
        accepted,
        "something left after it was stopped"
    );
}

/// What was called off never reached the provider.
async fn none_called_off_has_left(bench: &Bench, owner: &Api, campaign: &str) {
    let id = campaign.rsplit('/').next().unwrap();
    let logs = owner
        .all(&format!(
            "/api/v1/broadcast/logs?campaign_id={id}&state=cancelled"
        ))
        .await;
    let called_off: Vec<&str> = logs
        .iter()
        .map(|entry| entry["message_id"].as_str().unwrap())
        .collect();
    assert!(!called_off.is_empty());
    let page = bench
        .simulator()
        .get("/_simulator/messages?limit=1000&cursor=0")
        .await
        .ok();
    for message in page["items"].as_array().unwrap() {
        let reference = message["biz_opaque_callback_data"].as_str().unwrap();
        assert!(
            !called_off.contains(&reference),
            "{reference} was called off and left"
        );
    }
}

fn count(campaign: &Value, state: &str) -> u64 {
    campaign["counts"][state].as_u64().unwrap_or_default()
}

/// What stands at a path; none while nobody answers.
async fn found(owner: &Api, path: &str) -> Option<Value> {
    let answer = owner.request(Method::GET, path).send().await.ok()?;
    answer.error_for_status().ok()?.json().await.ok()
}

/// Sends a campaign that was not sent yet, as far as anybody answers; whether it is no draft any more.
async fn begun(owner: &Api, campaign: &str) -> bool {
    let state = found(owner, campaign).await.map(|found| found["state"].clone());
    if state == Some(json!("draft")) {
        let send = format!("{campaign}/send");
        drop(owner.request(Method::POST, &send).send().await);
        return false;
    }
    state.is_some()
}

/// The same; whether it is over.
async fn sent(owner: &Api, campaign: &str) -> bool {
    let over = async || {
        found(owner, campaign)
            .await
            .is_some_and(|found| found["state"] == "completed")
    };
    begun(owner, campaign).await && over().await
}

/// Whether it dies before something is over.
async fn dies(bench: &mut Bench, over: impl AsyncFn() -> bool) -> bool {
    let begun = Instant::now();
    loop {
        if bench.has_crashed() {
            bench.crashed();
            return true;
        }
        if over().await {
            return false;
        }
        assert!(begun.elapsed() < PATIENCE, "it neither dies nor comes to an end");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn until(over: impl AsyncFn() -> bool) {
    let begun = Instant::now();
    while !over().await {
        assert!(begun.elapsed() < PATIENCE, "it does not come to an end");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
