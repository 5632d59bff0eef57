//! Events a second through the relay to RabbitMQ, beside the barest loop that publishes as much with confirms.
//! `bench/relay.sh` runs it; by hand: `cargo run --release -p plaza-messaging --example relay_bench -- [EVENTS] [ROUNDS]`.
//!
//! Both publish persistent messages with bodies of the same size to the same queue, as many at once (the relay's batch),
//! and wait for all confirms before the next. The relay also reads its rows and deletes them. Rounds alternate.
//! Database and virtual host are those that tests get: `PLAZA_TEST_DATABASE_URL` and `PLAZA_TEST_RABBITMQ_URL` name others.
//! The tests' own database does not wait for the disk at a commit, which helps the relay.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a benchmark fails by panicking"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueuePurgeOptions};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use plaza_database::Schema;
use plaza_kernel::topology::{Exchange, ExchangeKind, Queue, Reader, Route, Topology};
use plaza_kernel::{Clock, ServiceName};
use plaza_messaging::{Messaging, MessagingSettings, RabbitMq, RabbitMqSettings, Subscriptions};
use plaza_testkit::TestDatabase;
use plaza_testkit::rabbitmq::Vhost;
use secrecy::{ExposeSecret as _, SecretString};

const SHOP: ServiceName = ServiceName::new("shop");
const EXCHANGE: &str = "street.events";
const EVENT: &str = "shop.counted";
const QUEUE: &str = "ledger.book";
/// Nobody reads the queue while it is measured: what it costs to hear is not asked here.
static TOPOLOGY: Topology = Topology {
    exchanges: &[Exchange {
        name: EXCHANGE,
        kind: ExchangeKind::Topic,
    }],
    routes: &[Route {
        event: EVENT,
        exchange: EXCHANGE,
        key: EVENT,
    }],
    queues: &[Queue {
        name: QUEUE,
        exchange: EXCHANGE,
        keys: &[EVENT],
        reader: Reader::Consumer(QUEUE),
    }],
};
/// A usual event is smaller, one with many messages in it larger.
const BODY: usize = 512;
const PATIENCE: Duration = Duration::from_secs(600);

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1).map(|number| number.parse::<usize>());
    let events = arguments.next().map_or(20_000, |number| number.expect("EVENTS"));
    let rounds = arguments.next().map_or(3, |number| number.expect("ROUNDS"));
    let stage = Stage::set().await;
    // Connections, prepared statements and the topology are there before anything is measured.
    stage.relay(events / 10 + 1).await;
    stage.publish(events / 10 + 1).await;
    let (mut relayed, mut published) = (Vec::new(), Vec::new());
    for round in 1..=rounds.max(1) {
        let (relay, bare) = (stage.relay(events).await, stage.publish(events).await);
        println!("round {round}: relay {relay:.0} events/s, bare loop {bare:.0} messages/s");
        relayed.push(relay);
        published.push(bare);
    }
    let (relay, bare) = (median(relayed), median(published));
    println!(
        "median of {events} each, {} at once, {BODY} bytes: relay {relay:.0}, bare loop {bare:.0}, ratio {:.2}",
        stage.window(),
        relay / bare
    );
}

struct Stage {
    database: TestDatabase,
    messaging: Messaging,
    settings: MessagingSettings,
    bare: Bare,
    _vhost: Vhost,
}

impl Stage {
    async fn set() -> Self {
        let schema = Schema::new(SHOP, &[]).with(plaza_messaging::migrations());
        let (database, vhost) = (TestDatabase::fresh(&[schema]).await, Vhost::new().await);
        let settings = MessagingSettings::default();
        let broker = RabbitMqSettings::default();
        let broker = RabbitMq::new(&vhost.url(), &TOPOLOGY, broker, settings.clone()).unwrap();
        broker.apply_topology().await.unwrap();
        let mut messaging = Messaging::over_rabbitmq(Arc::new(broker), settings.clone(), Clock::system());
        messaging.host(database.of(SHOP), Subscriptions::new());
        Self {
            bare: Bare::connect(&vhost.url()).await,
            database,
            messaging,
            settings,
            _vhost: vhost,
        }
    }

    fn window(&self) -> usize {
        usize::try_from(self.settings.batch).unwrap()
    }

    /// So many events, each with a key of its own, relayed: events a second.
    async fn relay(&self, events: usize) -> f64 {
        let padding = "x".repeat(BODY - br#"{"text":""}"#.len());
        let fill = format!(
            "INSERT INTO shop.outbox (event_id, tenant_id, key, name, version, source, payload, created_at)
             SELECT gen_random_uuid(), '01890000-0000-7000-8000-000000000001', n::text, '{EVENT}', 1, 'shop',
                    '{{\"text\":\"{padding}\"}}', now()
               FROM generate_series(1, {events}) AS n"
        );
        let admin = self.database.admin().await;
        admin.batch_execute(&fill).await.unwrap();
        admin.batch_execute("ANALYZE shop.outbox").await.unwrap();
        let begun = Instant::now();
        self.messaging.drain(PATIENCE).await.unwrap();
        let rate = rate(events, begun);
        self.bare.arrived(events).await;
        rate
    }

    /// So many messages published by the bare loop: messages a second.
    async fn publish(&self, messages: usize) -> f64 {
        let body = "x".repeat(BODY);
        let begun = Instant::now();
        let mut left = messages;
        while left > 0 {
            let window = left.min(self.window());
            let confirms = (0..window).map(|_| self.bare.confirmed(body.as_bytes()));
            join_all(confirms).await;
            left -= window;
        }
        let rate = rate(messages, begun);
        self.bare.arrived(messages).await;
        rate
    }
}

/// A broker's client with nothing of ours.
struct Bare {
    channel: Channel,
    _connection: Connection,
}

impl Bare {
    async fn connect(url: &SecretString) -> Self {
        let connection = Connection::connect(url.expose_secret(), ConnectionProperties::default()).await;
        let connection = connection.unwrap();
        let channel = connection.create_channel().await.unwrap();
        let select = channel.confirm_select(ConfirmSelectOptions::default());
        select.await.unwrap();
        Self {
            channel,
            _connection: connection,
        }
    }

    async fn confirmed(&self, body: &[u8]) {
        let options = BasicPublishOptions {
            mandatory: true,
            ..BasicPublishOptions::default()
        };
        let persistent = BasicProperties::default().with_delivery_mode(2);
        let (exchange, key) = (EXCHANGE.into(), EVENT.into());
        let publish = self
            .channel
            .basic_publish(exchange, key, options, body, persistent);
        let confirmation = publish.await.unwrap().await.unwrap();
        assert!(confirmation.is_ack() && confirmation.take_message().is_none());
    }

    /// All of it is in the queue, which is emptied.
    async fn arrived(&self, expected: usize) {
        let purge = self
            .channel
            .queue_purge(QUEUE.into(), QueuePurgeOptions::default());
        let count = purge.await.unwrap();
        assert_eq!(usize::try_from(count).unwrap(), expected, "messages in the queue");
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of events are small")]
fn rate(count: usize, begun: Instant) -> f64 {
    count as f64 / begun.elapsed().as_secs_f64()
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}
