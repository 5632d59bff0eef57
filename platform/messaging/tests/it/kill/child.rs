//! What a process that is to be killed does, by its role.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Read as _;
use std::time::Duration;

use futures_util::future::join_all;
use plaza_database::{Database, DatabaseSettings, Databases, Login, Migration, Schema, TenantTx, statements};
use plaza_kernel::{Clock, TenantId};
use plaza_messaging::{Consumer, Messaging, MessagingSettings, Subscriptions, Unconsumed, outbox};
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::carrier::client;
use crate::ledger::{Counted, LEDGER, SHOP, quick, schemas};

/// This test, run alone, is the child.
pub(super) const NAME: &str = "kill::child::works_until_it_is_killed";
/// Transactions of a key that are rolled back: each of this many.
const ROLLED_BACK: u64 = 7;

const COUNTERS: Migration = Migration {
    name: "V20261121090000__counters",
    sql: "CREATE TABLE shop.counters (
              tenant_id uuid NOT NULL,
              key text NOT NULL,
              n bigint NOT NULL,
              PRIMARY KEY (tenant_id, key));
          SELECT plaza.tenant_table('shop.counters');",
};

statements! {
    /// The next number of a key; no row if that was all.
    static COUNT: (TenantId, String, i64) => (i64,) =
        "INSERT INTO shop.counters (tenant_id, key, n) VALUES ($1, $2, 1)
         ON CONFLICT (tenant_id, key) DO UPDATE SET n = counters.n + 1 WHERE counters.n < $3
         RETURNING n";
    static BOOK: (TenantId, String, i64) => () =
        "INSERT INTO ledger.entries (tenant_id, key, n) VALUES ($1, $2, $3)";
}

/// Shop and ledger, the shop with its counters.
pub(super) fn counting() -> [Schema; 2] {
    let [_, ledger] = schemas();
    [
        Schema::new(SHOP, &[COUNTERS]).with(plaza_messaging::migrations()),
        ledger,
    ]
}

/// Settings of all processes. Their leases outlast a pause of a busy machine, and not a death by much.
pub(super) fn settings() -> MessagingSettings {
    MessagingSettings {
        lease: Duration::from_secs(1),
        ..quick()
    }
}

/// Books without asking anything.
struct Booker;

impl Consumer for Booker {
    type Event = Counted;
    const NAME: &'static str = "ledger.book";

    async fn consume(&self, tx: &TenantTx, event: &Counted) -> Result<(), Unconsumed> {
        let entry = (tx.tenant(), event.key.clone(), event.n);
        tx.execute(&BOOK, entry)
            .await
            .map(drop)
            .map_err(Unconsumed::retry)
    }
}

fn told(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "tests have no configuration file")]
    std::env::var(format!("PLAZA_TEST_CHILD_{name}")).ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a process of the kill tests"]
async fn works_until_it_is_killed() {
    let Some(role) = told("ROLE") else { return };
    // The test holds the other end: without it nobody would end this process.
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(3);
    });
    let secret = |name| SecretString::from(told(name).unwrap());
    let databases = Databases::new(DatabaseSettings {
        url: secret("DATABASE"),
        role_key: secret("ROLE_KEY"),
        shared: 1,
        exclusive: 4,
        system: 2,
    });
    let of = |service| databases.as_ref().unwrap().of(service, Login::default()).unwrap();
    match role.as_str() {
        "application" => commit(&of(SHOP)).await,
        "relay" => carry(of(SHOP), Subscriptions::new(), &secret("BROKER")).await,
        "consumer" => carry(of(LEDGER), Subscriptions::new().with(Booker), &secret("BROKER")).await,
        other => panic!("no such role: {other}"),
    }
}

/// Commits events until every key is at its end.
async fn commit(shop: &Database) {
    let tenant: TenantId = told("TENANT").unwrap().parse().unwrap();
    let (keys, last) = (told("KEYS").unwrap(), told("LAST").unwrap().parse().unwrap());
    join_all(keys.split(',').map(|key| commit_key(shop, tenant, key, last))).await;
}

async fn commit_key(shop: &Database, tenant: TenantId, key: &str, last: i64) {
    let clock = Clock::system();
    for turn in 1_u64.. {
        let tx = shop.begin(tenant);
        let next = tx.optional(&COUNT, (tenant, key.to_owned(), last)).await.unwrap();
        let Some((n,)) = next else { return };
        let event = Counted {
            key: key.to_owned(),
            n,
        };
        outbox::append(&tx, &clock, &event).await.unwrap();
        if turn % ROLLED_BACK == 0 {
            // Its event must never be heard of: the same number comes again.
            drop(tx);
        } else {
            tx.commit().await.unwrap();
        }
    }
}

async fn carry(database: Database, subscriptions: Subscriptions, broker: &SecretString) {
    let broker = client(broker, &settings());
    let mut messaging = Messaging::over_rabbitmq(broker, settings(), Clock::system());
    messaging.host(database, subscriptions);
    messaging.start(&TaskTracker::new(), CancellationToken::new());
    std::future::pending::<()>().await;
}
