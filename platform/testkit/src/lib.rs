//! Test kit: a real database, one mounted service, callers, and assertions that say what happened.
//!
//! Owns       the shared test cluster in `target/testdb`
//! Offers     [`TestDatabase`] (a clone of a migrated template), [`Mounted`] (one service's routes without a
//!            socket), [`callers`], [`Permit`], [`RoundTrips`], [`settle`], [`eventually`], one-line catalogue tests
//! Needs      `kernel`, `crypto`, `database`, `messaging`, `web`; no service, and names none
//!
//! A service's test:
//! ```text
//! let database = TestDatabase::fresh(&[plaza_broadcast::schema()]).await;
//! let broadcast = Broadcast::new(config, database.of(BROADCAST), …);
//! let mounted = Mounted::new(broadcast.http(Permit::all()));
//! let owner = callers::owner(callers::tenant());
//! let reply = mounted.as_caller(&owner).post("/api/v1/broadcast/campaigns", &json!({"name": "Spring"})).await;
//! reply.assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_BODY");
//! ```

pub mod callers;
pub mod catalogue;
mod client;
pub mod cluster;
mod connect;
mod eventually;
mod logs;
mod permit;
mod round_trips;
mod settle;
mod template;
mod test_database;
mod unhandled;

pub use client::{Client, Mounted, Reply};
pub use eventually::eventually;
pub use logs::show_logs;
pub use permit::Permit;
pub use round_trips::RoundTrips;
pub use settle::{assert_nothing_unhandled, settle};
pub use test_database::TestDatabase;
