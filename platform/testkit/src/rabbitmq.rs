//! RabbitMQ for tests: one broker that all test processes share, a virtual host of it for each test, and brokers that one
//! test owns, to kill and restart.
//!
//! `PLAZA_TEST_RABBITMQ_URL` (an administrator's login, `amqp://user:password@host:port`, with the management API ten
//! thousand ports higher, as RabbitMQ has it by default) names a broker that is there already; `cargo xtask test` sets it.
//! Otherwise one in `target/testmq` is started by whoever needs it first and left running for the next.
//!
//! A broker of ours is on the loopback address with everything (AMQP, management, Erlang's distribution and port mapper),
//! on ports of its own, with a folder, a name, a cookie and a port mapper of its own: it meets no other Erlang of the
//! machine. It runs as the user of the tests, root or not. All its processes carry a mark by which they are found and
//! ended (`marked.rs`), also those of a test that was killed.
//!
//! Tests with a [`Broker`] stand in modules named `own_broker`: nextest runs those one at a time (`.config/nextest.toml`).
//!
//! Read `shared.rs` first, then `server.rs`.

mod broker;
mod handshake;
mod management;
mod permissions;
mod server;
mod settings;
mod shared;
mod vhost;

pub use broker::Broker;
pub use permissions::{Permissions, Topics};
pub use shared::{start_shared, stop_shared, url, usual_folder};
pub use vhost::Vhost;

/// The Debian package of the broker.
pub const PACKAGE: &str = "rabbitmq-server";
