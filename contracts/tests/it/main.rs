//! The contract suite: what a call to another service promises, over every transport; and the cached way to
//! permissions.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod both;
mod callers;
mod events;
mod events_page;
mod failing;
mod latency;
mod listener;
mod loopback;
mod peers;
mod permissions;
mod scene;
mod stub_access;
mod stub_tenancy;
mod topology;
mod transports;
mod trust;
