//! Identity through its own doors, on a real PostgreSQL, logged in as its own roles.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something is missing; the test kit shows what"
)]

mod account_calls;
mod audit;
mod catalogue;
mod house;
mod housekeeping;
mod internal_users;
mod keys;
mod link_guesses;
mod login;
mod me_update;
mod member_calls;
mod own_sessions;
mod owners;
mod recovery;
mod recovery_story;
mod refresh;
mod register;
mod session_calls;
mod setup;
mod stub_access;
mod stub_notification;
mod stub_tenancy;
mod tenants_end;
mod throttling;
mod user_remove;
mod user_update;
mod users;
mod verification;
