//! The gateway in front of an echo, with an identity and a tenancy that the tests hold in their hands.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod clients;
mod cross_origin;
mod echo;
mod elsewhere;
mod framing;
mod headers;
mod house;
mod latency;
mod matching;
mod raw;
mod refusals;
mod remote;
mod rough;
mod sessions;
mod streaming;
mod stub_identity;
mod stub_tenancy;
mod target_property;
mod tenants;
mod tokens;
