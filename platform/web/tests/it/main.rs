//! The promises of `plaza-web`, without a database.

#![expect(clippy::unwrap_used, reason = "what a test cannot do without fails it")]

mod access;
mod extractors;
mod health;
mod limits;
mod openapi;
mod problems;
mod reference;
mod server;
mod support;
mod traces;
