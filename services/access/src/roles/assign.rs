//! Giving a role to a member and taking it away.

use plaza_contracts::incoming::TenantRight;
use plaza_contracts::permissions::{AssignRoles, ViewRoles};
use plaza_database::{DatabaseError, TenantTx};
use plaza_kernel::{Failure, Kind, Page, PageQuery, UserId};

use super::{Role, RoleId, store};
use crate::{Access, audit, grants};

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
        right: &TenantRight<AssignRoles>,
        role: RoleId,
        user: UserId,
    ) -> Result<(), AssignError> {
        let (tx, found) = self.begin_change(right, role).await?;
        self.check_may_hand_out(right, &found, user).await?;
        if store::assign(&tx, user, role, self.inner.clock.now()).await? {
            audit::assignment(&tx, &self.inner.clock, &audit::ROLE_ASSIGNED, role, user).await?;
        }
        Ok(self.commit(tx).await?)
    }

    /// Takes a role away. Taking what the member does not have changes nothing.
    pub(crate) async fn unassign(
        &self,
        right: &TenantRight<AssignRoles>,
        role: RoleId,
        user: UserId,
    ) -> Result<(), AssignError> {
        let (tx, found) = self.begin_change(right, role).await?;
        self.check_may_hand_out(right, &found, user).await?;
        if store::unassign(&tx, user, role).await? {
            audit::assignment(&tx, &self.inner.clock, &audit::ROLE_UNASSIGNED, role, user).await?;
        }
        Ok(self.commit(tx).await?)
    }

    /// Who has the role.
    pub(crate) async fn assignments(
        &self,
        right: &TenantRight<ViewRoles>,
        role: RoleId,
        page: PageQuery,
        skip: i64,
    ) -> Result<Page<store::Assignment>, AssignError> {
        store::assigned(&self.inner.database, right.tenant(), role, page, skip)
            .await?
            .ok_or(AssignError::NotFound)
    }

    async fn begin_change(
        &self,
        right: &TenantRight<AssignRoles>,
        role: RoleId,
    ) -> Result<(TenantTx, Role), AssignError> {
        let tx = self.inner.database.begin(right.tenant());
        grants::store::raise_version(&tx).await?;
        let role = store::find(&tx, role).await?.ok_or(AssignError::NotFound)?;
        Ok((tx, role))
    }

    async fn check_may_hand_out(
        &self,
        right: &TenantRight<AssignRoles>,
        role: &Role,
        user: UserId,
    ) -> Result<(), AssignError> {
        let enough = self.may_hand_out(right, &role.permissions).await?;
        let to_themselves = right.person().is_some_and(|person| person.subject == user);
        if enough && !to_themselves {
            Ok(())
        } else {
            Err(AssignError::GrantsTooMuch)
        }
    }
}
