//! Remove a member from a tenant. The account is the person's own, and stays.

use plaza_contracts::events::MemberRemoved;
use plaza_contracts::incoming::TenantRight;
use plaza_contracts::permissions::DeleteUsers;
use plaza_database::DatabaseError;
use plaza_kernel::{Failure, Kind, UserId};
use plaza_messaging::outbox;

use super::authority::{Act, Overreach};
use super::store;
use crate::{Identity, audit, sessions};

/// A member was not removed.
#[derive(Debug, thiserror::Error)]
pub enum RemoveMemberError {
    /// No such member of this tenant.
    #[error("the user does not exist")]
    NotFound,
    /// The rules do not allow it.
    #[error(transparent)]
    Overreach(#[from] Overreach),
    /// The database failed.
    #[error("the removal could not be stored")]
    Database(#[from] DatabaseError),
}

impl Failure for RemoveMemberError {
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
    /// Ends a membership, with its sessions and the links that were made for it. Who is asked in again begins anew.
    pub(crate) async fn remove_member(
        &self,
        right: &TenantRight<DeleteUsers>,
        user: UserId,
    ) -> Result<(), RemoveMemberError> {
        let tx = self.database().begin(right.tenant());
        let owners = store::lock_owners(&tx).await?;
        let target = store::lock_member(&tx, user).await?;
        let target = target.ok_or(RemoveMemberError::NotFound)?;
        let act = Act {
            actor: right.person().map(|person| person.subject),
            owners: &owners,
            target: &target,
        };
        act.remove()?;
        store::remove_member(&tx, user).await?;
        sessions::store::end_all(&tx, user, "removed", self.clock().now()).await?;
        outbox::append(&tx, self.clock(), &MemberRemoved { user_id: user }).await?;
        let was = (Some((target.role.as_str(), target.status.as_str())), None);
        audit::member(&tx, self.clock(), &audit::USER_REMOVED, user, was).await?;
        Ok(tx.commit().await?)
    }
}
