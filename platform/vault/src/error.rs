//! What can go wrong with a secret.

use plaza_crypto::KeyRingError;
use plaza_database::DatabaseError;
use plaza_kernel::{Failure, Kind};

/// A value was not sealed or not opened.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The database failed.
    #[error("the data keys could not be read")]
    Database(#[from] DatabaseError),
    /// The value, or the key that it was sealed with, cannot be used.
    #[error("the value does not open with the configured encryption keys")]
    Sealed(#[from] KeyRingError),
    /// The database has something that was sealed with a key which the configuration does not have.
    #[error(
        "the encryption key `{key}` is missing: {count} data keys or values of {service} were sealed with it"
    )]
    KeyMissing {
        /// The key's id.
        key: String,
        /// How much was sealed with it.
        count: i64,
        /// Whose schema it is.
        service: plaza_kernel::ServiceName,
    },
    /// The configuration has a key of this id, but it is another one.
    #[error("the encryption key `{key}` is not the one that {service} sealed with: nothing opens with it")]
    OtherKey {
        /// The key's id.
        key: String,
        /// Whose schema it is.
        service: plaza_kernel::ServiceName,
    },
    /// Told to stop before the end.
    #[error("stopped before everything was sealed anew")]
    Stopped,
}

impl Failure for VaultError {
    fn kind(&self) -> Kind {
        match self {
            Self::Database(error) => error.kind(),
            Self::Stopped => Kind::Unavailable,
            Self::Sealed(_) | Self::KeyMissing { .. } | Self::OtherKey { .. } => Kind::Internal,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Database(error) => error.code(),
            Self::Stopped => "VAULT_STOPPED",
            Self::Sealed(_) | Self::KeyMissing { .. } | Self::OtherKey { .. } => "INTERNAL",
        }
    }
}
