//! Database: the only way to PostgreSQL.
//!
//! Owns       every connection, the embedded cluster, roles, migrations, the catalogue lint
//! Offers     [`Database::read`] (one statement, one round trip), [`Database::begin`] (a [`TenantTx`]),
//!            [`statements!`], [`row!`] and
//!            [`temp_tables!`] (typed statements), [`Schema`] and [`migrate`], [`lint`] and [`check`]
//! Needs      `kernel`, `crypto` (role passwords)
//!
//! Read `statement.rs` first, then `read_door.rs` (with `shared.rs` and `keeper.rs`) and `transaction.rs` (with
//! `pool.rs`). What migrations may call is in `migrate/plaza_schema.sql`.

pub mod check;
mod connector;
mod database;
pub mod embedded;
mod error;
mod keeper;
pub mod lint;
mod logins;
pub mod migrate;
mod params;
mod pool;
mod read_door;
mod roles;
mod row;
mod schema;
mod scope_setting;
mod scoped;
mod settings;
mod shared;
mod signals;
mod statement;
mod statements;
mod tasks;
mod temp_table;
mod transaction;

pub use database::{Database, Databases};
pub use error::{DatabaseError, kind, violated};
pub use params::Params;
pub use roles::derived_logins;
pub use row::Row;
#[doc(hidden)]
pub use row::column_mismatch;
pub use schema::{Migration, Schema};
pub use scoped::{PlatformTx, SystemTx, TenantTx};
pub use settings::{DatabaseLimits, DatabaseSettings, Login};
#[doc(hidden)]
pub use statement::mismatches as statement_mismatches;
pub use statement::{Query, RegisteredStatement, STATEMENTS, StatementRole, registered_by};
#[doc(hidden)]
pub use temp_table::TempTableTexts;
pub use temp_table::{RegisteredTempTable, TEMP_TABLES, TempTable};
pub use transaction::Transaction;

/// What the macros of this crate expand to; not for use by hand.
#[doc(hidden)]
pub mod private {
    pub use {linkme, postgres_types, tokio_postgres};
}
