//! The place of the kills: a database, a broker of its own, and the processes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs::File;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use plaza_kernel::{Clock, TenantId};
use plaza_messaging::DeadLetters;
use plaza_testkit::rabbitmq::Broker;
use plaza_testkit::{TestDatabase, eventually};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use secrecy::{ExposeSecret as _, SecretString};
use tempfile::TempDir;

use super::child;
use crate::carrier::client;
use crate::ledger::{LEDGER, SHOP};

const KEYS: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];
const ROLES: [&str; 3] = ["application", "relay", "consumer"];
/// For one step; a broker takes long to start beside other builds.
const LONG: Duration = Duration::from_secs(300);

/// A number of the environment.
pub(super) fn asked(name: &str, usual: u64) -> u64 {
    #[expect(clippy::disallowed_methods, reason = "tests have no configuration file")]
    let value = std::env::var(name).ok();
    value.map_or(usual, |value| value.parse().unwrap())
}

/// What can be killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Victim {
    Process(&'static str),
    Broker,
}

pub(super) struct Site {
    database: TestDatabase,
    broker: Broker,
    url: SecretString,
    folder: TempDir,
    tenant: TenantId,
    /// The last number of each key.
    last: u64,
    children: BTreeMap<&'static str, Child>,
    starts: u32,
    dice: StdRng,
}

impl Site {
    /// Starts everything, for this many transactions.
    pub(super) async fn open(transactions: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (schemas, place) = (child::counting(), folder.path().join("broker"));
        let (database, broker) = tokio::join!(TestDatabase::fresh(&schemas), Broker::start(&place));
        let broker = broker.unwrap();
        let seed = asked("PLAZA_TEST_SEED", rand::random());
        println!("PLAZA_TEST_SEED={seed}");
        let mut site = Self {
            database,
            url: broker.url(),
            broker,
            folder,
            tenant: TenantId::generate(&Clock::system()),
            last: transactions.div_ceil(KEYS.len() as u64),
            children: BTreeMap::new(),
            starts: 0,
            dice: StdRng::seed_from_u64(seed),
        };
        for role in ROLES {
            site.start(role);
        }
        eventually(LONG, || async { site.booked().await > 0 }).await;
        tokio::time::sleep(Broker::WRITTEN_DOWN).await;
        site
    }

    /// How many transactions there will be.
    pub(super) fn all(&self) -> u64 {
        self.last * KEYS.len() as u64
    }

    fn start(&mut self, role: &'static str) {
        self.starts += 1;
        let database = self.database.settings();
        let log = self.folder.path().join(format!("{role}-{}", self.starts));
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args([child::NAME, "--exact", "--ignored", "--nocapture"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(File::create(log).unwrap());
        for (name, value) in [
            ("ROLE", role),
            ("DATABASE", database.url.expose_secret()),
            ("ROLE_KEY", database.role_key.expose_secret()),
            ("BROKER", self.url.expose_secret()),
            ("TENANT", &self.tenant.to_string()),
            ("KEYS", &KEYS.join(",")),
            ("LAST", &self.last.to_string()),
        ] {
            command.env(format!("PLAZA_TEST_CHILD_{name}"), value);
        }
        self.children.insert(role, command.spawn().unwrap());
    }

    /// One of the processes, by chance.
    pub(super) fn process(&mut self) -> Victim {
        Victim::Process(ROLES[self.dice.random_range(0..ROLES.len())])
    }

    /// Kills somebody once this much is done, and starts it again.
    pub(super) async fn kill_at(&mut self, progress: u64, victim: Victim) {
        // A message that is at its reader when that dies has one delivery less: it gets on before the next one dies.
        let before = self.booked().await;
        eventually(LONG, || async {
            let (booked, committed) = (self.booked().await, self.committed().await);
            let gets_on = booked > before || booked >= self.all();
            gets_on && u64::midpoint(booked, committed) >= progress
        })
        .await;
        match victim {
            Victim::Process(role) => {
                self.end(role);
                self.start(role);
            }
            Victim::Broker => {
                self.broker.kill().await.unwrap();
                self.broker.start_again().await.unwrap();
            }
        }
    }

    fn end(&mut self, role: &str) {
        let mut child = self.children.remove(role).unwrap();
        // The application may have come to its end.
        let ended = child.try_wait().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let in_order = ended.is_none_or(|status| status.success());
        assert!(in_order, "{role} ended by itself: {ended:?}\n{}", self.logs());
    }

    fn logs(&self) -> String {
        let files = std::fs::read_dir(self.folder.path()).unwrap();
        let texts = files.filter_map(|file| std::fs::read_to_string(file.unwrap().path()).ok());
        texts.filter(|text| text.contains("panicked")).collect()
    }

    async fn number(&self, sql: &str) -> u64 {
        let row = self.database.admin().await.query_one(sql, &[]).await.unwrap();
        u64::try_from(row.get::<_, i64>(0)).unwrap()
    }

    async fn committed(&self) -> u64 {
        self.number("SELECT coalesce(sum(n), 0)::bigint FROM shop.counters")
            .await
    }

    async fn booked(&self) -> u64 {
        self.number("SELECT count(*) FROM ledger.entries").await
    }

    /// Waits until all is done; then every number of every key has been booked once, in order.
    pub(super) async fn everything_is_true(mut self) {
        let all = self.all();
        eventually(LONG, || async { self.booked().await >= all }).await;
        // A repetition that is still on its way comes before the one more that every key gets now.
        eventually(LONG, || async {
            self.number("SELECT count(*) FROM shop.outbox").await == 0
        })
        .await;
        self.end("application");
        self.last += 1;
        self.start("application");
        let last = format!("SELECT count(*) FROM ledger.entries WHERE n = {}", self.last);
        eventually(LONG, || async { self.number(&last).await >= KEYS.len() as u64 }).await;

        assert_eq!(
            (self.committed().await, self.booked().await),
            (self.all(), self.all())
        );
        for key in KEYS {
            let sql = "SELECT n FROM ledger.entries WHERE key = $1 ORDER BY id";
            let rows = self.database.admin().await.query(sql, &[&key]).await.unwrap();
            let booked = rows
                .iter()
                .map(|row| u64::try_from(row.get::<_, i64>(0)).unwrap());
            let booked: Vec<u64> = booked.collect();
            assert!(booked.iter().copied().eq(1..=self.last), "{key}: {booked:?}");
        }
        let databases = [SHOP, LEDGER].map(|service| self.database.of(service)).to_vec();
        let letters = DeadLetters::new(databases, Some(client(&self.url, &child::settings())));
        assert_eq!(letters.list(None, 10).await.unwrap(), []);
        for role in ROLES {
            self.end(role);
        }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        for child in self.children.values_mut() {
            child.kill().ok();
            child.wait().ok();
        }
        if std::thread::panicking() {
            eprintln!("{}", self.logs());
        }
    }
}
