//! What a service brings to the database.

use plaza_kernel::ServiceName;

/// One migration: `V20261120093000__name` and its SQL. Never edited once landed.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// File name without `.sql`: `V<timestamp>__<what it does>`.
    pub name: &'static str,
    /// The SQL, run as `plaza_owner` with `search_path` set to the service's schema, in one transaction. One whose first
    /// line is `-- Outside of a transaction.` is a single statement outside of one: `CREATE INDEX CONCURRENTLY IF NOT
    /// EXISTS …`, for tables that are written while they are large.
    pub sql: &'static str,
}

/// Includes migrations by file name, in order, from the crate's `migrations/` folder.
///
/// `migrations!["V20261120093000__users", …]`
#[macro_export]
macro_rules! migrations {
    ($($name:literal),* $(,)?) => {
        &[$($crate::Migration {
            name: $name,
            sql: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/", $name, ".sql")),
        }),*]
    };
}

/// A service's schema, named like the service, with its migrations.
#[derive(Debug, Clone)]
pub struct Schema {
    service: ServiceName,
    migrations: Vec<Migration>,
}

impl Schema {
    /// A schema with the service's own migrations.
    pub fn new(service: ServiceName, own: &[Migration]) -> Self {
        Self {
            service,
            migrations: own.to_vec(),
        }
    }

    /// With the migrations of a shared part too (outbox and inbox of `platform/messaging`).
    #[must_use]
    pub fn with(mut self, shared: &[Migration]) -> Self {
        self.migrations.extend_from_slice(shared);
        self
    }

    /// Whose it is.
    pub fn service(&self) -> ServiceName {
        self.service
    }

    /// All migrations in the order of their timestamps.
    pub fn migrations(&self) -> Vec<Migration> {
        let mut ordered = self.migrations.clone();
        ordered.sort_by_key(|migration| migration.name);
        ordered
    }
}
