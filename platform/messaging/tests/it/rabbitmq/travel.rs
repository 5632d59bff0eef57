//! What travels: programs in other languages read it as it stands.

use plaza_kernel::{EventId, TenantId};
use plaza_messaging::{Envelope, Taken, Transport as _};
use tokio::time::Instant;

use super::raw::{Raw, headers};
use crate::carrier::{BOOK, Carrier, PATIENCE, Town};

#[tokio::test]
async fn an_event_travels_as_a_cloud_event_in_binary_mode() {
    let town = Town::with(Carrier::rabbitmq().await).await;
    let Carrier::RabbitMq(vhost) = &town.carrier else {
        unreachable!("made over RabbitMQ")
    };
    let broker = town.client().unwrap();
    let (event, tenant): (EventId, TenantId) = (
        "01990000-0000-7000-8000-000000000001".parse().unwrap(),
        "01990000-0000-7000-8000-000000000002".parse().unwrap(),
    );
    let envelope = Envelope {
        id: event,
        name: "shop.counted".to_owned(),
        version: 3,
        source: "shop".to_owned(),
        tenant: Some(tenant),
        key: "a key".to_owned(),
        at: "2026-11-20T10:11:12.123456Z".parse().unwrap(),
        traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned()),
        payload: "{ \"n\" : 1 }".to_owned(),
    };

    let until = Instant::now() + PATIENCE;
    let answers = broker.publish(std::slice::from_ref(&envelope), until).await;
    assert_eq!(*answers[0].as_ref().unwrap(), Taken::Kept);

    let message = Raw::connect(&vhost.url()).await.take(BOOK).await.remove(0);
    assert_eq!(message.exchange.as_str(), "street.events");
    assert_eq!(message.routing_key.as_str(), "shop.counted");
    assert_eq!(message.data, envelope.payload.as_bytes(), "byte by byte");
    let said = |text: &Option<lapin::types::ShortString>| text.as_ref().map(ToString::to_string);
    let properties = &message.properties;
    assert_eq!(
        said(properties.content_type()).as_deref(),
        Some("application/json")
    );
    assert_eq!(said(properties.message_id()), Some(event.to_string()));
    assert_eq!(said(properties.kind()).as_deref(), Some("shop.counted"));
    assert_eq!(*properties.delivery_mode(), Some(2), "it survives the broker");
    assert_eq!(*properties.timestamp(), Some(1_795_169_472));
    let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let (event, tenant) = (event.to_string(), tenant.to_string());
    let expected = [
        ("cloudEvents_id", event.as_str()),
        ("cloudEvents_partitionkey", "a key"),
        ("cloudEvents_source", "shop"),
        ("cloudEvents_specversion", "1.0"),
        ("cloudEvents_tenantid", tenant.as_str()),
        ("cloudEvents_time", "2026-11-20T10:11:12.123456Z"),
        ("cloudEvents_traceparent", traceparent),
        ("cloudEvents_type", "shop.counted"),
        ("traceparent", traceparent),
        ("x-version", "3"),
    ];
    let expected: Vec<_> = expected
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    assert_eq!(headers(&message), expected);
}
