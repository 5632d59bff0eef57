//! Internal trust and the choice of addresses, from outside.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod addresses;
mod forge;
mod forged;
mod health;
mod retries;
mod tokens;
