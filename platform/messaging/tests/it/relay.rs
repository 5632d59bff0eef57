//! The relay: order, back-off, parking, its lease.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use plaza_messaging::{
    Envelope, Messaging, MessagingSettings, Publish, Subscriptions, Transport, TransportError,
};
use plaza_testkit::eventually;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::ledger::{Street, quick};

/// Notes what it takes, and refuses what it is told to.
#[derive(Default)]
struct Notebook {
    taken: Mutex<Vec<String>>,
    refused: Mutex<Vec<&'static str>>,
    refusals: Mutex<usize>,
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

    fn take(&self, envelope: &Envelope) -> Result<(), TransportError> {
        if self.refused.lock().unwrap().contains(&envelope.key.as_str()) {
            *self.refusals.lock().unwrap() += 1;
            return Err(TransportError("unroutable".into()));
        }
        self.taken.lock().unwrap().push(envelope.payload.clone());
        Ok(())
    }
}

impl Transport for Notebook {
    fn publish<'a>(&'a self, batch: &'a [Envelope]) -> BoxFuture<'a, Publish> {
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

    assert!(messaging.drain(Duration::from_millis(100)).await.is_err());
    assert_eq!(notebook.taken(), [body("good", 1), body("good", 2)]);
    assert!(*notebook.refusals.lock().unwrap() > 1, "it is tried again");

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
    fn publish<'a>(&'a self, batch: &'a [Envelope]) -> BoxFuture<'a, Publish> {
        let take = |envelope| match self.refused.swap(true, Ordering::SeqCst) {
            false => Err(TransportError("unroutable".into())),
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

    assert!(messaging.drain(Duration::from_millis(200)).await.is_err());

    assert!(*notebook.refusals.lock().unwrap() > 2);
    let (shop, _) = street.pending().await;
    assert_eq!((shop.outbox, shop.parked), (1, 0));
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
    fn publish<'a>(&'a self, batch: &'a [Envelope]) -> BoxFuture<'a, Publish> {
        async move {
            self.entered.notify_one();
            self.go_on.notified().await;
            self.notebook.publish(batch).await
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
    eventually(Duration::from_secs(10), || async {
        street.pending().await.0.outbox == 0
    })
    .await;
    street.say(tenant, "a", 2).await;
    // Whoever is first takes it: the lease of a finished round is free.
    stalls.go_on.notify_one();
    let _ = blocked.drain(Duration::from_secs(10)).await;
    eventually(Duration::from_secs(10), || async {
        street.pending().await.0.outbox == 0
    })
    .await;
    let mut all = stalls.notebook.taken();
    all.extend(second.taken());
    assert_eq!(all, [body("a", 1), body("a", 2)]);
    stop.cancel();
    tasks.close();
    tasks.wait().await;
}
