//! Why a database was not brought to what this program needs.

use plaza_kernel::ServiceName;

use crate::DatabaseError;

/// Why a database was not brought to what this program needs. What was applied before stays applied.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The migrator cannot log in.
    #[error("the migrator cannot log in")]
    Connect(#[source] DatabaseError),
    /// A step before the migrations themselves was refused.
    #[error("{step} was refused: {}", detail(.source))]
    Setup {
        /// What was to be done.
        step: &'static str,
        /// What the server said.
        #[source]
        source: tokio_postgres::Error,
    },
    /// A migration was applied with another text or name than it has now.
    #[error("schema {schema}: {applied} was applied with another text or name than it has in this program")]
    Diverged {
        /// The schema.
        schema: ServiceName,
        /// The migration as it was applied.
        applied: String,
    },
    /// The database knows a migration that this program does not have: it belongs to a newer version.
    #[error(
        "schema {schema}: {applied} was applied, and this program does not have it; is the program older?"
    )]
    Unknown {
        /// The schema.
        schema: ServiceName,
        /// The migration as it was applied.
        applied: String,
    },
    /// A migration is older than the newest applied one, and was never applied.
    #[error("schema {schema}: {migration} is older than what is applied already; give it a newer timestamp")]
    OutOfOrder {
        /// The schema.
        schema: ServiceName,
        /// The migration.
        migration: String,
    },
    /// Two migrations have the same number.
    #[error("schema {schema}: {migration} has the number of another migration")]
    Repeated {
        /// The schema.
        schema: ServiceName,
        /// The second one.
        migration: String,
    },
    /// The name of a migration cannot be used.
    #[error("schema {schema}: {source}")]
    Name {
        /// The schema.
        schema: ServiceName,
        /// Why not.
        source: refinery::Error,
    },
    /// Another program migrates this database, and does not come to an end.
    #[error("another migration of this database runs, and did not end in time: begin again later")]
    Busy,
    /// A migration outside of a transaction failed. What it left behind is taken away when it is begun again.
    #[error("schema {schema}: {migration} failed, and is begun anew the next time: {}", detail(.source))]
    Outside {
        /// The schema.
        schema: ServiceName,
        /// The migration.
        migration: String,
        /// What the server said.
        #[source]
        source: tokio_postgres::Error,
    },
    /// A migration failed, and left nothing behind.
    #[error("schema {schema}: {source}: {}", server_text(.source))]
    Failed {
        /// The schema.
        schema: ServiceName,
        /// Which one, and what the server said.
        source: refinery::Error,
    },
}

impl MigrateError {
    /// For `map_err`: the server refused a step.
    pub(super) fn refused(step: &'static str) -> impl FnOnce(tokio_postgres::Error) -> Self {
        move |source| Self::Setup { step, source }
    }

    /// Sorts what refinery says; `knows` tells whether this program has a migration of that number.
    pub(super) fn sort(schema: ServiceName, source: refinery::Error, knows: impl Fn(i64) -> bool) -> Self {
        use refinery::error::Kind;
        match source.kind() {
            Kind::DivergentVersion(applied, _) => Self::Diverged {
                schema,
                applied: applied.to_string(),
            },
            Kind::MissingVersion(migration) if knows(migration.version()) => Self::OutOfOrder {
                schema,
                migration: migration.to_string(),
            },
            Kind::MissingVersion(applied) => Self::Unknown {
                schema,
                applied: applied.to_string(),
            },
            Kind::InvalidName | Kind::InvalidVersion => Self::Name { schema, source },
            _ => Self::Failed { schema, source },
        }
    }
}

fn detail(error: &tokio_postgres::Error) -> String {
    error
        .as_db_error()
        .map_or_else(|| error.to_string(), |server| server.message().to_owned())
}

fn server_text(error: &refinery::Error) -> String {
    let source = std::error::Error::source(error);
    match source.and_then(|source| source.downcast_ref::<tokio_postgres::Error>()) {
        Some(error) => error.as_db_error().map_or_else(|| error.to_string(), whole),
        None => String::new(),
    }
}

fn whole(server: &tokio_postgres::error::DbError) -> String {
    let parts = [
        Some(server.message()),
        server.detail(),
        server.hint(),
        server.where_(),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}
