//! End all sessions: one's own everywhere, or those that a member has in the tenant.

use plaza_contracts::incoming::TenantRight;
use plaza_contracts::permissions::UpdateUsers;
use plaza_database::{DatabaseError, TenantTx};
use plaza_kernel::{Caller, Failure, Kind, UserId};

use super::store;
use crate::scoped::ScopedTx;
use crate::users::{Act, Overreach, store as users};
use crate::{Identity, audit};

/// A member's sessions were not ended.
#[derive(Debug, thiserror::Error)]
pub enum EndSessionsError {
    /// No such member of this tenant.
    #[error("the user does not exist")]
    NotFound,
    /// The rules do not allow it.
    #[error(transparent)]
    Overreach(#[from] Overreach),
    /// The database failed.
    #[error("the end of the sessions could not be stored")]
    Database(#[from] DatabaseError),
}

impl Failure for EndSessionsError {
    fn kind(&self) -> Kind {
        match self {
            Self::NotFound => Kind::NotFound,
            Self::Overreach(error) => error.kind(),
            Self::Database(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "USER_NOT_FOUND",
            Self::Overreach(error) => error.code(),
            Self::Database(error) => error.code(),
        }
    }
}

impl Identity {
    /// Ends every session of the caller's account, this one too, in every tenant.
    pub(crate) async fn logout_all(&self, caller: &Caller) -> Result<(), DatabaseError> {
        let tx = ScopedTx::begin(self.database(), caller.scope());
        users::end_sessions(&tx, caller.subject).await?;
        plaza_audit::done(&tx, self.clock(), &audit::SESSIONS_ENDED, caller.subject).await?;
        tx.commit().await
    }

    /// Ends every session that a member has in the tenant; an owner's only for owners. What they do elsewhere is not the tenant's business.
    pub(crate) async fn end_user_sessions(
        &self,
        right: &TenantRight<UpdateUsers>,
        user: UserId,
    ) -> Result<(), EndSessionsError> {
        let tx = self.database().begin(right.tenant());
        check_reach(&tx, right, user).await?;
        store::end_all(&tx, user, "revoked", self.clock().now()).await?;
        plaza_audit::done(&tx, self.clock(), &audit::SESSIONS_ENDED, user).await?;
        Ok(tx.commit().await?)
    }
}

/// Whether whoever has this right may end sessions of the member, who is held until the transaction ends.
pub(super) async fn check_reach(
    tx: &TenantTx,
    right: &TenantRight<UpdateUsers>,
    user: UserId,
) -> Result<(), EndSessionsError> {
    let owners = users::lock_owners(tx).await?;
    let target = users::lock_member(tx, user).await?;
    let target = target.ok_or(EndSessionsError::NotFound)?;
    let act = Act {
        actor: right.person().map(|person| person.subject),
        owners: &owners,
        target: &target,
    };
    Ok(act.end_sessions()?)
}
