//! Gateway: the front door. Everything from the public listener passes here and nowhere else.
//!
//! Offers     [`Gateway`] (from settings, upstreams and the operations that the services declare), [`Upstream`] (a
//!            service in this process, or elsewhere over HTTP/1.1)
//! Reads      `routes.yaml`: which prefixes are public at all, and who stands behind them
//! Needs      `identity` (keys, sessions) and `tenancy` (tenants), through `contracts`
//!
//! Two rules hold throughout: what is malformed is refused, never repaired; and what is decided about is, byte for
//! byte, what is forwarded. Read `gateway.rs` first: `admit` is the path of a request, told in order.
//! What happens on the way to a service elsewhere is in `remote.rs`.

mod authentication;
mod client_address;
mod confirmed;
mod cors;
mod error;
mod explain;
#[doc(hidden)]
pub mod fuzzing;
mod gateway;
mod hosts;
mod hygiene;
mod keys;
mod refusal;
mod remote;
mod routes_file;
mod security_headers;
mod settings;
mod table;
mod target;
mod tenants;
mod token;
mod upkeep;
mod upstream;

/// Marks the answer of an internal listener that does not believe who calls: a fault between processes, and never one
/// of the person's.
pub const INTERNAL_REFUSED: http::HeaderName = http::HeaderName::from_static("x-plaza-internal-refused");

pub use client_address::ProxyHeader;
pub use error::GatewayError;
pub use explain::Explanation;
pub use gateway::Gateway;
pub use remote::Remote;
pub use settings::{GatewaySettings, RemoteSettings};
pub use upstream::{Upstream, Upstreams};
