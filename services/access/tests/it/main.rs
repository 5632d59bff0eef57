//! Access on a real database.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod catalogue;
mod permissions;
mod provisioning;
mod roles;
mod stage;
