//! Why a request with a key is not carried out.

use plaza_database::{DatabaseError, kind};
use plaza_kernel::{Failure, Kind};

/// Why a request with a key is not carried out.
#[derive(Debug, thiserror::Error)]
pub enum OnceError {
    /// The first one is still under way.
    #[error("a request with this key is under way")]
    Running,
    /// The key was used for another request.
    #[error("this key was used for another request")]
    Mismatch,
    /// The answer is none that could be kept.
    #[error("the answer cannot be kept")]
    Answer(#[source] serde_json::Error),
    /// The database failed.
    #[error("database failed")]
    Database(#[from] DatabaseError),
}

impl Failure for OnceError {
    fn kind(&self) -> Kind {
        match self {
            Self::Running => Kind::Conflict,
            Self::Mismatch => Kind::Invalid,
            Self::Answer(_) => Kind::Internal,
            Self::Database(error) => kind(error),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Running => "IDEMPOTENCY_RUNNING",
            Self::Mismatch => "IDEMPOTENCY_MISMATCH",
            Self::Answer(_) => "INTERNAL",
            Self::Database(error) => error.code(),
        }
    }

    fn retry_after(&self) -> Option<u32> {
        match self {
            Self::Running => Some(1),
            Self::Database(error) => error.retry_after(),
            Self::Mismatch | Self::Answer(_) => None,
        }
    }
}
