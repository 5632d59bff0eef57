//! The promises of keys, on a real PostgreSQL.

mod catalogue;
mod keys;
mod platform;
mod tidy;
