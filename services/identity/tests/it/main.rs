//! Identity through its own doors, on a real PostgreSQL, logged in as its own roles.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something is missing; the test kit shows what"
)]

mod account_calls;
mod catalogue;
mod house;
mod housekeeping;
mod keys;
mod login;
mod member_calls;
mod owners;
mod refresh;
mod register;
mod session_calls;
mod setup;
mod stub_access;
mod stub_tenancy;
mod users;
