//! How to reach the broker, and with what patience.

use std::collections::BTreeMap;
use std::time::Duration;

use plaza_kernel::topology::ExchangeKind;

/// How to reach the broker, and with what patience.
#[derive(Debug, Clone)]
pub struct RabbitMqSettings {
    /// What the connections are called in the broker's own tools.
    pub name: String,
    /// Certificates in PEM form that are trusted beside the system's, for `amqps://`.
    pub trusted: Option<String>,
    /// How long connecting may take.
    pub connect: Duration,
    /// How often each side says that it is still there; a connection is given up after two silent ones. Whole seconds.
    pub heartbeat: Duration,
    /// How long a confirm of the broker may take.
    pub confirm: Duration,
    /// How long the broker may take to declare something, or to begin to deliver. Queues that many brokers keep take their time.
    pub answer: Duration,
    /// The longest pause between two attempts to connect.
    pub pause: Duration,
    /// How many messages a queue may hold before it takes no more.
    pub longest_queue: u32,
    /// The largest body that is published, in bytes. Brokers take 16 MiB by default from version 4 on.
    pub largest_body: usize,
    /// How long an event may be held while the database is away, before it is given back to the broker. Shorter than the
    /// broker's own patience with consumers, 30 minutes by default.
    pub hold: Duration,
    /// Exchanges that are of another kind here than in the table.
    pub exchange_kinds: BTreeMap<String, ExchangeKind>,
}

impl Default for RabbitMqSettings {
    fn default() -> Self {
        Self {
            name: "plaza".to_owned(),
            trusted: None,
            connect: Duration::from_secs(5),
            heartbeat: Duration::from_secs(5),
            confirm: Duration::from_secs(5),
            answer: Duration::from_secs(30),
            pause: Duration::from_secs(5),
            longest_queue: 1_000_000,
            largest_body: 16 << 20,
            hold: Duration::from_secs(600),
            exchange_kinds: BTreeMap::new(),
        }
    }
}
