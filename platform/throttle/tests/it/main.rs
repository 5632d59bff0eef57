//! The promises of limits, on a real PostgreSQL.

#![expect(clippy::unwrap_used, reason = "what a test cannot do without fails it")]

mod away;
mod catalogue;
mod limits;
