//! A Plaza that is killed over and over, and the peers that are not: the simulator and a person with curl.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use serde_json::Value;

use crate::client::Api;
use crate::fleet::Fleet;
use crate::front::{Front, Running, Topology, WHOLE};
use crate::plaza::{Plaza, free_address};
use crate::simulator::SimulatorProcess;
use crate::story;

/// Messages of a sender that are with the provider at the same time: a crash leaves so many in doubt at the most.
pub(super) const IN_FLIGHT: usize = 8;

/// How long anything may take on a loaded machine before it counts as lost.
pub(super) const PATIENCE: Duration = Duration::from_secs(240);

/// Who has messages with the provider. Who else is killed leaves nothing in doubt.
pub(super) const SENDING: [&str; 3] = [WHOLE, "notification", "worker-notification"];

/// The platform and the simulator sign and check with it; nothing else knows it.
const SECRET: &str = "a secret of both";
/// The simulator repeats what is not taken soon.
const QUICK: (&str, &str) = ("PLAZA_SIMULATOR__RETRY_LONGEST_MILLISECONDS", "1000");

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

impl Receipts {
    /// How many messages a second. With receipts, ten thousand recipients take half a minute: long enough to be killed
    /// twenty times. (In pieces the others go on while one is away.) Without them, as many messages as may be are in
    /// flight whenever somebody is killed.
    fn rate(self, topology: Topology) -> u32 {
        match (self, topology) {
            (Self::Arrive, Topology::OneProcess) => 250,
            (Self::Arrive, Topology::Pieces) => 400,
            (Self::Never, _) => 0,
        }
    }
}

/// Plaza, and a simulator that outlives it.
pub(super) struct Bench {
    pub(super) plaza: Running,
    /// Beside one process; a fleet has its own.
    simulator: Option<SimulatorProcess>,
    pub(super) receipts: Receipts,
    pub(super) dice: StdRng,
    /// Who may be killed, and who of them has his turn still before him.
    targets: Vec<String>,
    turns: Vec<String>,
    /// How often each was killed, while it started too.
    pub(super) killed: BTreeMap<String, usize>,
    /// How long somebody was away, all in all.
    pub(super) away: Duration,
}

impl Bench {
    /// Both, on addresses that stay. Without receipts nobody ever hears what became of a message.
    pub(super) async fn open(topology: Topology, receipts: Receipts) -> Self {
        let (plaza, simulator) = match topology {
            Topology::OneProcess => whole(receipts).await,
            Topology::Pieces => (Running::Pieces(in_pieces(receipts).await), None),
        };
        Self {
            targets: plaza.names(),
            plaza,
            simulator,
            receipts,
            dice: dice(),
            turns: Vec::new(),
            killed: BTreeMap::new(),
            away: Duration::ZERO,
        }
    }

    /// Kills only those of them from now on that are there.
    pub(super) fn aim_at(&mut self, names: &[&str]) {
        let there = self.plaza.names();
        let aimed_at = there.into_iter().filter(|name| names.contains(&name.as_str()));
        self.targets = aimed_at.collect();
        assert!(!self.targets.is_empty(), "{names:?}");
        self.turns.clear();
    }

    /// `kill -9` of a process, and up again; who it was. Sometimes it does not get up at once: it is killed while it
    /// starts.
    pub(super) async fn kill(&mut self) -> String {
        let begun = Instant::now();
        let name = self.next();
        self.strike(&name);
        if self.dice.random_ratio(1, 5) {
            self.plaza.spawn(&name);
            self.moment(400).await;
            self.strike(&name);
        }
        self.plaza.restart(&name).await;
        self.away += begun.elapsed();
        name
    }

    /// Starts it again so that it dies when it comes by a place for the so-manieth time; or so that it lives. If it is
    /// alive, it is killed before. One process only.
    pub(super) fn arm(&mut self, crash: Option<(&str, u32)>) {
        if !self.has_crashed() {
            self.strike(WHOLE);
        }
        let Running::OneProcess(plaza) = &mut self.plaza else {
            panic!("which of them?");
        };
        let crash = crash.map(|(point, time)| format!("{point}:{time}"));
        plaza.set("PLAZA_CRASH", crash.as_deref());
        plaza.spawn();
    }

    /// Whether it has died at its place since it was started.
    pub(super) fn has_crashed(&mut self) -> bool {
        match &mut self.plaza {
            Running::OneProcess(plaza) => plaza.has_ended(),
            Running::Pieces(_) => false,
        }
    }

    /// Counts that it died by itself.
    pub(super) fn crashed(&mut self) {
        *self.killed.entry(WHOLE.to_owned()).or_default() += 1;
    }

    fn strike(&mut self, name: &str) {
        self.plaza.kill(name);
        *self.killed.entry(name.to_owned()).or_default() += 1;
    }

    /// Everybody has his turn, in an order that nobody chose, before somebody has another.
    fn next(&mut self) -> String {
        if self.turns.is_empty() {
            self.turns.clone_from(&self.targets);
            self.turns.shuffle(&mut self.dice);
        }
        self.turns.pop().unwrap()
    }

    /// How often somebody was killed.
    pub(super) fn kills(&self) -> usize {
        self.killed.values().sum()
    }

    /// How many messages may have gone out twice: those with the provider when whoever sends was killed.
    pub(super) fn in_doubt(&self) -> usize {
        let senders = SENDING.iter().filter_map(|name| self.killed.get(*name));
        senders.sum::<usize>() * IN_FLIGHT
    }

    /// The provider's side.
    pub(super) fn simulator(&self) -> Api {
        match &self.simulator {
            Some(simulator) => simulator.api(),
            None => self.plaza.simulator_api(),
        }
    }

    /// What the provider accepted, in numbers.
    pub(super) async fn counts(&self) -> Value {
        self.simulator().get("/_simulator/counts").await.ok()
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

/// Small batches and short leases: much to fall into, and soon taken up again.
fn settings(receipts: Receipts, topology: Topology) -> [(&'static str, String); 6] {
    let rate = receipts.rate(topology).to_string();
    [
        ("PLAZA_NOTIFICATION__UNKNOWN_WAIT_MILLISECONDS", "3000".to_owned()),
        ("PLAZA_NOTIFICATION__IN_FLIGHT", IN_FLIGHT.to_string()),
        ("PLAZA_NOTIFICATION__DEFAULT_RATE", rate),
        ("PLAZA_BROADCAST__LEASE_SECONDS", "2".to_owned()),
        ("PLAZA_BROADCAST__IMPORT_BATCH_ROWS", "200".to_owned()),
        ("PLAZA_BROADCAST__PLANNER_BATCH", "200".to_owned()),
    ]
}

async fn whole(receipts: Receipts) -> (Running, Option<SimulatorProcess>) {
    let public = free_address();
    let callbacks = match receipts {
        Receipts::Arrive => public.clone(),
        Receipts::Never => free_address(),
    };
    let callbacks = format!("http://{callbacks}/webhooks/meta");
    let simulator = SimulatorProcess::start(&callbacks, SECRET, 7, &[QUICK]).await;
    let mut plaza = Plaza::builder()
        .env("PLAZA_LISTEN", &public)
        .env("PLAZA_DEVELOPMENT__SIMULATOR_URL", simulator.url())
        .env("PLAZA_NOTIFICATION__WHATSAPP__APP_SECRET", SECRET)
        .env("PLAZA_NOTIFICATION__LEASE_MILLISECONDS", 2000);
    for (name, value) in settings(receipts, Topology::OneProcess) {
        plaza = plaza.env(name, value);
    }
    (Running::OneProcess(plaza.start().await), Some(simulator))
}

async fn in_pieces(receipts: Receipts) -> Fleet {
    // Nine processes share the machine: who is alive must not lose what it holds because it was not given the processor.
    let mut fleet = Fleet::builder()
        .simulated(QUICK.0, QUICK.1)
        .env("PLAZA_NOTIFICATION__LEASE_MILLISECONDS", 3000);
    for (name, value) in settings(receipts, Topology::Pieces) {
        fleet = fleet.env(name, value);
    }
    if receipts == Receipts::Never {
        fleet = fleet.receipts_to(&format!("http://{}/webhooks/meta", free_address()));
    }
    fleet.start().await
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
