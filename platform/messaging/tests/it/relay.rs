//! The relay: order, back-off, parking, its lease.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use plaza_kernel::Kind;
use plaza_messaging::{
    Envelope, Messaging, MessagingSettings, Publish, Subscriptions, Taken, Transport, TransportError,
};
use plaza_testkit::eventually;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::carrier::PATIENCE;
use crate::ledger::{BookKeeper, Street, quick};

/// Notes what it takes, and refuses what it is told to.
#[derive(Default)]
struct Notebook {
    taken: Mutex<Vec<String>>,
    refused: Mutex<Vec<&'static str>>,
    refusals: Mutex<usize>,
    /// What it refuses it refuses because it is away.
    away: bool,
    /// Nobody listens to what it takes.
    deaf: bool,
}

impl Notebook {
    fn refusing(keys: &[&'static str]) -> Arc<Self> {
        Arc::new(Self {
            refused: Mutex::new(keys.to_vec()),
            ..Self::default()
        })
    }

    fn taken(&self) -> Vec<String> {
        self.taken.lock().unwrap().clone()
    }

    fn take(&self, envelope: &Envelope) -> Result<Taken, TransportError> {
        if self.refused.lock().unwrap().contains(&envelope.key.as_str()) {
            *self.refusals.lock().unwrap() += 1;
            return Err(if self.away {
                TransportError::away("nobody is there")
            } else {
                TransportError::refused("unroutable")
            });
        }
        self.taken.lock().unwrap().push(envelope.payload.clone());
        Ok(if self.deaf { Taken::Unheard } else { Taken::Kept })
    }
}

impl Transport for Notebook {
    fn publish<'a>(&'a self, batch: &'a [Envelope], _until: Instant) -> BoxFuture<'a, Publish> {
        async move { batch.iter().map(|envelope| self.take(envelope)).collect() }.boxed()
    }
}

fn body(key: &str, n: i64) -> String {
    format!(r#"{{"key":"{key}","n":{n}}}"#)
}

fn relaying(street: &Street, transport: Arc<dyn Transport>, settings: MessagingSettings) -> Messaging {
    let mut messaging = Messaging::over(transport, settings, street.clock.clone());
    messaging.host(street.shop.clone(), Subscriptions::new());
    messaging
}

#[tokio::test]
async fn a_refused_event_blocks_its_key_alone_and_keeps_its_order() {
    let street = Street::open().await;
    let tenant = street.tenant();
    for (key, n) in [("bad", 1), ("good", 1), ("bad", 2), ("good", 2)] {
        street.say(tenant, key, n).await;
    }
    let notebook = Notebook::refusing(&["bad"]);
    let settings = MessagingSettings {
        publications: 1_000,
        ..quick()
    };
    let messaging = relaying(&street, Arc::<Notebook>::clone(&notebook), settings);

    let refused = || *notebook.refusals.lock().unwrap();
    while refused() < 2 {
        assert!(messaging.drain(Duration::from_millis(50)).await.is_err());
    }
    assert_eq!(notebook.taken(), [body("good", 1), body("good", 2)]);

    notebook.refused.lock().unwrap().clear();
    messaging.drain(Duration::from_secs(20)).await.unwrap();
    assert_eq!(notebook.taken()[2..], [body("bad", 1), body("bad", 2)]);
}

/// Refuses the first message it ever sees, and takes what stands behind it although it may not.
#[derive(Default)]
struct Careless {
    notebook: Notebook,
    refused: AtomicBool,
}

impl Transport for Careless {
    fn publish<'a>(&'a self, batch: &'a [Envelope], _until: Instant) -> BoxFuture<'a, Publish> {
        let take = |envelope| match self.refused.swap(true, Ordering::SeqCst) {
            false => Err(TransportError::refused("unroutable")),
            true => self.notebook.take(envelope),
        };
        async move { batch.iter().map(take).collect() }.boxed()
    }
}

#[tokio::test]
async fn what_stands_behind_a_refused_event_is_offered_again_after_it() {
    let street = Street::open().await;
    let tenant = street.tenant();
    for n in 1..=3 {
        street.say(tenant, "a", n).await;
    }
    let careless = Arc::new(Careless::default());

    let messaging = relaying(&street, Arc::<Careless>::clone(&careless), quick());
    messaging.drain(Duration::from_secs(20)).await.unwrap();

    assert_eq!(
        careless.notebook.taken()[2..],
        [body("a", 1), body("a", 2), body("a", 3)]
    );
}

#[tokio::test]
async fn an_event_is_parked_after_its_publications_and_its_key_goes_on() {
    let street = Street::open().await;
    let tenant = street.tenant();
    street.say(tenant, "bad", 1).await;
    street.say(tenant, "good", 1).await;
    let notebook = Notebook::refusing(&["bad"]);
    let settings = MessagingSettings {
        publications: 3,
        ..quick()
    };
    let messaging = relaying(&street, Arc::<Notebook>::clone(&notebook), settings);

    messaging.drain(Duration::from_secs(20)).await.unwrap();

    assert_eq!(*notebook.refusals.lock().unwrap(), 3);
    assert_eq!(street.pending().await.0.parked, 1);
    notebook.refused.lock().unwrap().clear();
    street.say(tenant, "bad", 2).await;
    messaging.drain(Duration::from_secs(20)).await.unwrap();
    assert_eq!(notebook.taken(), [body("good", 1), body("bad", 2)]);
}

#[tokio::test]
async fn nothing_is_parked_while_the_transport_takes_nothing() {
    let street = Street::open().await;
    street.say(street.tenant(), "bad", 1).await;
    let notebook = Notebook::refusing(&["bad"]);
    let settings = MessagingSettings {
        publications: 2,
        ..quick()
    };
    let messaging = relaying(&street, Arc::<Notebook>::clone(&notebook), settings);

    let refused = || *notebook.refusals.lock().unwrap();
    while refused() < 3 {
        assert!(messaging.drain(Duration::from_millis(50)).await.is_err());
    }

    let (shop, _) = street.pending().await;
    assert_eq!((shop.outbox, shop.parked), (1, 0));
}

async fn attempts_and_parked(street: &Street) -> (i32, i64) {
    let sql = "SELECT max(attempts), count(parked_at) FROM shop.outbox";
    let row = street.rows(sql).await.remove(0);
    (row.get(0), row.get(1))
}

/// Relays a bad event for a while, to a transport that takes a good one in each round.
async fn relayed_in_vain(notebook: Notebook) -> (Street, Arc<Notebook>) {
    let street = Street::open().await;
    let tenant = street.tenant();
    let notebook = Arc::new(notebook);
    let settings = MessagingSettings {
        publications: 2,
        ..quick()
    };
    let messaging = relaying(&street, Arc::<Notebook>::clone(&notebook), settings);
    street.say(tenant, "bad", 1).await;
    for n in 0..5 {
        street.say(tenant, "good", n).await;
        let _ = messaging.drain(Duration::from_millis(50)).await;
    }
    (street, notebook)
}

#[tokio::test]
async fn a_transport_that_is_away_is_not_held_against_an_event() {
    let (street, notebook) = relayed_in_vain(Notebook {
        refused: Mutex::new(vec!["bad"]),
        away: true,
        ..Notebook::default()
    })
    .await;
    assert!(*notebook.refusals.lock().unwrap() > 2, "it is tried again");
    assert_eq!(notebook.taken().len(), 5, "others get through");
    assert_eq!(attempts_and_parked(&street).await, (0, 0));
}

#[tokio::test]
async fn what_nobody_hears_does_not_prove_that_the_transport_works() {
    let (street, notebook) = relayed_in_vain(Notebook {
        refused: Mutex::new(vec!["bad"]),
        deaf: true,
        ..Notebook::default()
    })
    .await;
    assert_eq!(notebook.taken().len(), 5, "it is taken and forgotten");
    let (attempts, parked) = attempts_and_parked(&street).await;
    assert!(attempts > 2, "the refusals count: {attempts}");
    assert_eq!(parked, 0);
}

/// Relays an event that the ledger cannot queue, for this reason, beside one that nobody hears.
async fn queued_in_vain(sqlstate: &str) -> (Street, (i32, i64)) {
    let street = Street::open().await;
    let tenant = street.tenant();
    let fault = format!(
        "CREATE FUNCTION ledger.fault() RETURNS trigger LANGUAGE plpgsql
             AS $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{sqlstate}'; END $$;
         CREATE TRIGGER fault BEFORE INSERT ON ledger.deliveries EXECUTE FUNCTION ledger.fault()"
    );
    street.run(&fault).await;
    street.say(tenant, "a", 1).await;
    let settings = MessagingSettings {
        publications: 2,
        ..quick()
    };
    let messaging = street.messaging(&BookKeeper::diligent(), settings);
    for n in 0..5 {
        street.say(tenant, "b", n).await;
        street
            .run("UPDATE shop.outbox SET name = 'shop.unheard' WHERE key = 'b'")
            .await;
        let _ = messaging.drain(Duration::from_millis(50)).await;
    }
    assert_eq!(street.pending().await.0.outbox, 1, "what nobody hears is gone");
    let before = attempts_and_parked(&street).await;
    street.run("DROP FUNCTION ledger.fault CASCADE").await;
    street.settle(&BookKeeper::diligent()).await;
    assert_eq!(street.booked().await, ["a 1"]);
    (street, before)
}

#[tokio::test]
async fn in_process_a_full_disk_is_not_held_against_an_event() {
    assert_eq!(queued_in_vain("53100").await.1, (0, 0));
}

#[tokio::test]
async fn in_process_what_nobody_hears_parks_nothing() {
    let (attempts, parked) = queued_in_vain("22000").await.1;
    assert!(attempts > 2, "the refusals count: {attempts}");
    assert_eq!(parked, 0);
}

#[tokio::test]
async fn who_does_not_hold_the_lease_reads_no_event() {
    let street = Street::open().await;
    street.say(street.tenant(), "a", 1).await;
    // Stored beside the row, so that the server's statistics show whether somebody read it; and
    // never vacuumed, which reads it too, whenever the server finds the time.
    let large = "ALTER TABLE shop.outbox SET (autovacuum_enabled = off, toast.autovacuum_enabled = off);
                 ALTER TABLE shop.outbox ALTER COLUMN payload SET STORAGE EXTERNAL;
                 UPDATE shop.outbox SET payload = repeat('x', 3 * 1024 * 1024);
                 INSERT INTO shop.leases (name, holder, epoch, until)
                 VALUES ('relay', gen_random_uuid(), 1, now() + interval '1 hour')
                     ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until";
    street.run(large).await;
    let notebook = Arc::new(Notebook::default());
    let messaging = relaying(&street, Arc::<Notebook>::clone(&notebook), quick());

    // The session that wrote the body has ended by then, and told what it read.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let before = blocks_read(&street).await;
    // Longer than a session keeps its statistics to itself.
    assert!(messaging.drain(Duration::from_millis(1_500)).await.is_err());

    let after = blocks_read(&street).await;
    assert!(after.0 > before.0, "or this test shows nothing");
    assert_eq!(after.1, before.1);
    assert!(notebook.taken().is_empty());
}

/// How often anybody looked at the rows of the outbox, and at large bodies beside them.
async fn blocks_read(street: &Street) -> (i64, i64) {
    let sql = "SELECT heap_blks_read + heap_blks_hit, toast_blks_read + toast_blks_hit
                 FROM pg_statio_all_tables WHERE schemaname = 'shop' AND relname = 'outbox'";
    let row = street.rows(sql).await.remove(0);
    (row.get(0), row.get(1))
}

#[tokio::test]
async fn a_batch_is_limited_by_its_bytes_too_and_loses_nothing() {
    let street = Street::open().await;
    let tenant = street.tenant();
    for n in 0..5 {
        street.say(tenant, &format!("k{n}"), n).await;
    }
    street
        .run("UPDATE shop.outbox SET payload = repeat('x', 3 * 1024 * 1024)")
        .await;
    let notebook = Arc::new(Notebook::default());

    let messaging = relaying(&street, Arc::<Notebook>::clone(&notebook), quick());
    messaging.drain(Duration::from_secs(20)).await.unwrap();

    assert_eq!(notebook.taken().len(), 5);
}

/// Waits in its first publication until it is let go.
#[derive(Default)]
struct Stalls {
    notebook: Notebook,
    entered: Notify,
    go_on: Notify,
}

impl Transport for Stalls {
    fn publish<'a>(&'a self, batch: &'a [Envelope], until: Instant) -> BoxFuture<'a, Publish> {
        async move {
            self.entered.notify_one();
            self.go_on.notified().await;
            self.notebook.publish(batch, until).await
        }
        .boxed()
    }
}

#[tokio::test]
async fn a_relay_that_lost_its_lease_stops_publishing() {
    let street = Street::open().await;
    street.say(street.tenant(), "a", 1).await;
    let stalls = Arc::new(Stalls::default());
    let settings = MessagingSettings {
        lease: Duration::from_millis(150),
        ..quick()
    };
    let messaging = relaying(&street, Arc::<Stalls>::clone(&stalls), settings);
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    messaging.start(&tasks, stop.clone());

    stalls.entered.notified().await;
    let stolen = "UPDATE shop.leases
                     SET holder = gen_random_uuid(), epoch = epoch + 1, until = now() + interval '1 hour'";
    street.run(stolen).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    stalls.go_on.notify_one();
    tokio::time::sleep(Duration::from_millis(200)).await;

    assert!(stalls.notebook.taken().is_empty(), "the lease had run out before");
    assert_eq!(
        street.pending().await.0.outbox,
        1,
        "the event waits for the new holder"
    );
    let until: bool = street
        .rows("SELECT until > now() + interval '50 minutes' FROM shop.leases")
        .await[0]
        .get(0);
    assert!(until, "the new holder's lease is untouched");
    stop.cancel();
    tasks.close();
    tasks.wait().await;
}

#[tokio::test]
async fn two_relays_never_publish_at_the_same_time() {
    let street = Street::open().await;
    let tenant = street.tenant();
    let stalls = Arc::new(Stalls::default());
    street.say(tenant, "a", 1).await;
    let settings = MessagingSettings {
        lease: Duration::from_secs(60),
        ..quick()
    };
    let first = relaying(&street, Arc::<Stalls>::clone(&stalls), settings.clone());
    let second = Arc::new(Notebook::default());
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    first.start(&tasks, stop.clone());
    stalls.entered.notified().await;

    let blocked = relaying(&street, Arc::<Notebook>::clone(&second), settings);
    assert!(blocked.drain(Duration::from_millis(100)).await.is_err());
    assert!(second.taken().is_empty());

    stalls.go_on.notify_one();
    eventually(PATIENCE, || async { street.pending().await.0.outbox == 0 }).await;
    street.say(tenant, "a", 2).await;
    // Whoever is first takes it: the lease of a finished round is free.
    stalls.go_on.notify_one();
    let _ = blocked.drain(Duration::from_secs(10)).await;
    eventually(PATIENCE, || async { street.pending().await.0.outbox == 0 }).await;
    let mut all = stalls.notebook.taken();
    all.extend(second.taken());
    assert_eq!(all, [body("a", 1), body("a", 2)]);
    stop.cancel();
    tasks.close();
    tasks.wait().await;
}

/// Has no room for what a campaign sends, and takes the rest.
#[derive(Default)]
struct Full {
    offered: AtomicUsize,
    taken: AtomicUsize,
}

impl Transport for Full {
    fn publish<'a>(&'a self, batch: &'a [Envelope], _until: Instant) -> BoxFuture<'a, Publish> {
        let take = |envelope: &Envelope| {
            if envelope.key.starts_with("campaign") {
                self.offered.fetch_add(1, Ordering::SeqCst);
                return Err(TransportError::new(Kind::Throttled, "a queue is full"));
            }
            self.taken.fetch_add(1, Ordering::SeqCst);
            Ok(Taken::Kept)
        };
        async move { batch.iter().map(take).collect() }.boxed()
    }
}

#[tokio::test]
async fn events_without_room_wait_longer_and_longer_and_let_others_of_their_tenant_by() {
    let street = Street::open().await;
    let tenant = street.tenant();
    // More than several pages hold, before the one that there is room for.
    street
        .run(&format!(
            "INSERT INTO shop.outbox (event_id, tenant_id, key, name, version, source, payload, created_at)
             SELECT gen_random_uuid(), '{tenant}', 'campaign ' || n, 'shop.counted', 1, 'shop', n, now()
               FROM generate_series(1, 100) n"
        ))
        .await;
    street.say(tenant, "other", 1).await;
    let full = Arc::new(Full::default());
    let settings = MessagingSettings {
        batch: 10,
        backoff: Duration::from_millis(50),
        ..quick()
    };
    let messaging = relaying(&street, Arc::<Full>::clone(&full), settings);
    let taken = || full.taken.load(Ordering::SeqCst);

    let began = Instant::now();
    while taken() == 0 && began.elapsed() < PATIENCE {
        let _ = messaging.drain(Duration::from_millis(20)).await;
    }

    assert_eq!(taken(), 1, "offered {:?}", full.offered);
    assert_eq!(
        attempts_and_parked(&street).await,
        (0, 0),
        "it says nothing about them"
    );
}
