//! Messages that others put into our queues.

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};
use plaza_kernel::EventId;
use plaza_messaging::{Transport as _, Which};
use tokio::time::Instant;

use super::publish::event;
use super::raw::Raw;
use crate::carrier::{BOOK, Carrier, PATIENCE, Town};
use crate::ledger::BookKeeper;

fn with_headers(headers: &[(&str, &str)]) -> BasicProperties {
    let mut table = FieldTable::default();
    for (name, value) in headers {
        table.insert((*name).into(), AMQPValue::LongString((*value).into()));
    }
    BasicProperties::default().with_headers(table)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_from_outside_that_is_no_event_is_a_dead_letter_and_the_rest_goes_on() {
    let town = Town::with(Carrier::rabbitmq().await).await;
    let Carrier::RabbitMq(vhost) = &town.carrier else {
        unreachable!("made over RabbitMQ")
    };
    town.client().unwrap().apply_topology().await.unwrap();
    let raw = Raw::connect(&vhost.url()).await;
    raw.publish(BOOK, b"\xff\xfe poison", BasicProperties::default())
        .await;
    let almost = [
        ("cloudEvents_id", "01990000-0000-7000-8000-000000000001"),
        ("cloudEvents_type", "shop.counted"),
        ("cloudEvents_source", "elsewhere"),
        ("cloudEvents_time", "2026-11-20T10:11:12Z"),
        ("cloudEvents_tenantid", "00000000-0000-0000-0000-000000000000"),
    ];
    raw.publish(BOOK, b"{}", with_headers(&almost)).await;
    let endless = "x".repeat(256);
    let unspeakable = [
        ("cloudEvents_id", "01990000-0000-7000-8000-000000000002"),
        ("cloudEvents_type", endless.as_str()),
        ("cloudEvents_source", "elsewhere"),
        ("cloudEvents_time", "2026-11-20T10:11:12Z"),
        ("cloudEvents_tenantid", "01990000-0000-7000-8000-000000000003"),
    ];
    raw.publish(BOOK, b"{}", with_headers(&unspeakable)).await;
    town.street.say(town.street.tenant(), "a", 1).await;

    town.settle(&BookKeeper::diligent(), 1, 3).await;

    assert_eq!(town.street.booked().await, ["a 1"]);
    let mut letters = town.dead().await;
    letters.sort_by_key(|letter| letter.event_id);
    let errors: Vec<&str> = letters.iter().map(|letter| letter.error.as_str()).collect();
    assert_eq!(
        errors,
        [
            "it has no attribute id",
            "its tenantid is no tenant",
            "its type has more than 255 bytes"
        ]
    );
    assert_eq!(letters[0].event_id, None);
    assert_eq!(letters[0].attempts, Some(1));
    assert_eq!(town.dead_letters().discard(BOOK, Which::All).await.unwrap(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_another_program_publishes_is_consumed() {
    let town = Town::with(Carrier::rabbitmq().await).await;
    let Carrier::RabbitMq(vhost) = &town.carrier else {
        unreachable!("made over RabbitMQ")
    };
    town.client().unwrap().apply_topology().await.unwrap();
    let (event, tenant) = (
        EventId::generate(&town.street.clock).to_string(),
        town.street.tenant().to_string(),
    );
    // As AMQP 1.0 programs may write them.
    let headers = with_headers(&[
        ("cloudEvents:id", &event),
        ("cloudEvents:type", "shop.counted"),
        ("cloudEvents:source", "elsewhere"),
        ("cloudEvents:time", "2026-11-20T10:11:12+01:00"),
        ("cloudEvents:tenantid", &tenant),
    ]);
    let raw = Raw::connect(&vhost.url()).await;
    raw.publish(BOOK, br#"{"key":"a","n":7}"#, headers).await;

    town.settle(&BookKeeper::diligent(), 1, 0).await;

    assert_eq!(town.street.booked().await, ["a 7"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_event_that_somebody_bound_the_queue_to_is_refused() {
    let town = Town::with(Carrier::rabbitmq().await).await;
    let Carrier::RabbitMq(vhost) = &town.carrier else {
        unreachable!("made over RabbitMQ")
    };
    let broker = town.client().unwrap();
    broker.apply_topology().await.unwrap();
    Raw::connect(&vhost.url())
        .await
        .bind(BOOK, "street.events", "shop.unheard")
        .await;
    let tenant = town.street.tenant();
    let mut other = event("shop.unheard", tenant, "a", 1);
    // It could be read as the consumer's own.
    other.payload = r#"{"key":"a","n":1}"#.to_owned();
    let answers = broker.publish(&[other], Instant::now() + PATIENCE).await;
    assert!(answers[0].is_ok(), "{answers:?}");
    town.street.say(tenant, "a", 2).await;

    town.settle(&BookKeeper::diligent(), 1, 1).await;

    assert_eq!(town.street.booked().await, ["a 2"]);
    let letters = town.dead().await;
    assert!(letters[0].error.contains("it is no shop.counted"), "{letters:?}");
    assert_eq!(letters[0].attempts, Some(1));
}
