//! Rpc: services call each other through gRPC clients whose transport is either the callee itself, called in
//! process without a socket, or connections to its addresses.
//!
//! Offers     [`Directory`] and [`Transport`], [`answer`] (a verb as a gRPC method), [`RpcError`] (a failure that
//!            crossed a service boundary with its kind and code), [`carry`] (deadline, request id and person for the
//!            calls that a piece of work makes), [`Peer`] (who calls), [`InternalKeys`] (services prove to each other
//!            who they are), [`Addresses`] (least load and health), [`RpcListener`] (gRPC on a socket)
//! Needs      `kernel`, `crypto`, `telemetry`
//!
//! Who calls, deadline, message size and panics are the business of layers of our own around the callee, so that a
//! call means the same in both transports. Read `directory.rs` first, then `callee.rs`.

mod addresses;
mod callee;
mod carried;
mod code;
mod directory;
mod error;
pub mod internal;
mod listener;
mod message_limit;
mod peer;
mod recent;
mod remote;
mod server;
mod status;
mod timeout;

pub use addresses::{AddressError, Addresses, Chosen, HealthSettings};
pub use carried::{Carried, carried, carry, carry_as_service};
pub use directory::{Directory, MayCall, RpcSettings, Transport};
pub use error::RpcError;
pub use internal::{
    INTERNAL_TOKEN, InternalClaims, InternalKeyError, InternalKeys, NotTrusted, Signer, Verifier,
};
pub use listener::{ListenerError, Reflection, RpcListener};
pub use peer::Peer;
pub use server::answer;
