//! End to end: the real binary, started as a process, driven over HTTP.
//!
//! Read `plaza.rs` (a running Plaza), `client.rs` (HTTP) and `story.rs` (the steps that most tests begin with) first.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a helper of a test may fail the test as the test itself may"
)]

mod audit;
mod campaigns;
mod client;
mod commands;
mod conformance;
mod dead_letters;
mod deploy;
mod doctor;
mod fairness;
mod faults;
mod fleet;
mod flights;
mod forge;
mod front;
mod guide;
mod internal_routes;
mod kill;
mod lifecycle;
mod lists;
mod mails;
mod matrix;
mod me;
mod outsider;
mod plaza;
mod process;
mod rolling;
mod secrets;
mod settings;
mod shell;
mod simulator;
mod sockets;
mod steering;
mod story;
mod superuser;
mod surface;
mod tenant_life;
mod topology;
mod tracing;
mod upgrade;
mod walk;
mod worker;
