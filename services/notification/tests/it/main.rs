//! Notification through its own doors, on a real PostgreSQL, towards a provider over real HTTP.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something is missing; the test kit shows what"
)]

mod access;
mod audit;
mod call_rights;
mod campaign;
mod catalogue;
mod crash;
mod doors;
mod fairness;
mod hold;
mod holding;
mod inbound;
mod inbox;
mod ladder;
mod lessons;
mod limits;
mod mails;
mod meta;
mod outcomes;
mod plans;
mod provider_faults;
mod queueing;
mod rates;
mod rpc;
mod senders;
mod single;
mod stage;
mod suppressions;
mod texts;
mod traces;
mod tries;
mod twilio_webhook;
mod webhook;
