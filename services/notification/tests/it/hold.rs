//! Who may claim for a sender, and when no more.

use std::time::Duration;

use chrono::TimeDelta;
use plaza_kernel::Clock;
use plaza_testkit::eventually;

use crate::meta::{Answer, Meta};
use crate::stage::{PATIENCE, Stage, campaign, people, quick};

/// After `change` nothing more leaves than was in flight.
async fn nothing_leaves_after(change: &str) {
    let meta = Meta::start(|_| Answer::Slow(30)).await;
    let stage = Stage::open(&meta.url, quick()).await;
    stage.queue(campaign(), &people(500)).await;
    stage.start();
    eventually(PATIENCE, || async { meta.asked().len() >= 20 }).await;
    stage.sql(change).await;
    tokio::time::sleep(Duration::from_millis(150)).await;
    let asked = meta.asked().len();
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert!(asked < 500, "the campaign was over too soon to tell");
    assert_eq!(meta.asked().len(), asked);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_lost_the_lease_claims_no_more() {
    nothing_leaves_after(
        "UPDATE notification.sender_leases SET holder = gen_random_uuid(), until = now() + interval '1 h'",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_that_is_paused_sends_no_more() {
    nothing_leaves_after("UPDATE notification.senders SET status = 'paused'").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_have_no_more_in_flight_than_one() {
    two_processes_have_no_more_in_flight(Clock::system()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_wrong_by_an_hour_takes_nobodys_lease() {
    for hours in [-1, 1] {
        let (clock, _) = Clock::manual(Clock::system().now() + TimeDelta::hours(hours));
        two_processes_have_no_more_in_flight(clock).await;
    }
}

async fn two_processes_have_no_more_in_flight(clock: Clock) {
    let meta = Meta::start(|_| Answer::Slow(40)).await;
    let stage = Stage::open(&meta.url, quick()).await;
    stage.queue(campaign(), &people(150)).await;
    let other = stage.another_process_with(clock);
    other.start(&stage.tasks, stage.stop.clone());
    stage.start();
    eventually(PATIENCE, || async {
        stage.states().await.get("accepted") == Some(&150)
    })
    .await;
    let asked = meta.asked();
    assert_eq!(asked.len(), 150);
    let together = |at: usize| {
        let until = asked[at].at + Duration::from_millis(40);
        asked[at..].iter().take_while(|one| one.at < until).count()
    };
    let most = (0..asked.len()).map(together).max().unwrap();
    assert!(most <= stage.config.in_flight, "{most} at a time");
}
