//! Identity through its own doors, on a real PostgreSQL, logged in as its own roles.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something is missing; the test kit shows what"
)]

mod catalogue;
mod house;
mod housekeeping;
mod keys;
mod login;
mod owners;
mod refresh;
mod register;
mod setup;
mod users;
