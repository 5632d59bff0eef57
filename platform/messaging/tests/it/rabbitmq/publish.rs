//! Publishing: what is taken, what is not, and whose fault that is.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use plaza_kernel::{Clock, EventId, Kind, TenantId};
use plaza_messaging::{
    Envelope, MessagingSettings, RabbitMq, RabbitMqError, RabbitMqSettings, Taken, Transport as _,
    TransportError,
};
use plaza_testkit::rabbitmq::Vhost;
use tokio::time::Instant;

use super::proxy::{Proxy, Wire};
use super::raw::Raw;
use crate::carrier::{BOOK, PATIENCE, TOPOLOGY};
use crate::ledger::quick;

pub(crate) fn event(name: &str, tenant: TenantId, key: &str, n: usize) -> Envelope {
    let clock = Clock::system();
    Envelope {
        id: EventId::generate(&clock),
        name: name.to_owned(),
        version: 1,
        source: "shop".to_owned(),
        tenant: Some(tenant),
        key: key.to_owned(),
        at: clock.now(),
        traceparent: None,
        payload: n.to_string(),
    }
}

/// When an answer has to be there: other builds may run beside the test.
fn soon() -> Instant {
    Instant::now() + PATIENCE
}

fn client(vhost: &Vhost, settings: RabbitMqSettings, messaging: MessagingSettings) -> Arc<RabbitMq> {
    Arc::new(RabbitMq::new(&vhost.url(), &TOPOLOGY, settings, messaging).unwrap())
}

/// The bodies of a queue in their order, taken out of it.
async fn bodies(raw: &Raw, queue: &str) -> Vec<String> {
    let messages = raw.take(queue).await.into_iter();
    messages
        .map(|message| String::from_utf8(message.data).unwrap())
        .collect()
}

#[tokio::test]
async fn a_batch_is_taken_in_order_per_key() {
    let vhost = Vhost::new().await;
    let broker = client(&vhost, RabbitMqSettings::default(), quick());
    let tenant = TenantId::generate(&Clock::system());
    let batch: Vec<Envelope> = (0..60)
        .map(|n| event("shop.counted", tenant, ["a", "b"][n % 2], n))
        .collect();

    let answers = broker.publish(&batch, soon()).await;

    assert!(
        answers.iter().all(|answer| matches!(answer, Ok(Taken::Kept))),
        "{answers:?}"
    );
    let bodies: Vec<usize> = bodies(&Raw::connect(&vhost.url()).await, BOOK)
        .await
        .iter()
        .map(|body| body.parse().unwrap())
        .collect();
    let of = |rest| {
        bodies
            .iter()
            .copied()
            .filter(|n| n % 2 == rest)
            .collect::<Vec<_>>()
    };
    assert_eq!(of(0), (0..60).step_by(2).collect::<Vec<_>>());
    assert_eq!(of(1), (1..60).step_by(2).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_full_queue_takes_the_first_of_a_key_and_none_out_of_order() {
    let vhost = Vhost::new().await;
    let settings = RabbitMqSettings {
        longest_queue: 5,
        ..RabbitMqSettings::default()
    };
    let broker = client(&vhost, settings, quick());
    let tenant = TenantId::generate(&Clock::system());
    let batch: Vec<Envelope> = (0..30).map(|n| event("shop.counted", tenant, "a", n)).collect();

    let answers = broker.publish(&batch, soon()).await;

    let taken = answers.iter().take_while(|answer| answer.is_ok()).count();
    // The broker looks at the limit now and then.
    assert!((5..30).contains(&taken), "{taken}");
    assert!(
        answers[taken..].iter().all(Result::is_err),
        "no later one of the key was taken"
    );
    let error = answers[taken].as_ref().unwrap_err();
    assert!(
        error.passes(),
        "that says nothing about the event: {:?}",
        error.kind()
    );
    let expected: Vec<String> = (0..taken).map(|n| n.to_string()).collect();
    assert_eq!(bodies(&Raw::connect(&vhost.url()).await, BOOK).await, expected);
}

#[tokio::test]
async fn an_event_with_listeners_and_without_a_queue_is_refused_until_the_queue_is_there_again() {
    let vhost = Vhost::new().await;
    let broker = client(&vhost, RabbitMqSettings::default(), quick());
    let tenant = TenantId::generate(&Clock::system());
    let batch = [
        event("shop.unheard", tenant, "u", 0),
        event("shop.counted", tenant, "a", 1),
    ];
    broker.apply_topology().await.unwrap();
    assert!(broker.publish(&batch[..1], soon()).await[0].is_ok());
    Raw::connect(&vhost.url()).await.delete(BOOK).await;

    let answers = broker.publish(&batch, soon()).await;

    assert_eq!(*answers[0].as_ref().unwrap(), Taken::Unheard);
    let error = answers[1].as_ref().unwrap_err();
    assert_eq!(error.kind(), Kind::Internal, "{error:?}");
    assert!(!error.passes());
    let again = broker.publish(&batch[1..], soon()).await;
    assert_eq!(*again[0].as_ref().unwrap(), Taken::Kept, "it was declared again");
}

#[tokio::test]
async fn what_cannot_be_carried_is_refused_and_what_is_not_known_waits() {
    let vhost = Vhost::new().await;
    let settings = RabbitMqSettings {
        largest_body: 10,
        ..RabbitMqSettings::default()
    };
    let broker = client(&vhost, settings, quick());
    let tenant = TenantId::generate(&Clock::system());
    let mut large = event("shop.counted", tenant, "a", 1);
    large.payload = "x".repeat(11);
    let batch = [
        large,
        event("shop.of_tomorrow", tenant, "b", 2),
        event("shop.counted", tenant, "c", 3),
    ];

    let answers = broker.publish(&batch, soon()).await;

    assert!(!answers[0].as_ref().unwrap_err().passes(), "too large");
    assert!(
        answers[1].as_ref().unwrap_err().passes(),
        "a program after this one knows it"
    );
    assert!(answers[2].is_ok());
}

#[tokio::test]
async fn a_broker_that_is_away_is_not_held_against_an_event() {
    let vhost = Vhost::new().await;
    let proxy = Proxy::before(&vhost.url()).await;
    let settings = RabbitMqSettings {
        confirm: Duration::from_millis(500),
        connect: Duration::from_millis(500),
        pause: Duration::from_millis(100),
        ..RabbitMqSettings::default()
    };
    let broker = RabbitMq::new(&proxy.url(), &TOPOLOGY, settings, quick()).unwrap();
    let tenant = TenantId::generate(&Clock::system());
    let batch = [
        event("shop.counted", tenant, "a", 1),
        event("shop.counted", tenant, "a", 2),
    ];
    assert!(!broker.is_connected());
    assert!(broker.publish(&batch, soon()).await.iter().all(Result::is_ok));
    assert!(broker.is_connected());

    for wire in [Wire::Silent, Wire::Cut] {
        proxy.set(wire);
        for _ in 0..3 {
            let answers = broker.publish(&batch, soon()).await;
            for answer in answers {
                assert_eq!(answer.unwrap_err().kind(), Kind::Unavailable, "{wire:?}");
            }
        }
    }
    assert!(!broker.is_connected());
}

#[tokio::test]
async fn a_declaration_that_is_never_answered_has_an_end() {
    let vhost = Vhost::new().await;
    let proxy = Proxy::before(&vhost.url()).await;
    let settings = RabbitMqSettings {
        answer: Duration::from_secs(5),
        // Nobody notices otherwise.
        heartbeat: Duration::from_secs(600),
        ..RabbitMqSettings::default()
    };
    let broker = RabbitMq::new(&proxy.url(), &TOPOLOGY, settings, quick()).unwrap();
    broker.apply_topology().await.unwrap();
    proxy.set(Wire::Silent);

    let answer = tokio::time::timeout(PATIENCE, broker.apply_topology()).await;

    let error = answer.expect("it has an end").unwrap_err();
    assert!(matches!(error, RabbitMqError::Silent), "{error}");
}

#[tokio::test]
async fn when_the_time_is_over_what_was_confirmed_is_answered_so_and_the_rest_passes() {
    let vhost = Vhost::new().await;
    let proxy = Proxy::before(&vhost.url()).await;
    let settings = RabbitMqSettings {
        confirm: PATIENCE,
        ..RabbitMqSettings::default()
    };
    let broker = RabbitMq::new(&proxy.url(), &TOPOLOGY, settings, quick()).unwrap();
    broker.apply_topology().await.unwrap();
    let raw = Raw::connect(&vhost.url()).await;
    let tenant = TenantId::generate(&Clock::system());
    let batch: Vec<Envelope> = (0..3_000)
        .map(|n| event("shop.counted", tenant, "a", n))
        .collect();

    let until = Instant::now() + Duration::from_secs(4);
    let publishing = broker.publish(&batch, until);
    let going_silent = async {
        while raw.depth(BOOK).await.unwrap() < 5 && Instant::now() < until {}
        proxy.set(Wire::Silent);
    };
    let (answers, ()) = tokio::join!(publishing, going_silent);

    assert!(until.elapsed() < PATIENCE / 3, "{:?}", until.elapsed());
    let taken = answers.iter().take_while(|answer| answer.is_ok()).count();
    assert!(taken >= 4, "{taken}");
    let rest = &answers[taken..];
    assert!(
        rest.iter()
            .all(|answer| answer.as_ref().is_err_and(TransportError::passes)),
        "{rest:?}"
    );
}

#[test]
fn an_address_that_is_none_is_refused_without_being_repeated() {
    for url in [
        "http://plaza:secret@localhost",
        "amqp:plaza:secret@localhost",
        "plaza:secret@localhost",
        "amqp://plaza:secret@localhost:99999999",
        "amqp://plaza:secret@localhost/?heartbeat=secret",
    ] {
        let error = RabbitMq::new(
            &url.to_owned().into(),
            &TOPOLOGY,
            RabbitMqSettings::default(),
            quick(),
        )
        .err()
        .unwrap();
        let told = format!("{error} {error:?}");
        assert!(!told.contains("secret") && !told.contains("localhost"), "{told}");
    }
}
