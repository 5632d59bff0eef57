//! A Plaza that is killed over and over, and the peers that are not: the simulator and a person with curl.

use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::Value;

use crate::client::Api;
use crate::plaza::{Plaza, free_address};
use crate::simulator::SimulatorProcess;
use crate::story;

/// Messages of a sender that are with the provider at the same time: a crash leaves so many in doubt at the most.
pub(super) const IN_FLIGHT: usize = 8;

/// How long anything may take on a loaded machine before it counts as lost.
pub(super) const PATIENCE: Duration = Duration::from_secs(240);

/// How often the main campaign is killed: twenty times is what is promised. A longer run is asked for with
/// `PLAZA_TEST_KILLS=100`, and a shorter one while working on a test.
pub(super) fn kills() -> usize {
    #[expect(clippy::disallowed_methods, reason = "tests have no configuration file")]
    let asked = std::env::var("PLAZA_TEST_KILLS").ok();
    asked.map_or(20, |kills| kills.parse().expect("PLAZA_TEST_KILLS is a number"))
}

/// Dice that fall the same way again with the same `PLAZA_TEST_SEED`.
pub(super) fn dice() -> StdRng {
    #[expect(clippy::disallowed_methods, reason = "tests have no configuration file")]
    let asked = std::env::var("PLAZA_TEST_SEED").ok();
    let seed = asked.map_or_else(rand::random, |seed| {
        seed.parse().expect("PLAZA_TEST_SEED is a number")
    });
    eprintln!("kill points are drawn with PLAZA_TEST_SEED={seed}");
    StdRng::seed_from_u64(seed)
}

/// Whether the provider can tell what became of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Receipts {
    Arrive,
    Never,
}

/// Plaza, and a simulator that outlives it.
pub(super) struct Bench {
    pub(super) plaza: Plaza,
    pub(super) simulator: SimulatorProcess,
    pub(super) receipts: Receipts,
    pub(super) dice: StdRng,
    /// How often Plaza was killed, while it started too.
    pub(super) killed: usize,
    /// How long Plaza was away, all in all.
    pub(super) away: Duration,
}

impl Bench {
    /// Both, on addresses that stay. Without receipts nobody ever hears what became of a message.
    pub(super) async fn open(receipts: Receipts) -> Self {
        let public = free_address();
        // The platform signs and checks with it; nothing else knows it.
        let secret = "a secret of both";
        let quick = [("PLAZA_SIMULATOR__RETRY_LONGEST_MILLISECONDS", "1000")];
        // With receipts, ten thousand recipients take half a minute: long enough to be killed twenty times. Without
        // them, as many messages as may be are in flight whenever Plaza is killed.
        let (callbacks, rate) = match receipts {
            Receipts::Arrive => (public.clone(), 250),
            Receipts::Never => (free_address(), 0),
        };
        let callbacks = format!("http://{callbacks}/webhooks/meta");
        let simulator = SimulatorProcess::start(&callbacks, secret, 7, &quick).await;
        let plaza = Plaza::builder()
            .env("PLAZA_LISTEN", &public)
            .env("PLAZA_DEVELOPMENT__SIMULATOR_URL", simulator.url())
            .env("PLAZA_NOTIFICATION__WHATSAPP__APP_SECRET", secret)
            .env("PLAZA_NOTIFICATION__LEASE_MILLISECONDS", 2000)
            .env("PLAZA_NOTIFICATION__UNKNOWN_WAIT_MILLISECONDS", 3000)
            .env("PLAZA_NOTIFICATION__IN_FLIGHT", IN_FLIGHT)
            .env("PLAZA_NOTIFICATION__DEFAULT_RATE", rate)
            .env("PLAZA_BROADCAST__LEASE_SECONDS", 2)
            .env("PLAZA_BROADCAST__IMPORT_BATCH_ROWS", 200)
            .env("PLAZA_BROADCAST__PLANNER_BATCH", 200)
            .start()
            .await;
        Self {
            plaza,
            simulator,
            receipts,
            dice: dice(),
            killed: 0,
            away: Duration::ZERO,
        }
    }

    /// `kill -9`, and up again. Sometimes it does not get up at once: it is killed while it starts.
    pub(super) async fn kill(&mut self) {
        let begun = Instant::now();
        self.plaza.kill();
        self.killed += 1;
        if self.dice.random_ratio(1, 5) {
            self.plaza.spawn();
            self.moment(400).await;
            self.plaza.kill();
            self.killed += 1;
        }
        self.plaza.restart().await;
        self.away += begun.elapsed();
    }

    /// Waits a moment that nobody chose, up to this many milliseconds.
    pub(super) async fn moment(&mut self, most: u64) {
        let moment = self.number(most);
        tokio::time::sleep(Duration::from_millis(moment)).await;
    }

    /// A number up to `most`.
    pub(super) fn number(&mut self, most: u64) -> u64 {
        self.dice.random_range(0..=most)
    }

    /// So many numbers below `end`, in order.
    pub(super) fn points(&mut self, count: usize, end: u64) -> Vec<u64> {
        let mut points: Vec<u64> = (0..count).map(|_| self.dice.random_range(0..end)).collect();
        points.sort_unstable();
        points
    }
}

/// Uploads a file and waits until the import has begun; its path.
pub(super) async fn upload(owner: &Api, file: Vec<u8>) -> String {
    let taken = owner
        .upload("/api/v1/broadcast/recipients/import", "people.csv", file, None)
        .await;
    assert_eq!(taken.status, 202, "{}", taken.text());
    format!(
        "/api/v1/broadcast/imports/{}",
        taken.json()["id"].as_str().unwrap()
    )
}

/// Whether an import is over.
pub(super) fn imported(import: &Value) -> bool {
    assert_ne!(import["state"], "failed", "{import}");
    matches!(import["state"].as_str(), Some("done" | "done_with_errors"))
}

/// A draft to everybody who said yes; its path.
pub(super) async fn draft(owner: &Api) -> String {
    let template = story::template(owner).await;
    format!(
        "/api/v1/broadcast/campaigns/{}",
        story::campaign(owner, "Spring", &template).await
    )
}
