//! Rpc: services call each other through gRPC clients whose transport is either the callee itself, called in
//! process without a socket, or a channel to its address.
//!
//! Offers     [`Directory`] and [`Transport`], [`answer`] (a verb as a gRPC method), [`RpcError`] (a failure that
//!            crossed a service boundary with its kind and code), [`carry`] (deadline and request id for the calls
//!            that a piece of work makes)
//! Needs      `kernel`
//!
//! Deadline, message size and panics are the business of layers of our own around the callee, so that a call means
//! the same in both transports. Read `directory.rs` first, then `callee.rs`.

mod callee;
mod carried;
mod code;
mod directory;
mod error;
mod message_limit;
mod remote;
mod server;
mod status;
mod timeout;

pub use carried::{Carried, carried, carry};
pub use directory::{Directory, RpcSettings, Transport};
pub use error::{RpcError, TransportError};
pub use server::answer;
