//! Crashes at every line with an effect.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use plaza_messaging::{
    Envelope, InProcess, Messaging, MessagingSettings, Publish, Subscriptions, Transport, dead_letters,
};
use plaza_testkit::eventually;
use tokio::time::Instant;

use crate::carrier::PATIENCE;
use crate::ledger::{BookKeeper, Mood, Street, quick};

/// Publishes, and then never comes back the first time: as if the process had died before it could delete.
struct DiesAfterPublishing {
    inner: InProcess,
    died: AtomicBool,
}

impl Transport for DiesAfterPublishing {
    fn publish<'a>(&'a self, batch: &'a [Envelope], until: Instant) -> BoxFuture<'a, Publish> {
        async move {
            let answers = self.inner.publish(batch, until).await;
            if !self.died.swap(true, Ordering::SeqCst) {
                std::future::pending::<()>().await;
            }
            answers
        }
        .boxed()
    }
}

#[tokio::test]
async fn a_crash_between_publishing_and_deleting_has_one_effect() {
    let street = Street::open().await;
    let keeper = BookKeeper::diligent();
    let inner = InProcess::new();
    let subscriptions = Subscriptions::new().with(keeper.clone());
    inner.serve(street.ledger.clone(), &subscriptions);
    let transport = Arc::new(DiesAfterPublishing {
        inner,
        died: AtomicBool::new(false),
    });
    let mut messaging = Messaging::over(transport, quick(), street.clock.clone());
    messaging.host(street.shop.clone(), Subscriptions::new());
    messaging.host(street.ledger.clone(), subscriptions);
    street.say(street.tenant(), "a", 1).await;

    // The process dies while publishing.
    tokio::select! {
        drained = messaging.drain(PATIENCE) => panic!("{drained:?}"),
        () = eventually(PATIENCE, || async { street.pending().await.1.deliveries > 0 }) => {}
    }
    // The first publication is consumed before the second one comes.
    street
        .run("UPDATE shop.outbox SET next_at = now() + interval '1 hour'")
        .await;
    let _ = messaging.drain(Duration::from_millis(100)).await;
    assert_eq!(street.booked().await, ["a 1"]);
    street.run("UPDATE shop.outbox SET next_at = NULL").await;
    messaging.drain(PATIENCE).await.unwrap();

    assert_eq!(street.booked().await, ["a 1"]);
    assert_eq!(keeper.times_asked(), 1);
}

#[tokio::test]
async fn a_repetition_that_slips_into_the_queue_has_no_effect() {
    let street = Street::open().await;
    let keeper = BookKeeper::diligent();
    let event = street.say(street.tenant(), "a", 1).await;
    let copy = "INSERT INTO ledger.deliveries
                    (consumer, event_id, tenant_id, key, name, version, source, payload, created_at)
                SELECT 'ledger.book', event_id, tenant_id, key, name, version, source, payload, created_at
                  FROM kept";
    street.run("CREATE TABLE kept AS SELECT * FROM shop.outbox").await;
    street.settle(&keeper).await;

    street.run(copy).await;
    street.settle(&keeper).await;

    assert_eq!(street.booked().await, ["a 1"], "event {event}");
    assert_eq!(keeper.times_asked(), 1);
}

#[tokio::test]
async fn a_runner_killed_in_the_middle_of_an_effect_leaves_the_event_to_be_consumed_again() {
    let street = Street::open().await;
    let tenant = street.tenant();
    street.say(tenant, "a", 1).await;
    street.say(tenant, "a", 2).await;
    let hanging = BookKeeper::new(|_| Mood::Hangs);
    let messaging = street.messaging(&hanging, quick());
    tokio::select! {
        drained = messaging.drain(PATIENCE) => panic!("{drained:?}"),
        () = eventually(PATIENCE, || async { hanging.times_asked() > 0 }) => {}
    }
    drop(messaging);
    assert!(street.booked().await.is_empty());

    let keeper = BookKeeper::diligent();
    street.settle(&keeper).await;

    assert_eq!(street.booked().await, ["a 1", "a 2"]);
}

#[tokio::test]
async fn an_event_that_kills_its_process_each_time_is_a_dead_letter_in_the_end() {
    let street = Street::open().await;
    let tenant = street.tenant();
    street.say(tenant, "a", 1).await;
    street.say(tenant, "a", 2).await;
    // Long beside the moment between claiming and asking: what is claimed again in that moment counts too.
    let settings = MessagingSettings {
        lease: Duration::from_secs(1),
        ..quick()
    };
    let hanging = BookKeeper::new(|event| if event.n == 1 { Mood::Hangs } else { Mood::Books });
    for _ in 0..5 {
        let before = hanging.times_asked();
        let messaging = street.messaging(&hanging, settings.clone());
        tokio::select! {
            drained = messaging.drain(PATIENCE) => panic!("{drained:?}"),
            () = eventually(PATIENCE, || async { hanging.times_asked() > before }) => {}
        }
    }

    street.settle(&hanging).await;

    assert_eq!(hanging.times_asked(), 5 + 1);
    assert_eq!(street.booked().await, ["a 2"]);
    assert_eq!(dead_letters::list(&street.ledger, 0, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_effect_that_takes_too_long_is_rolled_back_and_counted() {
    let street = Street::open().await;
    street.say(street.tenant(), "a", 1).await;
    let hanging = BookKeeper::new(|_| Mood::Hangs);
    let settings = MessagingSettings {
        deadline: Duration::from_secs(1),
        ..quick()
    };

    street
        .messaging(&hanging, settings)
        .drain(PATIENCE)
        .await
        .unwrap();

    assert_eq!(hanging.times_asked(), 5);
    assert!(street.booked().await.is_empty());
    let letters = dead_letters::list(&street.ledger, 0, 10).await.unwrap();
    assert!(letters[0].error.contains("took longer"), "{}", letters[0].error);
}
