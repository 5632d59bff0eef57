//! A campaign whose Plaza is killed while it is planned, queued and sent.

use std::time::{Duration, Instant};

use super::bench::{Bench, PATIENCE, Receipts, SENDING, draft, kills};
use super::importing::{self, import_under_fire};
use super::outcome;
use super::truth::{self, Truth};
use crate::client::Api;
use crate::front::Topology;
use crate::story;
use crate::superuser::Superuser;

/// What a kill waits for.
#[derive(Debug, Clone, Copy)]
enum Stage {
    /// Recipients that are decided about.
    Planned,
    /// Messages that are in notification's table.
    Queued,
    /// Messages that are with the provider.
    Accepted,
}

#[tokio::test]
async fn a_campaign_killed_at_twenty_points_reaches_everybody() {
    let truth = everybody();
    let mut bench = Bench::open(Topology::OneProcess, Receipts::Arrive).await;
    let owner = with_people(&bench, &truth).await;
    under_fire(&mut bench, &owner, &truth, kills()).await;
    assert!(bench.kills() >= kills());
}

/// The import before it is under fire as well: the same people, the same fleet.
#[tokio::test]
async fn a_campaign_of_which_every_process_is_killed_reaches_everybody_in_pieces() {
    let truth = everybody();
    let mut bench = Bench::open(Topology::Pieces, Receipts::Arrive).await;
    let owner = owner(&bench).await;
    bench.aim_at(&importing::WORKING);
    import_under_fire(&mut bench, &owner, &truth).await;

    let everyone = bench.plaza.names();
    bench.aim_at(&everyone.iter().map(String::as_str).collect::<Vec<_>>());
    bench.killed.clear();
    under_fire(&mut bench, &owner, &truth, kills().max(everyone.len())).await;
    assert_eq!(bench.killed.keys().cloned().collect::<Vec<_>>(), everyone);
}

/// What was with the provider when Plaza died is in doubt, and nothing ever resolves it: it is sent again, and nothing
/// else is.
#[tokio::test]
async fn without_receipts_only_what_was_in_flight_goes_out_twice() {
    without_receipts(Topology::OneProcess, &truth::first(2_800), kills().min(8)).await;
}

#[tokio::test]
async fn without_receipts_only_what_was_in_flight_goes_out_twice_in_pieces() {
    without_receipts(Topology::Pieces, &truth::first(1_400), kills().div_ceil(5)).await;
}

async fn without_receipts(topology: Topology, truth: &Truth, kills: usize) {
    let mut bench = Bench::open(topology, Receipts::Never).await;
    bench.aim_at(&SENDING);
    let owner = with_people(&bench, truth).await;
    under_fire(&mut bench, &owner, truth, kills).await;
}

#[tokio::test]
async fn without_a_kill_nobody_is_written_to_twice() {
    let truth = truth::first(1_400);
    let mut bench = Bench::open(Topology::OneProcess, Receipts::Arrive).await;
    let owner = with_people(&bench, &truth).await;
    under_fire(&mut bench, &owner, &truth, 0).await;
    assert_eq!(bench.kills(), 0);
}

fn everybody() -> Truth {
    let truth = truth::first(usize::MAX);
    assert_eq!(truth.opted_in.len(), 7_143, "as the data's README says");
    truth
}

/// The owner of a new tenant.
pub(super) async fn owner(bench: &Bench) -> Api {
    let admin = story::administrator(&bench.plaza).await;
    story::tenant(&admin, "acme").await.owner
}

/// The same with the people of the file in it.
pub(super) async fn with_people(bench: &Bench, truth: &Truth) -> Api {
    let owner = owner(bench).await;
    let import = super::bench::upload(&owner, truth.file.clone()).await;
    story::until(&owner, &import, super::bench::imported).await;
    owner
}

/// Sends a campaign to the people of the file, kills so many times, and holds the end against the truth.
async fn under_fire(bench: &mut Bench, owner: &Api, truth: &Truth, kills: usize) {
    let campaign = draft(owner).await;
    let sending = Instant::now();
    owner.post_nothing(&format!("{campaign}/send")).await.ok();
    for (stage, more) in stages(kills) {
        let at = point(bench, stage, more, truth).await;
        bench.moment(40).await;
        let name = bench.kill().await;
        eprintln!(
            "{:>6.1} s  {name} killed at {stage:?} {at}",
            sending.elapsed().as_secs_f64()
        );
    }
    bench.plaza.joined().await;
    let outcome = outcome::of(bench, owner, &campaign, truth).await;
    eprintln!(
        "{} kills, {} messages, 0 lost, {} duplicates (at most {}); sent in {:.1} s of which somebody was away {:.1} s",
        bench.kills(),
        outcome.messages,
        outcome.duplicates,
        bench.in_doubt(),
        sending.elapsed().as_secs_f64(),
        bench.away.as_secs_f64(),
    );
}

/// A quarter while it is planned and queued, which goes side by side and fast, the others while it is sent; each with
/// how many more wait for the same.
fn stages(kills: usize) -> Vec<(Stage, u64)> {
    let (kills, early) = (kills as u64, kills as u64 / 4);
    let early_ones = (0..early).rev().map(|more| match more % 2 {
        0 => (Stage::Planned, more / 2),
        _ => (Stage::Queued, more / 2),
    });
    early_ones
        .chain((0..kills - early).rev().map(|more| (Stage::Accepted, more)))
        .collect()
}

/// Waits for a point between here and the end of a stage, early enough to leave room for those that come after it; a
/// stage that is over already is a kill just after a start.
async fn point(bench: &mut Bench, stage: Stage, more: u64, truth: &Truth) -> u64 {
    let superuser = bench.plaza.superuser().await;
    let end = match stage {
        Stage::Planned => truth.valid.len(),
        Stage::Queued | Stage::Accepted => truth.opted_in.len(),
    };
    let now = progress(bench, &superuser, stage).await;
    let at = now + bench.number(2 * (end as u64).saturating_sub(now) / (more + 2));
    let begun = Instant::now();
    loop {
        let now = progress(bench, &superuser, stage).await;
        if now >= at {
            return now;
        }
        assert!(
            begun.elapsed() < PATIENCE,
            "{stage:?} {at} is not reached, only {now}"
        );
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn progress(bench: &Bench, superuser: &Superuser, stage: Stage) -> u64 {
    match stage {
        Stage::Planned => superuser.number("SELECT count(*) FROM broadcast.plan").await,
        Stage::Queued => {
            superuser
                .number("SELECT count(*) FROM notification.messages")
                .await
        }
        Stage::Accepted => bench.counts().await["accepted"].as_u64().unwrap(),
    }
}
