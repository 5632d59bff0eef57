//! Tenancy on a real database, its neighbours stubbed.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod calls;
mod catalogue;
mod owner_links;
mod stage;
mod tenants;
