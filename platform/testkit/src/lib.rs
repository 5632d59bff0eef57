//! Test kit: a real database, one mounted service, callers, and assertions that say what happened.
//!
//! Owns       the shared test cluster in `target/testdb` and the shared broker in `target/testmq`
//! Offers     [`TestDatabase`] (a clone of a migrated template), [`rabbitmq`] (a virtual host, or a broker to kill),
//!            [`Mounted`] (one service's routes without a socket), [`callers`], [`Permit`], [`settle`], [`eventually`],
//!            one-line catalogue tests; what stands around Plaza: [`fault_proxy`], [`haproxy`], [`otlp`], [`python`], [`smtp`];
//!            [`RoundTrips`]; [`forge`]
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
pub mod fault_proxy;
pub mod forge;
pub mod haproxy;
mod logs;
mod marked;
pub mod otlp;
pub mod packages;
mod permit;
mod ports;
mod process_name;
mod programs;
pub mod python;
pub mod rabbitmq;
mod round_trips;
mod settle;
mod shared_folder;
pub mod smtp;
mod template;
mod test_database;
mod unhandled;

pub use client::{Client, Mounted, Reply, upload};
pub use eventually::eventually;
pub use logs::show_logs;
pub use permit::Permit;
pub use programs::ProgramMissing;
pub use round_trips::RoundTrips;
pub use settle::{assert_nothing_unhandled, settle};
pub use test_database::TestDatabase;
