//! A broker on which something exists already, but not as it has to be.

use std::time::Duration;

use lapin::types::FieldTable;
use plaza_messaging::{RabbitMqError, Transport as _};
use plaza_testkit::eventually;
use tokio::time::Instant;

use super::publish::event;
use super::raw::Raw;
use crate::carrier::{BOOK, Carrier, PATIENCE, Town};
use crate::ledger::BookKeeper;

#[tokio::test]
async fn to_declare_everything_again_changes_nothing() {
    let town = Town::with(Carrier::rabbitmq().await).await;
    let broker = town.client().unwrap();
    for _ in 0..3 {
        assert!(broker.apply_topology().await.unwrap().is_empty());
    }
    let text = broker.render_topology();
    for line in [
        "  street.events (topic)",
        "    shop.counted -> ledger.book",
        "    shop.unheard -> nobody",
        "  ledger.book (from street.events)",
        "    ledger.book.dlq: dead letters",
        "    ledger.book: at most 5 tries, one consumer at a time",
        "    ledger.book.retry.4: back after 4ms",
    ] {
        assert!(text.lines().any(|said| said == line), "{line}\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_with_other_arguments_is_named_and_not_read_until_it_is_removed() {
    let town = Town::with(Carrier::rabbitmq().await).await;
    let Carrier::RabbitMq(vhost) = &town.carrier else {
        unreachable!("made over RabbitMQ")
    };
    let raw = Raw::connect(&vhost.url()).await;
    raw.declare(BOOK, FieldTable::default()).await;

    let differences = town.client().unwrap().apply_topology().await.unwrap();

    assert_eq!(differences.len(), 1);
    let RabbitMqError::Different { name, said } = &differences[0] else {
        panic!("{differences:?}")
    };
    assert_eq!(name, BOOK);
    assert!(
        said.contains("x-queue-type") || said.contains("inequivalent"),
        "{said}"
    );

    let process = town.run(&BookKeeper::diligent());
    town.street.say(town.street.tenant(), "a", 1).await;
    eventually(PATIENCE, || async { raw.depth(BOOK).await == Some(1) }).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(
        town.street.booked().await.is_empty(),
        "its order could not be kept"
    );
    let kept = raw.take(BOOK).await.remove(0);
    raw.delete(BOOK).await;
    eventually(PATIENCE, || raw.is_read(BOOK)).await;
    raw.publish(BOOK, &kept.data, kept.properties).await;
    eventually(PATIENCE, || async { town.street.booked().await.len() == 1 }).await;
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_is_bound_although_one_of_those_around_it_has_other_arguments() {
    let town = Town::with(Carrier::rabbitmq().await).await;
    let Carrier::RabbitMq(vhost) = &town.carrier else {
        unreachable!("made over RabbitMQ")
    };
    let raw = Raw::connect(&vhost.url()).await;
    // Others hear the event too: nothing tells its publisher that one of them misses it.
    raw.declare("crm", FieldTable::default()).await;
    let broker = town.client().unwrap();
    for other in ["ledger.book.dlq", "ledger.book.retry.1", "ledger.book.retry.4"] {
        for queue in [
            BOOK,
            "ledger.book.dlq",
            "ledger.book.retry.1",
            "ledger.book.retry.4",
        ] {
            raw.delete(queue).await;
        }
        raw.declare(other, FieldTable::default()).await;

        let differences = broker.apply_topology().await.unwrap();

        assert_eq!(differences.len(), 1, "{differences:?}");
        assert!(differences[0].to_string().contains(other), "{differences:?}");
        raw.bind("crm", "street.events", "#").await;
        let batch = [event("shop.counted", town.street.tenant(), "a", 1)];
        let answers = broker.publish(&batch, Instant::now() + PATIENCE).await;
        assert!(answers[0].is_ok(), "{answers:?}");
        assert_eq!(raw.purge("crm").await, 1);
        assert_eq!(raw.depth(BOOK).await, Some(1), "{other}");
    }
}
