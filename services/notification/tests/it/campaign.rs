//! Whole campaigns against the simulator.

use std::time::{Duration, Instant};

use plaza_contracts::services::NOTIFICATION;
use plaza_simulator::{Counts, Simulator, SimulatorSettings};
use plaza_testkit::{assert_nothing_unhandled, eventually};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::stage::{PATIENCE, Stage, campaign, people, quick};

/// Receipts that come soon, some of them twice or swapped.
fn lively() -> SimulatorSettings {
    SimulatorSettings {
        delay_milliseconds: [1, 30],
        duplicate_rate: 0.2,
        reorder_rate: 0.2,
        retry_first_milliseconds: 20,
        ..SimulatorSettings::default()
    }
}

async fn all_reported(simulator: &Simulator) -> Counts {
    eventually(PATIENCE, || async { simulator.counts().callbacks.pending == 0 }).await;
    simulator.counts()
}

/// What the simulator says it reported is what we say became of the messages.
async fn assert_same_sums(stage: &Stage, counts: &Counts) {
    let states = stage.states().await;
    let of = |state: &str| u64::try_from(states.get(state).copied().unwrap_or_default()).unwrap();
    let ours = [of("sent"), of("delivered"), of("read"), of("failed")];
    let told = &counts.messages;
    assert_eq!(
        ours,
        [told.sent, told.delivered, told.read, told.failed],
        "{states:?} {counts:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_is_sent_to_once_and_all_sums_are_equal() {
    let (stage, simulator) = Stage::with_simulator(quick(), lively()).await;
    let campaign = campaign();
    stage.queue(campaign, &people(500)).await;
    let began = Instant::now();
    stage.start();
    stage.until_all_told().await;
    println!("500 messages told of after {:?}", began.elapsed());
    let counts = all_reported(&simulator).await;
    assert_eq!(
        (counts.accepted, counts.unique_references, counts.duplicates),
        (500, 500, 0)
    );
    assert_same_sums(&stage, &counts).await;
    eventually(PATIENCE, || async { !stage.outbox().await.is_empty() }).await;
    let settled = &stage.outbox().await[0];
    assert_eq!(settled["source"], format!("campaign:{campaign}"));
    let sum: u64 = settled["by_state"]
        .as_object()
        .unwrap()
        .values()
        .map(|count| count.as_u64().unwrap())
        .sum();
    assert_eq!(sum, 500);
    stage.settle().await;
    assert_nothing_unhandled(&stage.database.of(NOTIFICATION)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passing_faults_and_answers_that_are_lost_cost_nobody_a_message() {
    let settings = SimulatorSettings {
        transient_rate: 0.1,
        unanswered_rate: 0.05,
        transient_attempts: 1,
        ..lively()
    };
    let (stage, simulator) = Stage::with_simulator(quick(), settings).await;
    stage.queue(campaign(), &people(200)).await;
    stage.start();
    stage.until_all_told().await;
    let counts = all_reported(&simulator).await;
    assert_eq!(counts.unique_references, 200);
    assert_eq!(
        counts.duplicates, 0,
        "receipts resolve what was accepted without an answer"
    );
    assert_same_sums(&stage, &counts).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_share_the_work_without_a_duplicate() {
    let (stage, simulator) = Stage::with_simulator(quick(), lively()).await;
    stage.another_process().start(&stage.tasks, stage.stop.clone());
    stage.start();
    for part in people(300).chunks(100) {
        stage.queue(campaign(), part).await;
    }
    stage.until_all_told().await;
    let counts = all_reported(&simulator).await;
    assert_eq!((counts.unique_references, counts.duplicates), (300, 0));
    let leases = "SELECT count(*) FROM notification.sender_leases";
    eventually(PATIENCE, || async {
        let row = stage.database.admin().await.query_one(leases, &[]).await.unwrap();
        row.get::<_, i64>(0) == 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_writes_down_what_is_in_flight() {
    let settings = SimulatorSettings {
        answer_milliseconds: [100, 100],
        delay_milliseconds: [60_000, 60_000],
        ..lively()
    };
    let (stage, simulator) = Stage::with_simulator(quick(), settings).await;
    stage.queue(campaign(), &people(200)).await;
    // The provider goes on: a request that it never took in would be one whose outcome is not known.
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    stage.notification.start(&tasks, stop.clone());
    eventually(PATIENCE, || async { simulator.counts().accepted >= 20 }).await;
    stop.cancel();
    tasks.close();
    tokio::time::timeout(Duration::from_secs(10), tasks.wait())
        .await
        .unwrap();
    let states = stage.states().await;
    let accepted = u64::try_from(states["accepted"]).unwrap();
    assert_eq!(accepted, simulator.counts().accepted, "{states:?}");
    assert!(
        !states.contains_key("leased") && !states.contains_key("unknown"),
        "{states:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_goes_away_for_a_moment_costs_no_duplicate() {
    // No receipt comes to the help: what is not written down would be sent again.
    let settings = SimulatorSettings {
        answer_milliseconds: [20, 40],
        delay_milliseconds: [600_000, 600_000],
        ..lively()
    };
    let mut config = quick();
    config.lease_milliseconds = 1_000;
    config.unknown_wait_milliseconds = 2_000;
    let (stage, simulator) = Stage::with_simulator(config, settings).await;
    stage.queue(campaign(), &people(300)).await;
    stage.start();
    for accepted in [30, 90, 150] {
        eventually(PATIENCE, || async { simulator.counts().accepted >= accepted }).await;
        // While nobody gets at the messages, answers come in; then everybody who waits with one is cut off.
        let cut = "BEGIN; LOCK TABLE notification.messages; SELECT pg_sleep(0.2);
                   SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                    WHERE datname = current_database() AND pid <> pg_backend_pid();
                   SELECT pg_sleep(0.1); COMMIT";
        stage.sql(cut).await;
    }
    eventually(PATIENCE, || async {
        stage.states().await.get("accepted") == Some(&300)
    })
    .await;
    let counts = simulator.counts();
    assert_eq!((counts.unique_references, counts.duplicates), (300, 0));
}
