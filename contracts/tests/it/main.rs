//! The contract suite: what a call to another service promises, over every transport; and the cached way to
//! permissions.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod events;
mod latency;
mod loopback;
mod permissions;
mod stub_access;
mod stub_tenancy;
mod transports;
