//! Connections that break and queues that vanish while everything runs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use plaza_messaging::{Messaging, MessagingSettings, RabbitMq, Subscriptions};
use plaza_testkit::eventually;
use plaza_testkit::rabbitmq::Vhost;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::proxy::{Proxy, Wire};
use super::raw::Raw;
use crate::carrier::{BOOK, Carrier, PATIENCE, Town, client};
use crate::ledger::{BookKeeper, Street, quick};

/// Shop and ledger behind a wire.
struct Wired {
    street: Street,
    proxy: Proxy,
    broker: Arc<RabbitMq>,
    tasks: TaskTracker,
    stop: CancellationToken,
    _vhost: Vhost,
}

impl Wired {
    async fn start(keeper: &BookKeeper) -> Self {
        let (street, vhost) = (Street::open().await, Vhost::new().await);
        let proxy = Proxy::before(&vhost.url()).await;
        let broker = client(&proxy.url(), &quick());
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let mut messaging = Messaging::over_rabbitmq(Arc::clone(&broker), quick(), street.clock.clone());
        messaging.host(street.shop.clone(), Subscriptions::new());
        messaging.host(street.ledger.clone(), Subscriptions::new().with(keeper.clone()));
        messaging.start(&tasks, stop.clone());
        Self {
            street,
            proxy,
            broker,
            tasks,
            stop,
            _vhost: vhost,
        }
    }

    async fn booked(&self, count: usize) {
        eventually(PATIENCE, || async { self.street.booked().await.len() >= count }).await;
    }

    async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        assert!(!self.broker.is_connected(), "it said goodbye");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_cut_is_there_again_within_ten_seconds_and_nothing_is_lost() {
    let keeper = BookKeeper::diligent();
    let wired = Wired::start(&keeper).await;
    let tenant = wired.street.tenant();
    let mut said = 0;
    for wire in [Wire::Cut, Wire::Cut, Wire::Silent] {
        for _ in 0..10 {
            wired.street.say(tenant, "a", said).await;
            said += 1;
        }
        wired.proxy.set(wire);
        // Those that come while the broker is away wait in the outbox.
        for _ in 0..10 {
            wired.street.say(tenant, "a", said).await;
            said += 1;
        }
        eventually(PATIENCE, || async { !wired.broker.is_connected() }).await;
        // A silent wire is cut by whoever notices; then it works again.
        wired.proxy.set(Wire::Whole);
        let healed_at = Instant::now();
        wired.booked(usize::try_from(said).unwrap()).await;
        let took = healed_at.elapsed();
        assert!(took < Duration::from_secs(10), "{wire:?}: {took:?}");
    }

    let expected: Vec<String> = (0..said).map(|n| format!("a {n}")).collect();
    assert_eq!(wired.street.booked().await, expected);
    wired.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_that_is_deleted_under_us_is_there_again() {
    let town = Town::with(Carrier::rabbitmq().await).await;
    let Carrier::RabbitMq(vhost) = &town.carrier else {
        unreachable!("made over RabbitMQ")
    };
    let raw = Raw::connect(&vhost.url()).await;
    let (keeper, tenant) = (BookKeeper::diligent(), town.street.tenant());
    let process = town.run(&keeper);
    town.street.say(tenant, "a", 0).await;
    town.until(1, 0).await;

    for queue in [BOOK, "ledger.book.retry.1", "ledger.book.dlq"] {
        raw.delete(queue).await;
    }
    eventually(PATIENCE, || async { raw.depth(BOOK).await.is_some() }).await;
    for n in 1..4 {
        town.street.say(tenant, "a", n).await;
    }

    town.until(4, 0).await;
    process.stop().await;
    assert_eq!(town.street.booked().await, ["a 0", "a 1", "a 2", "a 3"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exchange_that_is_deleted_under_us_is_there_again_with_its_queues() {
    let town = Town::with(Carrier::rabbitmq().await).await;
    let Carrier::RabbitMq(vhost) = &town.carrier else {
        unreachable!("made over RabbitMQ")
    };
    let raw = Raw::connect(&vhost.url()).await;
    let (keeper, tenant) = (BookKeeper::diligent(), town.street.tenant());
    let process = town.run(&keeper);
    town.street.say(tenant, "a", 0).await;
    town.until(1, 0).await;

    raw.delete_exchange("street.events").await;
    for n in 1..4 {
        town.street.say(tenant, "a", n).await;
    }

    town.until(4, 0).await;
    process.stop().await;
    assert_eq!(town.street.booked().await, ["a 0", "a 1", "a 2", "a 3"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_relay_published_counts_when_its_lease_runs_out_over_the_rest() {
    let (street, vhost) = (Street::open().await, Vhost::new().await);
    let proxy = Proxy::before(&vhost.url()).await;
    let settings = MessagingSettings {
        batch: 3_000,
        lease: Duration::from_secs(4),
        ..quick()
    };
    let broker = client(&proxy.url(), &settings);
    broker.apply_topology().await.unwrap();
    let raw = Raw::connect(&vhost.url()).await;
    let tenant = street.tenant();
    street
        .run(&format!(
            "INSERT INTO shop.outbox (event_id, tenant_id, key, name, version, source, payload, created_at)
             SELECT gen_random_uuid(), '{tenant}', 'a', 'shop.counted', 1, 'shop', n, now()
               FROM generate_series(1, 3000) n"
        ))
        .await;
    let mut messaging = Messaging::over_rabbitmq(broker, settings, street.clock.clone());
    messaging.host(street.shop.clone(), Subscriptions::new());
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    messaging.start(&tasks, stop.clone());

    eventually(PATIENCE, || async { raw.depth(BOOK).await.unwrap() >= 5 }).await;
    proxy.set(Wire::Silent);

    // Nothing gets through any more: only what was written down when the lease ran out makes it less.
    eventually(PATIENCE, || async { street.pending().await.0.outbox < 3_000 }).await;
    stop.cancel();
    tasks.close();
    tasks.wait().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_broker_is_away_nothing_ends_and_stopping_still_does() {
    let keeper = BookKeeper::diligent();
    let wired = Wired::start(&keeper).await;
    let tenant = wired.street.tenant();
    wired.street.say(tenant, "a", 0).await;
    wired.booked(1).await;

    wired.proxy.set(Wire::Silent);
    wired.street.say(tenant, "a", 1).await;

    let stopping = Instant::now();
    wired.stop.cancel();
    wired.tasks.close();
    tokio::time::timeout(PATIENCE, wired.tasks.wait()).await.unwrap();
    assert!(
        stopping.elapsed() < Duration::from_secs(25),
        "{:?}",
        stopping.elapsed()
    );
    assert_eq!(
        wired.street.pending().await.0.outbox,
        1,
        "the event waits for the next start"
    );
}
