//! The commands that are not a long-running process.

pub(crate) mod audit;
pub(crate) mod database_logins;
pub(crate) mod doctor;
pub(crate) mod events;
pub(crate) mod import;
pub(crate) mod internal_keys;
pub(crate) mod internal_token;
pub(crate) mod migrate;
pub(crate) mod openapi;
mod operator;
pub(crate) mod parts;
pub(crate) mod routes;
pub(crate) mod secrets;
pub(crate) mod seed;
pub(crate) mod simulator;
