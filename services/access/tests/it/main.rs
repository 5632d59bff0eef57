//! Access on a real database.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod call_guards;
mod catalogue;
mod explain;
mod neighbours;
mod permissions;
mod provisioning;
mod role_calls;
mod roles;
mod stage;
