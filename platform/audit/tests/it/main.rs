//! The promises of the audit, on a real PostgreSQL.

mod append_only;
mod catalogue;
mod chain;
mod denied;
mod fairness;
mod list;
mod shop;
mod verify;
