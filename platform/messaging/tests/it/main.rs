//! The promises of messaging, on a real PostgreSQL.

mod catalogue;
mod clean;
mod consume;
mod crash;
mod isolate;
mod ledger;
mod relay;
mod run;
