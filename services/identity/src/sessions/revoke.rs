//! Revoke: end a session that need not be one's own.

use plaza_database::DatabaseError;
use plaza_kernel::{Failure, Kind, Scope, SessionId, UserId};

use super::store::Statements;
use crate::Identity;
use crate::scoped::ScopedTx;

/// A session was not ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RevokeError {
    /// No such session of this user here.
    #[error("the session does not exist")]
    NotFound,
    /// The database failed.
    #[error("the end of the session could not be stored")]
    Database(#[from] DatabaseError),
}

impl Failure for RevokeError {
    fn kind(&self) -> Kind {
        match self {
            Self::NotFound => Kind::NotFound,
            Self::Database(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "SESSION_NOT_FOUND",
            Self::Database(error) => error.code(),
        }
    }
}

impl Identity {
    /// Ends the session of a user. Doing it again changes nothing.
    pub(crate) async fn revoke(
        &self,
        scope: Scope,
        user: UserId,
        session: SessionId,
    ) -> Result<(), RevokeError> {
        let tx = ScopedTx::begin(self.database(), scope);
        let revoke = Statements::of(scope).revoke_of;
        let row = (session, user, self.clock().now(), "revoked".to_owned());
        if tx.execute(revoke, row).await? == 0 {
            return Err(RevokeError::NotFound);
        }
        Ok(tx.commit().await?)
    }
}
