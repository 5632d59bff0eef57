//! The commands that are not a long-running process.

pub(crate) mod import;
pub(crate) mod migrate;
pub(crate) mod openapi;
mod operator;
pub(crate) mod routes;
pub(crate) mod seed;
pub(crate) mod simulator;
pub(crate) mod worker;
