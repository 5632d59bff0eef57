//! Giving a sender a new access token: the old one ran out, or was withdrawn.

use plaza_contracts::ids::SenderId;
use plaza_contracts::incoming::TenantRight;
use plaza_contracts::permissions::ManageSenders;
use plaza_database::DatabaseError;
use plaza_kernel::{Failure, FieldError, Kind};
use plaza_vault::VaultError;
use secrecy::SecretString;

use super::create::check_token;
use super::store;
use crate::{Notification, audit, dispatch};

/// Why a sender's token was not renewed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RenewTokenError {
    #[error("the token is not acceptable")]
    Invalid(FieldError),
    #[error("this sender does not exist")]
    NotFound,
    #[error("the token was not sealed")]
    Vault(#[from] VaultError),
    #[error("database failed")]
    Database(#[from] DatabaseError),
}

impl Failure for RenewTokenError {
    fn kind(&self) -> Kind {
        match self {
            Self::Invalid(_) => Kind::Invalid,
            Self::NotFound => Kind::NotFound,
            Self::Vault(error) => error.kind(),
            Self::Database(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "INVALID_SENDER",
            Self::NotFound => "SENDER_NOT_FOUND",
            Self::Vault(error) => error.code(),
            Self::Database(error) => error.code(),
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        match self {
            Self::Invalid(field) => vec![field.clone()],
            _ => Vec::new(),
        }
    }
}

impl Notification {
    /// Seals the new token. A sender that was stopped for its token goes on; one that was paused stays paused.
    pub(crate) async fn renew_token(
        &self,
        right: &TenantRight<ManageSenders>,
        id: SenderId,
        token: &SecretString,
    ) -> Result<(), RenewTokenError> {
        check_token("/access_token", token).map_or(Ok(()), |field| Err(RenewTokenError::Invalid(field)))?;
        let tx = self.inner.database.begin(right.tenant());
        let sealed = self.seal_token(&tx, id, token).await?;
        if !store::set_token(&tx, id, sealed, self.inner.clock.now()).await? {
            return Err(RenewTokenError::NotFound);
        }
        plaza_audit::done(&tx, &self.inner.clock, &audit::SENDER_RENEWED, id).await?;
        tx.signal_on_commit(dispatch::DUE);
        tx.commit().await?;
        Ok(())
    }
}
