//! Two small services to test with: a shop that says what it counted, and a ledger that books it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use plaza_database::{Database, Migration, Schema, TenantTx, statements};
use plaza_kernel::{Clock, Event, EventId, OrderKey, ServiceName, TenantId};
use plaza_messaging::{
    Consumer, Messaging, MessagingSettings, Pending, Subscriptions, Unconsumed, outbox, pending,
};
use plaza_testkit::TestDatabase;
use serde::{Deserialize, Serialize};

pub(crate) const SHOP: ServiceName = ServiceName::new("shop");
pub(crate) const LEDGER: ServiceName = ServiceName::new("ledger");

const ENTRIES: Migration = Migration {
    name: "V20261120093000__entries",
    sql: "CREATE TABLE ledger.entries (
              tenant_id uuid NOT NULL,
              id bigint GENERATED ALWAYS AS IDENTITY,
              key text NOT NULL,
              n bigint NOT NULL,
              PRIMARY KEY (tenant_id, id));
          SELECT plaza.tenant_table('ledger.entries');",
};

pub(crate) fn schemas() -> [Schema; 2] {
    [
        Schema::new(SHOP, &[]).with(plaza_messaging::migrations()),
        Schema::new(LEDGER, &[ENTRIES]).with(plaza_messaging::migrations()),
    ]
}

statements! {
    static BOOK: (TenantId, String, i64) => () =
        "INSERT INTO ledger.entries (tenant_id, key, n) VALUES ($1, $2, $3)";
    static ENTRIES_SEEN: () => (i64,) = "SELECT count(*) FROM ledger.entries";
}

/// The shop counted something.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Counted {
    pub(crate) key: String,
    pub(crate) n: i64,
}

impl Event for Counted {
    const NAME: &'static str = "shop.counted";

    fn order_key(&self) -> OrderKey {
        OrderKey::new(self.key.clone())
    }
}

/// How the ledger behaves when it hears of a number.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Mood {
    Books,
    Fails,
    Refuses,
    Panics,
    Hangs,
}

/// Books what was counted, unless its mood is another. The entry is written before the mood shows, so that a test
/// sees whether the transaction was rolled back.
#[derive(Clone)]
pub(crate) struct BookKeeper {
    mood: Arc<dyn Fn(&Counted) -> Mood + Send + Sync>,
    pub(crate) asked: Arc<AtomicUsize>,
    pub(crate) entries_seen: Arc<Mutex<Vec<i64>>>,
}

impl BookKeeper {
    pub(crate) fn new(mood: impl Fn(&Counted) -> Mood + Send + Sync + 'static) -> Self {
        Self {
            mood: Arc::new(mood),
            asked: Arc::default(),
            entries_seen: Arc::default(),
        }
    }

    pub(crate) fn diligent() -> Self {
        Self::new(|_| Mood::Books)
    }

    pub(crate) fn times_asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Consumer for BookKeeper {
    type Event = Counted;
    const NAME: &'static str = "ledger.book";

    async fn consume(&self, tx: &TenantTx, event: &Counted) -> Result<(), Unconsumed> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        tx.execute(&BOOK, (tx.tenant(), event.key.clone(), event.n))
            .await
            .map_err(Unconsumed::retry)?;
        let (seen,) = tx.one(&ENTRIES_SEEN, ()).await.map_err(Unconsumed::retry)?;
        self.entries_seen.lock().unwrap().push(seen);
        match (self.mood)(event) {
            Mood::Books => Ok(()),
            Mood::Fails => Err(Unconsumed::retry("the pen is empty")),
            Mood::Refuses => Err(Unconsumed::permanent("not a number for this ledger")),
            Mood::Panics => panic!("the ledger fell into the river"),
            Mood::Hangs => std::future::pending().await,
        }
    }
}

/// Settings in milliseconds.
pub(crate) fn quick() -> MessagingSettings {
    MessagingSettings {
        poll: Duration::from_millis(10),
        delays: [1, 2, 3, 4].map(Duration::from_millis).to_vec(),
        // What is claimed again before its consumer was asked counts as a delivery: a busy machine may pause for long.
        lease: Duration::from_secs(2),
        backoff: Duration::from_millis(1),
        ..MessagingSettings::default()
    }
}

/// Shop and ledger on a database of their own.
pub(crate) struct Street {
    pub(crate) database: TestDatabase,
    pub(crate) shop: Database,
    pub(crate) ledger: Database,
    pub(crate) clock: Clock,
}

impl Street {
    pub(crate) async fn open() -> Self {
        let database = TestDatabase::fresh(&schemas()).await;
        let (shop, ledger) = (database.of(SHOP), database.of(LEDGER));
        Self {
            database,
            shop,
            ledger,
            clock: Clock::system(),
        }
    }

    pub(crate) fn tenant(&self) -> TenantId {
        TenantId::generate(&self.clock)
    }

    /// The messaging of a process that hosts both.
    pub(crate) fn messaging(&self, keeper: &BookKeeper, settings: MessagingSettings) -> Messaging {
        let mut messaging = Messaging::in_process(settings, self.clock.clone());
        messaging.host(self.shop.clone(), Subscriptions::new());
        messaging.host(self.ledger.clone(), Subscriptions::new().with(keeper.clone()));
        messaging
    }

    /// Runs messaging until nothing is pending.
    pub(crate) async fn settle(&self, keeper: &BookKeeper) {
        self.messaging(keeper, quick())
            .drain(Duration::from_secs(60))
            .await
            .unwrap();
    }

    pub(crate) async fn say(&self, tenant: TenantId, key: &str, n: i64) -> EventId {
        let tx = self.shop.begin(tenant);
        let id = outbox::append(
            &tx,
            &self.clock,
            &Counted {
                key: key.to_owned(),
                n,
            },
        )
        .await
        .unwrap();
        tx.commit().await.unwrap();
        id
    }

    /// What was booked, as `key n`, in the order in which it was booked.
    pub(crate) async fn booked(&self) -> Vec<String> {
        let rows = self
            .rows("SELECT key || ' ' || n FROM ledger.entries ORDER BY id")
            .await;
        rows.into_iter().map(|row| row.get(0)).collect()
    }

    pub(crate) async fn pending(&self) -> (Pending, Pending) {
        (
            pending(&self.shop).await.unwrap(),
            pending(&self.ledger).await.unwrap(),
        )
    }

    pub(crate) async fn rows(&self, sql: &str) -> Vec<tokio_postgres::Row> {
        self.database.admin().await.query(sql, &[]).await.unwrap()
    }

    pub(crate) async fn run(&self, sql: &str) {
        self.database.admin().await.batch_execute(sql).await.unwrap();
    }
}
