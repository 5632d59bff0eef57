//! Messaging: facts from one service to another, none lost, each effective once.
//!
//! Owns       in every service's schema: `outbox`, `inbox`, `deliveries` (the in-process queue), `waiting` (what is in a
//!            broker's retry queues), `tries` and `readings` (of what a broker delivers again), `dead_letters`, `leases`;
//!            on a broker: exchanges, queues, retry and dead-letter queues
//! Offers     [`outbox::append`], [`Consumer`] and [`Subscriptions`], [`Transport`] with the in-process one and
//!            [`RabbitMq`], the relay, the consumer runner and the readers of a broker's queues ([`Messaging`]),
//!            [`DeadLetters`] to list, replay and discard, [`supervised`] for work that must not end by a panic
//! Needs      `kernel`, `database`, `telemetry` (traces)
//!
//! Read `outbox.rs` first, then `relay.rs` and `attempt.rs`; between the two are `in_process.rs`, `runner.rs` and
//! `delivery.rs`, or `rabbitmq.rs`, `rabbitmq/intake.rs` and `rabbitmq/held.rs`: the two ways of an event.

mod attempt;
mod consumer;
pub mod dead_letters;
mod delivery;
mod delivery_queue;
mod envelope;
mod error_text;
mod in_process;
mod lease;
mod left_over;
mod messaging;
pub mod outbox;
mod outbox_queue;
mod pending;
mod rabbitmq;
mod relay;
mod runner;
mod schema;
mod settings;
mod subscriptions;
mod supervised;
mod transport;
mod tries;
mod waiting;
mod watch;

pub use consumer::{Consumer, Unconsumed};
pub use dead_letters::{DeadLetter, DeadLetters, DeadLettersError, Letter, Which};
pub use envelope::Envelope;
pub use in_process::InProcess;
pub use left_over::{LeftOver, left_over};
pub use messaging::{Messaging, Unsettled};
pub use pending::{Pending, pending};
pub use rabbitmq::{BrokerState, RabbitMq, RabbitMqError, RabbitMqSettings, render_topology};
pub use schema::migrations;
pub use settings::MessagingSettings;
pub use subscriptions::Subscriptions;
pub use supervised::supervised;
pub use transport::{Publish, Taken, Transport, TransportError};
