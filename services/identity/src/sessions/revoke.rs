//! Revoke: end a session that need not be one's own.

use plaza_contracts::incoming::TenantRight;
use plaza_contracts::permissions::UpdateUsers;
use plaza_database::{DatabaseError, Transaction};
use plaza_kernel::{Failure, Kind, Scope, SessionId, UserId};

use super::EndSessionsError;
use super::end_all::check_reach;
use super::store::Statements;
use crate::scoped::ScopedTx;
use crate::{Identity, audit};

/// A session was not ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RevokeError {
    /// No such session of this user here.
    #[error("the session does not exist")]
    NotFound,
    /// Not a member, or one that only owners may do this to.
    #[error(transparent)]
    Member(EndSessionsError),
    /// The database failed.
    #[error("the end of the session could not be stored")]
    Database(#[from] DatabaseError),
}

impl Failure for RevokeError {
    fn kind(&self) -> Kind {
        match self {
            Self::NotFound => Kind::NotFound,
            Self::Member(error) => error.kind(),
            Self::Database(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "SESSION_NOT_FOUND",
            Self::Member(error) => error.code(),
            Self::Database(error) => error.code(),
        }
    }
}

impl From<EndSessionsError> for RevokeError {
    fn from(error: EndSessionsError) -> Self {
        match error {
            // Who is no member any more has no session to end.
            EndSessionsError::NotFound => Self::NotFound,
            error => Self::Member(error),
        }
    }
}

impl Identity {
    /// Ends the session of a user, for the user or the platform. Doing it again changes nothing.
    pub(crate) async fn revoke(
        &self,
        scope: Scope,
        user: UserId,
        session: SessionId,
    ) -> Result<(), RevokeError> {
        let tx = ScopedTx::begin(self.database(), scope);
        self.revoke_in(&tx, scope, user, session).await?;
        Ok(tx.commit().await?)
    }

    /// Ends the session of a member; an owner's only for owners.
    pub(crate) async fn revoke_of_member(
        &self,
        right: &TenantRight<UpdateUsers>,
        user: UserId,
        session: SessionId,
    ) -> Result<(), RevokeError> {
        let tx = self.database().begin(right.tenant());
        check_reach(&tx, right, user).await?;
        self.revoke_in(&tx, right.tenant().into(), user, session).await?;
        Ok(tx.commit().await?)
    }

    async fn revoke_in(
        &self,
        tx: &Transaction,
        scope: Scope,
        user: UserId,
        session: SessionId,
    ) -> Result<(), RevokeError> {
        let (revoke, now) = (Statements::of(scope).revoke_of, self.clock().now());
        let row = (session, user, now, "revoked".to_owned());
        let (ends_now,) = tx.optional(revoke, row).await?.ok_or(RevokeError::NotFound)?;
        if ends_now {
            audit::session_ended(tx, self.clock(), session, user).await?;
        }
        Ok(())
    }
}
