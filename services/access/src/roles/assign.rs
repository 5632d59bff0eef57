//! Giving a role to a member and taking it away.

use plaza_contracts::permissions::AssignRoles;
use plaza_database::{DatabaseError, TenantTx};
use plaza_kernel::{Failure, Kind, UserId};
use plaza_web::{Granted, May};

use super::{RoleId, store};
use crate::Access;
use crate::grants::{self, held};

/// Why a role was not given or taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AssignError {
    #[error("this role does not exist")]
    NotFound,
    #[error("nobody gives more than they hold, and nobody gives to themselves")]
    GrantsTooMuch,
    #[error("database failed")]
    Database(#[from] DatabaseError),
}

impl Failure for AssignError {
    fn kind(&self) -> Kind {
        match self {
            Self::NotFound => Kind::NotFound,
            Self::GrantsTooMuch => Kind::Forbidden,
            Self::Database(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "ROLE_NOT_FOUND",
            Self::GrantsTooMuch => "GRANTS_TOO_MUCH",
            Self::Database(error) => error.code(),
        }
    }
}

impl Access {
    /// Gives a role that grants no more than the giver holds. An id of no member is harmless: rows are only ever
    /// read together with a membership that identity vouched for.
    pub(crate) async fn assign(
        &self,
        granted: &Granted<May<AssignRoles>>,
        role: RoleId,
        user: UserId,
    ) -> Result<(), AssignError> {
        let tx = self.begin_change(granted, role).await?;
        self.check_may_hand_out(granted, &tx, role, user).await?;
        store::assign(&tx, user, role, self.inner.clock.now()).await?;
        Ok(self.commit(tx).await?)
    }

    /// Takes a role away. Taking what the member does not have changes nothing.
    pub(crate) async fn unassign(
        &self,
        granted: &Granted<May<AssignRoles>>,
        role: RoleId,
        user: UserId,
    ) -> Result<(), AssignError> {
        let tx = self.begin_change(granted, role).await?;
        self.check_may_hand_out(granted, &tx, role, user).await?;
        store::unassign(&tx, user, role).await?;
        Ok(self.commit(tx).await?)
    }

    async fn begin_change(
        &self,
        granted: &Granted<May<AssignRoles>>,
        role: RoleId,
    ) -> Result<TenantTx, AssignError> {
        let tx = self.inner.database.begin(granted.tenant());
        grants::store::raise_version(&tx).await?;
        store::is_default(&tx, role).await?.ok_or(AssignError::NotFound)?;
        Ok(tx)
    }

    async fn check_may_hand_out(
        &self,
        granted: &Granted<May<AssignRoles>>,
        tx: &TenantTx,
        role: RoleId,
        user: UserId,
    ) -> Result<(), AssignError> {
        let caller = granted.caller();
        let mine = grants::store::of_member(&self.inner.database, granted.tenant(), caller.subject).await?;
        let enough = held(caller, mine.permissions).includes(&store::permissions(tx, role).await?);
        if enough && caller.subject != user {
            Ok(())
        } else {
            Err(AssignError::GrantsTooMuch)
        }
    }
}
