//! Brokers that die, end and run out of memory. One at a time, each of its own.

use std::sync::Arc;
use std::time::Duration;

use plaza_messaging::{Messaging, MessagingSettings, RabbitMq, Subscriptions};
use plaza_testkit::eventually;
use plaza_testkit::rabbitmq::Broker;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::carrier::client;
use crate::ledger::{BookKeeper, Street, quick};

/// A broker takes long to start beside other builds.
const LONG: Duration = Duration::from_secs(180);

struct House {
    street: Street,
    broker: Arc<RabbitMq>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl House {
    async fn over(broker: &Broker, keeper: &BookKeeper) -> Self {
        let street = Street::open().await;
        let settings = MessagingSettings {
            lease: Duration::from_secs(10),
            ..quick()
        };
        let broker = client(&broker.url(), &settings);
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let mut messaging = Messaging::over_rabbitmq(Arc::clone(&broker), settings, street.clock.clone());
        messaging.host(street.shop.clone(), Subscriptions::new());
        messaging.host(street.ledger.clone(), Subscriptions::new().with(keeper.clone()));
        messaging.start(&tasks, stop.clone());
        Self {
            street,
            broker,
            tasks,
            stop,
        }
    }

    async fn end(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_dies_while_events_are_published_loses_none_and_keeps_the_order() {
    let folder = tempfile::tempdir().unwrap();
    let mut broker = Broker::start(folder.path()).await.unwrap();
    let keeper = BookKeeper::diligent();
    let house = House::over(&broker, &keeper).await;
    let tenant = house.street.tenant();
    let keys = ["a", "b", "c", "d"];
    let mut said = 0;
    for key in keys {
        house.street.say(tenant, key, said).await;
    }
    said += 1;
    eventually(LONG, || async { house.street.booked().await.len() == keys.len() }).await;
    tokio::time::sleep(Broker::WRITTEN_DOWN).await;
    for in_order in [false, true, false] {
        for _ in 0..150 {
            for key in keys {
                house.street.say(tenant, key, said).await;
            }
            said += 1;
        }
        if in_order {
            broker.stop().await.unwrap();
        } else {
            broker.kill().await.unwrap();
        }
        for key in keys {
            house.street.say(tenant, key, said).await;
        }
        said += 1;
        broker.start_again().await.unwrap();
    }

    let all = usize::try_from(said).unwrap() * keys.len();
    eventually(LONG, || async { house.street.booked().await.len() >= all }).await;
    let booked = house.street.booked().await;
    assert_eq!(booked.len(), all);
    for key in keys {
        let expected: Vec<String> = (0..said).map(|n| format!("{key} {n}")).collect();
        let of_key: Vec<_> = booked
            .iter()
            .filter(|entry| entry.starts_with(key))
            .cloned()
            .collect();
        assert_eq!(of_key, expected);
    }
    let (shop, ledger) = house.street.pending().await;
    assert!(shop.is_settled() && shop.parked == 0 && ledger.is_settled());
    house.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_without_memory_holds_events_back_and_none_is_blamed() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path()).await.unwrap();
    let keeper = BookKeeper::diligent();
    let house = House::over(&broker, &keeper).await;
    let tenant = house.street.tenant();
    house.street.say(tenant, "a", 0).await;
    eventually(LONG, || async { house.street.booked().await.len() == 1 }).await;

    let room = |bytes| broker.control(&["set_vm_memory_high_watermark", "absolute", bytes]);
    room("1").unwrap();
    for n in 1..4 {
        house.street.say(tenant, "a", n).await;
    }
    eventually(LONG, || async { !house.broker.is_connected() }).await;
    assert_eq!(house.street.pending().await.0.outbox, 3);
    room("1GB").unwrap();

    eventually(LONG, || async { house.street.booked().await.len() == 4 }).await;
    assert_eq!(house.street.booked().await, ["a 0", "a 1", "a 2", "a 3"]);
    let attempts: i64 = house.street.rows("SELECT count(*) FROM shop.outbox").await[0].get(0);
    assert_eq!(attempts, 0);
    house.end().await;
}
