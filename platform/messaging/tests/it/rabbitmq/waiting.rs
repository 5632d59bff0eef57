//! What waits in retry queues, when something else happens to it.

use std::time::Duration;

use plaza_testkit::eventually;

use super::raw::Raw;
use crate::carrier::{BOOK, Carrier, PATIENCE, Town};
use crate::ledger::{BookKeeper, Mood};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_goes_on_when_the_event_that_it_waits_for_is_gone_from_its_queue() {
    let mut town = Town::with(Carrier::rabbitmq().await).await;
    town.settings.delays = [400, 400, 400, 400].map(Duration::from_millis).to_vec();
    let Carrier::RabbitMq(vhost) = &town.carrier else {
        unreachable!("made over RabbitMQ")
    };
    let raw = Raw::connect(&vhost.url()).await;
    let tenant = town.street.tenant();
    let keeper = BookKeeper::new(|event| if event.n == 0 { Mood::Fails } else { Mood::Books });
    let process = town.run(&keeper);
    town.street.say(tenant, "a", 0).await;
    // Somebody empties the retry queue while the event is in it.
    eventually(PATIENCE, || async {
        raw.depth("ledger.book.retry.1").await.is_some() && raw.purge("ledger.book.retry.1").await > 0
    })
    .await;

    for n in 1..4 {
        town.street.say(tenant, "a", n).await;
    }
    town.until(3, 0).await;
    process.stop().await;

    assert_eq!(
        town.street.booked().await,
        ["a 1", "a 2", "a 3"],
        "in their order all the same"
    );
    assert_eq!(town.street.pending().await.1.deliveries, 0);
    assert_eq!(raw.depth(BOOK).await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_away_is_not_held_against_an_event() {
    let town = Town::with(Carrier::rabbitmq().await).await;
    let tenant = town.street.tenant();
    let keeper = BookKeeper::diligent();
    town.street.say(tenant, "warm", 0).await;
    let process = town.run(&keeper);
    town.until(1, 0).await;
    // The consumer's login only: the relay's goes on, so that there is something to consume.
    town.street
        .run(
            "DO $$ BEGIN
                 EXECUTE format('REVOKE CONNECT ON DATABASE %I FROM PUBLIC, plaza_ledger', current_database());
                 EXECUTE format('GRANT CONNECT ON DATABASE %I TO plaza_shop, plaza_shop_system, plaza_ledger_system',
                                current_database());
                 PERFORM pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE usename = 'plaza_ledger' AND datname = current_database();
             END $$",
        )
        .await;
    for n in 0..3 {
        town.street.say(tenant, "a", n).await;
    }
    eventually(PATIENCE, || async { town.street.pending().await.0.outbox == 0 }).await;
    // Longer than several attempts take.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let so_far = keeper.times_asked();
    town.street
        .run("DO $$ BEGIN EXECUTE format('GRANT CONNECT ON DATABASE %I TO PUBLIC', current_database()); END $$")
        .await;

    town.until(4, 0).await;
    process.stop().await;

    assert_eq!(so_far, 1);
    assert_eq!(keeper.times_asked(), 4);
    assert_eq!(town.street.booked().await, ["warm 0", "a 0", "a 1", "a 2"]);
    assert!(town.dead().await.is_empty());
}
