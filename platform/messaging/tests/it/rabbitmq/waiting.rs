//! What waits in retry queues, when something else happens to it.

use std::time::Duration;

use plaza_testkit::eventually;

use super::raw::Raw;
use crate::carrier::{BOOK, Carrier, PATIENCE, Town};
use crate::ledger::{BookKeeper, Mood, Street};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_goes_on_when_the_event_that_it_waits_for_is_gone_from_its_queue() {
    let mut town = Town::with(Carrier::rabbitmq().await).await;
    town.settings.delays = [3_000, 400, 400, 400].map(Duration::from_millis).to_vec();
    let Carrier::RabbitMq(vhost) = &town.carrier else {
        unreachable!("made over RabbitMQ")
    };
    let raw = Raw::connect(&vhost.url()).await;
    let tenant = town.street.tenant();
    let keeper = BookKeeper::new(|event| if event.n == 0 { Mood::Fails } else { Mood::Books });
    let process = town.run(&keeper);
    town.street.say(tenant, "a", 0).await;
    // Somebody empties the retry queue while the event is in it. Not before: RabbitMQ 3.10 breaks the connection of who
    // empties a queue that is being made.
    eventually(PATIENCE, || async {
        let waits = raw
            .depth("ledger.book.retry.1")
            .await
            .is_some_and(|count| count > 0);
        waits && raw.purge("ledger.book.retry.1").await > 0
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

/// The consumer's login only: the relay's goes on, so that there is something to consume.
async fn lock_out(street: &Street) {
    street
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
}

async fn let_in(street: &Street) {
    street
        .run("DO $$ BEGIN EXECUTE format('GRANT CONNECT ON DATABASE %I TO PUBLIC', current_database()); END $$")
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_away_is_not_held_against_an_event() {
    let town = Town::with(Carrier::rabbitmq().await).await;
    let tenant = town.street.tenant();
    let keeper = BookKeeper::diligent();
    town.street.say(tenant, "warm", 0).await;
    let process = town.run(&keeper);
    town.until(1, 0).await;
    lock_out(&town.street).await;
    for n in 0..3 {
        town.street.say(tenant, "a", n).await;
    }
    eventually(PATIENCE, || async { town.street.pending().await.0.outbox == 0 }).await;
    // Longer than several attempts take.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let so_far = keeper.times_asked();
    let_in(&town.street).await;

    town.until(4, 0).await;
    process.stop().await;

    assert_eq!(so_far, 1);
    assert_eq!(keeper.times_asked(), 4);
    assert_eq!(town.street.booked().await, ["warm 0", "a 0", "a 1", "a 2"]);
    assert!(town.dead().await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_held_only_while_processes_come_and_go_keeps_all_its_tries() {
    let town = Town::with(Carrier::rabbitmq().await).await;
    let Carrier::RabbitMq(vhost) = &town.carrier else {
        unreachable!("made over RabbitMQ")
    };
    let raw = Raw::connect(&vhost.url()).await;
    town.client().unwrap().apply_topology().await.unwrap();
    lock_out(&town.street).await;
    town.street.say(town.street.tenant(), "a", 1).await;
    let keeper = BookKeeper::new(|_| Mood::Fails);
    // More often than there are tries.
    for _ in 0..7 {
        let process = town.run(&keeper);
        // It is published, and at its reader.
        town.published().await;
        eventually(PATIENCE, || async { raw.depth(BOOK).await == Some(0) }).await;
        process.stop().await;
        eventually(PATIENCE, || async { raw.depth(BOOK).await == Some(1) }).await;
    }
    let_in(&town.street).await;

    town.settle(&keeper, 0, 1).await;

    assert_eq!(keeper.times_asked(), 5);
    let letters = town.dead().await;
    assert_eq!(letters[0].attempts, Some(5));
    assert!(letters[0].error.contains("the pen is empty"), "{letters:?}");
    let counted: i64 = town.street.rows("SELECT count(*) FROM ledger.tries").await[0].get(0);
    assert_eq!(counted, 0, "it is not counted any more");
}
