//! Tests of broadcast through HTTP on a real PostgreSQL, logged in as its own roles.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test may fail the test as the test itself may"
)]

mod campaigns;
mod catalogue;
mod doors;
mod fairness;
mod hostile_files;
mod imports;
mod logs;
mod planning;
mod plans;
mod recipients;
mod templates;
mod town;
mod traces;
