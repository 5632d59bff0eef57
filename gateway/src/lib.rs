//! Gateway: the front door. Everything from the public listener passes here and nowhere else.
//!
//! Offers     [`Gateway`] (from settings, upstreams and the operations that the services declare), [`Upstream`]
//! Reads      `routes.yaml`: which prefixes are public at all, and who stands behind them
//! Needs      `identity` (keys, sessions) and `tenancy` (tenants), through `contracts`
//!
//! Two rules hold throughout: what is malformed is refused, never repaired; and what is decided about is, byte for
//! byte, what is forwarded. Read `gateway.rs` first: `admit` is the path of a request, told in order.

mod authentication;
mod confirmed;
mod cors;
mod error;
mod explain;
mod gateway;
mod hosts;
mod hygiene;
mod keys;
mod refusal;
mod routes_file;
mod security_headers;
mod settings;
mod table;
mod target;
mod tenants;
mod token;
mod upstream;

pub use error::GatewayError;
pub use explain::Explanation;
pub use gateway::Gateway;
pub use settings::GatewaySettings;
pub use upstream::{Upstream, Upstreams};
