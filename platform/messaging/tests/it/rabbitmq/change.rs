//! From events in the database to events over a broker, and what is left on the way back.

use std::time::Duration;

use plaza_messaging::{LeftOver, MessagingSettings, left_over};
use plaza_testkit::eventually;

use crate::carrier::{Carrier, PATIENCE, Town};
use crate::ledger::{BookKeeper, Mood, quick};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_database_has_queued_is_consumed_before_what_comes_over_the_broker() {
    let town = Town::with(Carrier::rabbitmq().await).await;
    let tenant = town.street.tenant();
    // Without a broker it fails, and waits for its next try long enough for the broker to be ready.
    let settings = MessagingSettings {
        delays: vec![Duration::from_secs(5); 4],
        ..quick()
    };
    let failing = BookKeeper::new(|_| Mood::Fails);
    let before = town.street.messaging(&failing, settings);
    town.street.say(tenant, "a", 0).await;
    assert!(before.drain(Duration::from_millis(1)).await.is_err());
    assert_eq!(failing.times_asked(), 1);
    let left = left_over(&town.street.ledger).await.unwrap();
    assert_eq!(
        left,
        LeftOver {
            queued: 1,
            retrying: 0
        }
    );

    let process = town.run(&BookKeeper::diligent());
    for n in 1..4 {
        town.street.say(tenant, "a", n).await;
    }
    town.until(4, 0).await;
    process.stop().await;

    assert_eq!(town.street.booked().await, ["a 0", "a 1", "a 2", "a 3"]);
    let left = left_over(&town.street.ledger).await.unwrap();
    assert_eq!(
        left,
        LeftOver {
            queued: 0,
            retrying: 0
        }
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_left_on_the_broker_is_told() {
    let mut town = Town::with(Carrier::rabbitmq().await).await;
    town.settings.delays = vec![Duration::from_secs(300); 4];
    let tenant = town.street.tenant();
    let process = town.run(&BookKeeper::new(|_| Mood::Fails));
    town.street.say(tenant, "a", 0).await;
    let broker = town.client().unwrap();
    let queued = || async { broker.inspect().await.unwrap().queued };
    let retrying = [("ledger.book.retry.1".to_owned(), 1)];
    eventually(PATIENCE, || async { queued().await == retrying }).await;
    process.stop().await;

    let left = left_over(&town.street.ledger).await.unwrap();

    assert_eq!(
        left,
        LeftOver {
            queued: 0,
            retrying: 1
        }
    );
}
