//! Started messaging: woken at once, shared by processes, stopped in order.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use plaza_database::TenantTx;
use plaza_messaging::{Consumer, Messaging, MessagingSettings, Subscriptions, Unconsumed};
use plaza_testkit::{RoundTrips, eventually};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::carrier::PATIENCE;
use crate::ledger::{BookKeeper, Counted, LEDGER, Mood, SHOP, Street, quick};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_wakes_relay_and_consumer_without_any_polling() {
    let street = Street::open().await;
    let keeper = BookKeeper::diligent();
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let settings = MessagingSettings {
        poll: Duration::from_secs(3600),
        ..MessagingSettings::default()
    };
    street.messaging(&keeper, settings).start(&tasks, stop.clone());
    tokio::time::sleep(Duration::from_millis(300)).await;

    let tenant = street.tenant();
    for n in 0..3 {
        street.say(tenant, "a", n).await;
    }

    eventually(PATIENCE, || async { street.booked().await.len() == 3 }).await;
    stop.cancel();
    tasks.close();
    tasks.wait().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_share_the_work_once_and_in_order() {
    let street = Street::open().await;
    let keeper = BookKeeper::diligent();
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    for _ in 0..2 {
        street.messaging(&keeper, quick()).start(&tasks, stop.clone());
    }
    let tenant = street.tenant();
    for n in 0..60 {
        for key in ["a", "b", "c"] {
            street.say(tenant, key, n).await;
        }
    }

    eventually(PATIENCE, || async { street.booked().await.len() >= 180 }).await;
    stop.cancel();
    tasks.close();
    tasks.wait().await;

    let booked = street.booked().await;
    assert_eq!(booked.len(), 180);
    for key in ["a", "b", "c"] {
        let expected: Vec<String> = (0..60).map(|n| format!("{key} {n}")).collect();
        assert_eq!(
            booked
                .iter()
                .filter(|entry| entry.starts_with(key))
                .cloned()
                .collect::<Vec<_>>(),
            expected
        );
    }
    let (shop, ledger) = street.pending().await;
    assert!(shop.is_settled() && ledger.is_settled() && ledger.dead == 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopping_waits_for_what_was_begun_and_begins_nothing_new() {
    let street = Street::open().await;
    let tenant = street.tenant();
    let keeper = BookKeeper::new(|_| {
        std::thread::sleep(Duration::from_millis(300));
        Mood::Books
    });
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    street.messaging(&keeper, quick()).start(&tasks, stop.clone());
    for n in 0..5 {
        street.say(tenant, "a", n).await;
    }
    eventually(PATIENCE, || async { keeper.times_asked() > 0 }).await;

    stop.cancel();
    tasks.close();
    tasks.wait().await;

    let booked = street.booked().await.len();
    assert_eq!(booked, keeper.times_asked(), "what was begun is done");
    assert!(booked < 5, "the rest waits for the next start");
    let (shop, ledger) = street.pending().await;
    let left = shop.outbox + ledger.deliveries;
    assert_eq!(usize::try_from(left).unwrap() + booked, 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_service_asks_the_database_twice_a_second() {
    let street = Street::open().await;
    let trips = RoundTrips::to(&street.database).await;
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let mut messaging =
        plaza_messaging::Messaging::in_process(MessagingSettings::default(), street.clock.clone());
    for service in [SHOP, LEDGER] {
        messaging.host(trips.of(service), plaza_messaging::Subscriptions::new());
    }
    messaging.start(&tasks, stop.clone());
    // Per service and second two statements, each with its COMMIT. Starting takes more, and its time.
    let idle = 2 * 2 * 2 * 2 + 4;
    let mut flights = Vec::new();
    while flights.last().is_none_or(|flights| *flights > idle) {
        assert!(
            flights.len() < 10,
            "{flights:?} flights in two seconds for two services"
        );
        trips.take();
        tokio::time::sleep(Duration::from_secs(2)).await;
        flights.push(trips.take());
    }
    stop.cancel();
    tasks.close();
    tasks.wait().await;
}

/// Listeners that only count: as many as there are names.
macro_rules! listeners {
    ($($type:ident: $name:literal),*) => {$(
        struct $type(Arc<AtomicUsize>);

        impl Consumer for $type {
            type Event = Counted;
            const NAME: &'static str = $name;

            async fn consume(&self, _: &TenantTx, _: &Counted) -> Result<(), Unconsumed> {
                self.0.fetch_add(1, Ordering::SeqCst);
                Ok(())
            }
        }
    )*

        fn listeners(heard: &Arc<AtomicUsize>) -> Subscriptions {
            Subscriptions::new()$(.with($type(Arc::clone(heard))))*
        }
    };
}

listeners!(First: "ledger.first", Second: "ledger.second", Third: "ledger.third", Fourth: "ledger.fourth",
    Fifth: "ledger.fifth", Sixth: "ledger.sixth", Seventh: "ledger.seventh");

#[tokio::test]
async fn of_more_consumers_than_places_each_is_served_while_the_others_are_idle() {
    let street = Street::open().await;
    let heard = Arc::new(AtomicUsize::new(0));
    let settings = MessagingSettings {
        concurrency: 2,
        ..quick()
    };
    let mut messaging = Messaging::in_process(settings, street.clock.clone());
    messaging.host(street.shop.clone(), Subscriptions::new());
    messaging.host(street.ledger.clone(), listeners(&heard));
    street.say(street.tenant(), "a", 1).await;
    messaging.drain(Duration::from_secs(20)).await.unwrap();
    assert_eq!(heard.load(Ordering::SeqCst), 7);
}
