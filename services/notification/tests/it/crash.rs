//! What a crash at any line costs: nothing, but for a bounded number of messages that are sent twice.

use std::time::Duration;

use plaza_simulator::{Counts, SimulatorSettings};
use plaza_testkit::eventually;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::stage::{PATIENCE, Stage, campaign, people, quick};

/// A process of its own, as far as tasks, connections and memory go; killed without a word.
struct Process(Option<tokio::runtime::Runtime>);

impl Process {
    fn start(stage: &Stage) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let guard = runtime.enter();
        stage
            .another_process()
            .start(&TaskTracker::new(), CancellationToken::new());
        drop(guard);
        Self(Some(runtime))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

const KILLS: u64 = 6;
const PEOPLE: usize = 400;

/// A campaign whose process is killed again and again, with receipts that come after so many milliseconds.
async fn campaign_under_kills(receipts: [u64; 2]) -> Counts {
    let mut config = quick();
    config.lease_milliseconds = 300;
    let settings = SimulatorSettings {
        answer_milliseconds: [5, 60],
        delay_milliseconds: receipts,
        retry_first_milliseconds: 20,
        ..SimulatorSettings::default()
    };
    let (stage, simulator) = Stage::with_simulator(config, settings).await;
    stage.queue(campaign(), &people(PEOPLE)).await;
    for kill in 0..KILLS {
        let before = simulator.counts().accepted;
        let process = Process::start(&stage);
        eventually(PATIENCE, || async { simulator.counts().accepted > before }).await;
        tokio::time::sleep(Duration::from_millis(20 + 37 * kill)).await;
        drop(process);
    }
    let _last = Process::start(&stage);
    stage.until_all_told().await;
    let counts = simulator.counts();
    let told: i64 = stage.states().await.values().sum();
    assert_eq!(told, PEOPLE as i64);
    assert_eq!(counts.unique_references, PEOPLE as u64, "nobody is lost");
    counts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_lose_nobody() {
    let counts = campaign_under_kills([1, 50]).await;
    println!("{} duplicates after {KILLS} kills", counts.duplicates);
    assert!(
        counts.duplicates <= KILLS * quick().in_flight as u64,
        "{}",
        counts.duplicates
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_without_receipts_in_time_repeat_no_more_than_was_in_flight() {
    let mut duplicates = 0;
    // Whether a kill comes between an answer and what is written down of it is chance.
    for _ in 0..5 {
        let counts = campaign_under_kills([5_000, 5_000]).await;
        println!(
            "{} duplicates after {KILLS} kills without receipts",
            counts.duplicates
        );
        assert!(
            counts.duplicates <= KILLS * quick().in_flight as u64,
            "{}",
            counts.duplicates
        );
        duplicates = counts.duplicates;
        if duplicates > 0 {
            break;
        }
    }
    assert!(duplicates > 0, "or this test shows nothing");
}
