//! Messaging: facts from one service to another, none lost, each effective once.
//!
//! Owns       in every service's schema: `outbox`, `inbox`, `deliveries` (the in-process queue), `dead_letters`,
//!            `leases`
//! Offers     [`outbox::append`], [`Consumer`] and [`Subscriptions`], [`Transport`] with the in-process one, the
//!            relay and the consumer runner ([`Messaging`]), [`dead_letters`] to list and replay, [`supervised`] for work
//!            that must not end by a panic
//! Needs      `kernel`, `database`
//!
//! Read `outbox.rs` first, then `relay.rs`, `in_process.rs`, `runner.rs` and `delivery.rs`: the way of an event.

mod consumer;
pub mod dead_letters;
mod delivery;
mod delivery_queue;
mod envelope;
mod error_text;
mod in_process;
mod lease;
mod messaging;
pub mod outbox;
mod outbox_queue;
mod pending;
mod relay;
mod runner;
mod schema;
mod settings;
mod subscriptions;
mod supervised;
pub mod trace;
mod transport;
mod watch;

pub use consumer::{Consumer, Unconsumed};
pub use dead_letters::DeadLetter;
pub use envelope::Envelope;
pub use in_process::InProcess;
pub use messaging::{Messaging, Unsettled};
pub use pending::{Pending, pending};
pub use schema::migrations;
pub use settings::MessagingSettings;
pub use subscriptions::Subscriptions;
pub use supervised::supervised;
pub use transport::{Publish, Taken, Transport, TransportError};
