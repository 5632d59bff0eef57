//! What the database crate promises, on a real PostgreSQL, as the service's own logins.

#![expect(clippy::unwrap_used, reason = "a fixture that cannot be set up ends the test")]
#![expect(
    clippy::disallowed_methods,
    reason = "tests start requests, and wait for them"
)]

mod cancellation;
mod copies;
mod embedded;
mod isolation;
mod ledger;
mod lints;
mod logins;
mod migrations;
mod proxy;
mod read_door;
mod statement_check;
mod transactions;
