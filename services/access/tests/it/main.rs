//! Access on a real database.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod audit;
mod audits;
mod call_guards;
mod catalogue;
mod explain;
mod internal_roles;
mod menus;
mod migration;
mod neighbours;
mod permissions;
mod provisioning;
mod removal;
mod role_calls;
mod role_update;
mod roles;
mod stage;
mod trail;
