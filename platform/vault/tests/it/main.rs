//! The promises of the vault, on a real PostgreSQL.

mod archive;
mod catalogue;
mod rotate;
mod seal;
mod start;
