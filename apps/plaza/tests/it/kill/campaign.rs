//! A campaign whose Plaza is killed while it is planned, queued and sent.

use std::time::{Duration, Instant};

use super::bench::{Bench, IN_FLIGHT, PATIENCE, Receipts, draft, kills};
use super::outcome;
use super::truth::{self, Truth};
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
    let truth = truth::first(usize::MAX);
    assert_eq!(truth.opted_in.len(), 7_143, "as the data's README says");
    let bench = under_fire(Receipts::Arrive, &truth, kills()).await;
    assert!(bench.killed >= kills());
}

/// What was with the provider when Plaza died is in doubt, and nothing ever resolves it: it is sent again, and nothing
/// else is.
#[tokio::test]
async fn without_receipts_only_what_was_in_flight_goes_out_twice() {
    under_fire(Receipts::Never, &truth::first(2_800), kills().min(8)).await;
}

#[tokio::test]
async fn without_a_kill_nobody_is_written_to_twice() {
    let bench = under_fire(Receipts::Arrive, &truth::first(1_400), 0).await;
    assert_eq!(bench.killed, 0);
}

/// Sends a campaign to the people of the file, kills Plaza so many times, and holds the end against the truth.
async fn under_fire(receipts: Receipts, truth: &Truth, kills: usize) -> Bench {
    let begun = Instant::now();
    let mut bench = Bench::open(receipts).await;
    let owner = outcome::people(&bench, truth).await;
    let campaign = draft(&owner).await;
    let sending = Instant::now();
    owner.post_nothing(&format!("{campaign}/send")).await.ok();
    for (stage, more) in stages(kills) {
        let at = point(&mut bench, stage, more, truth).await;
        bench.moment(40).await;
        bench.kill().await;
        eprintln!(
            "{:>6.1} s  killed at {stage:?} {at}",
            sending.elapsed().as_secs_f64()
        );
    }
    let outcome = outcome::of(&bench, &owner, &campaign, truth).await;
    eprintln!(
        "{} kills, {} messages, 0 lost, {} duplicates (at most {}); sent in {:.1} s of which Plaza was away {:.1} s; \
         whole test {:.1} s",
        bench.killed,
        outcome.messages,
        outcome.duplicates,
        bench.killed * IN_FLIGHT,
        sending.elapsed().as_secs_f64(),
        bench.away.as_secs_f64(),
        begun.elapsed().as_secs_f64(),
    );
    bench
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
    let superuser = Superuser::of(&bench.plaza).await;
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
        Stage::Accepted => bench.simulator.counts().await["accepted"].as_u64().unwrap(),
    }
}
