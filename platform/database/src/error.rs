//! What can go wrong with the database, and how a broken constraint becomes a domain fact.

use std::error::Error;

use plaza_kernel::{Failure, Kind};
use tokio_postgres::error::SqlState;

/// A failure of the database or of the way to it.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// No connection could be had, or the connection broke.
    #[error("the database is away")]
    Unavailable(#[source] Option<Box<dyn Error + Send + Sync>>),
    /// No place on a connection before the deadline.
    #[error("the database is busy")]
    Busy,
    /// A statement ran into `statement_timeout` or `lock_timeout`.
    #[error("a statement took too long")]
    Timeout(#[source] tokio_postgres::Error),
    /// A read returned more rows than the read door carries (500), or a single row was asked for and more came.
    #[error("a read returned more rows than allowed")]
    TooManyRows,
    /// A statement that must return one row returned none.
    #[error("a row is missing that has to exist")]
    MissingRow,
    /// A constraint refused the change.
    #[error("constraint {name} refused the change")]
    Constraint {
        /// The constraint's or unique index's name.
        name: String,
        /// What the server said.
        #[source]
        source: tokio_postgres::Error,
    },
    /// Two transactions met, or a migration changed what a statement returns; trying again is right.
    #[error("the transaction lost against another one")]
    Conflict(#[source] tokio_postgres::Error),
    /// A transaction was to be committed after one of its statements had failed: nothing was committed.
    #[error("the transaction had failed before it was to be committed")]
    NotCommitted,
    /// A parameter or a column does not have the type that the statement declares.
    #[error("a statement does not fit its declared types")]
    Misfit(#[source] tokio_postgres::Error),
    /// The login is more powerful than a service's may be.
    #[error("the login {role} {reason}")]
    UnsafeLogin {
        /// The role's name.
        role: String,
        /// What it is or may do.
        reason: &'static str,
    },
    /// The login is not the one that the policies are made for.
    #[error(
        "the login {role} is not {expected}, for which the policies are made: \
         are the addresses of the service and of its system login swapped?"
    )]
    WrongLogin {
        /// The role's name.
        role: String,
        /// The name it has to have.
        expected: String,
    },
    /// An address or a login cannot be used as it is written.
    #[error("the database address or its TLS settings cannot be used")]
    Misconfigured(#[source] Box<dyn Error + Send + Sync>),
    /// Anything else the server said.
    #[error("the database refused a statement")]
    Refused(#[source] tokio_postgres::Error),
}

/// The name of the constraint that a change broke, if that is what happened.
pub fn violated(error: &DatabaseError) -> Option<&str> {
    match error {
        DatabaseError::Constraint { name, .. } => Some(name),
        _ => None,
    }
}

/// The kind of a database failure, for the `Failure` of a verb that wraps one.
pub fn kind(error: &DatabaseError) -> Kind {
    match error {
        DatabaseError::Unavailable(_)
        | DatabaseError::Busy
        | DatabaseError::Timeout(_)
        | DatabaseError::Conflict(_) => Kind::Unavailable,
        DatabaseError::TooManyRows
        | DatabaseError::MissingRow
        | DatabaseError::Constraint { .. }
        | DatabaseError::NotCommitted
        | DatabaseError::Misfit(_)
        | DatabaseError::UnsafeLogin { .. }
        | DatabaseError::WrongLogin { .. }
        | DatabaseError::Misconfigured(_)
        | DatabaseError::Refused(_) => Kind::Internal,
    }
}

impl Failure for DatabaseError {
    fn kind(&self) -> Kind {
        kind(self)
    }

    fn code(&self) -> &'static str {
        match self.kind() {
            Kind::Unavailable => "DATABASE_UNAVAILABLE",
            _ => "INTERNAL",
        }
    }
}

impl From<tokio_postgres::Error> for DatabaseError {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(server) = error.as_db_error() else {
            return if was_never_sent(&error) {
                Self::Misfit(error)
            } else {
                Self::away(error)
            };
        };
        let code = server.code().clone();
        match (code, server.constraint()) {
            (SqlState::QUERY_CANCELED | SqlState::LOCK_NOT_AVAILABLE, _) => Self::Timeout(error),
            (SqlState::T_R_SERIALIZATION_FAILURE | SqlState::T_R_DEADLOCK_DETECTED, _) => {
                Self::Conflict(error)
            }
            (SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT, _) => Self::away(error),
            (code, _) if is_passing(&code) => Self::away(error),
            (_, Some(name)) => Self::Constraint {
                name: name.to_owned(),
                source: error,
            },
            _ => Self::Refused(error),
        }
    }
}

impl DatabaseError {
    pub(crate) fn away(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Unavailable(Some(error.into()))
    }

    /// Whether a prepared statement outlived a migration (0A000, its result changed) or the session's memory of
    /// it (26000).
    pub(crate) fn is_stale_statement(&self) -> bool {
        matches!(self, Self::Refused(error) if Self::is_stale(error))
    }

    pub(crate) fn is_stale(error: &tokio_postgres::Error) -> bool {
        error.code().is_some_and(|code| {
            *code == SqlState::FEATURE_NOT_SUPPORTED || *code == SqlState::INVALID_SQL_STATEMENT_NAME
        })
    }
}

// Class 53 is what the server lacks (disk, memory, connections), 57P0x is that it or the session ends or does not take
// anybody yet: neither is the statement's fault, and both pass.
fn is_passing(code: &SqlState) -> bool {
    code.code().starts_with("53") || code.code().starts_with("57P0")
}

// The driver does not show the kind of its errors; these two are made before anything is sent, and are ours.
fn was_never_sent(error: &tokio_postgres::Error) -> bool {
    let text = error.to_string();
    text.starts_with("error serializing parameter") || text.starts_with("expected ")
}
