//! Tenancy on a real database, its neighbours stubbed.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod audit;
mod calls;
mod catalogue;
mod configuration;
mod end;
mod life;
mod migration;
mod neighbours;
mod owner_links;
mod secrets;
mod stage;
mod tenants;
mod update;
