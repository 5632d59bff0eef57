//! Notification through its own doors, on a real PostgreSQL, towards a provider over real HTTP.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something is missing; the test kit shows what"
)]

mod access;
mod call_rights;
mod campaign;
mod catalogue;
mod crash;
mod doors;
mod fairness;
mod hold;
mod ladder;
mod meta;
mod outcomes;
mod plans;
mod queueing;
mod rates;
mod rpc;
mod senders;
mod stage;
mod suppressions;
mod traces;
mod webhook;
