//! Why the audit cannot be read.

use plaza_contracts::audit::NotUnderstood;
use plaza_database::DatabaseError;
use plaza_kernel::{Failure, FieldError, Kind};
use plaza_rpc::RpcError;

/// Why the audit cannot be read. What one service does not tell is not left out: who reads would take it for not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TrailError {
    /// Another tenant's, whether there is one or not.
    #[error("you may not do this")]
    OtherTenant,
    /// The text does not say where to go on.
    #[error("not an `after` of this check")]
    Position,
    /// A service says no, or nothing; tenancy's `TENANT_NOT_FOUND` among it.
    #[error(transparent)]
    Service(#[from] RpcError),
    #[error(transparent)]
    Answer(#[from] NotUnderstood),
    #[error("database failed")]
    Database(#[from] DatabaseError),
}

impl Failure for TrailError {
    fn kind(&self) -> Kind {
        match self {
            Self::OtherTenant => Kind::Forbidden,
            Self::Position => Kind::Invalid,
            Self::Service(error) => error.kind(),
            Self::Answer(error) => error.kind(),
            Self::Database(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::OtherTenant => "FORBIDDEN",
            Self::Position => "INVALID_QUERY",
            Self::Service(error) => error.code(),
            Self::Answer(error) => error.code(),
            Self::Database(error) => error.code(),
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        match self {
            Self::Position => vec![FieldError::new("after", "INVALID_VALUE", self.to_string())],
            _ => Vec::new(),
        }
    }

    fn retry_after(&self) -> Option<u32> {
        match self {
            Self::OtherTenant | Self::Position => None,
            Self::Service(error) => error.retry_after(),
            Self::Answer(error) => error.retry_after(),
            Self::Database(error) => error.retry_after(),
        }
    }
}
