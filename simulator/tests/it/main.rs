//! The simulator over HTTP, as an adapter and a webhook see it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod callbacks;
mod faults;
mod inbound;
mod load;
mod peer;
mod receiver;
mod restart;
mod send;
mod texts;
mod traces;
