//! A link for a tenant's owner, asked for by the platform's administrator through tenancy.

use plaza_contracts::incoming::PlatformRight;
use plaza_database::DatabaseError;
use plaza_kernel::{Failure, Kind, TenantId};

use super::{Link, Purpose, store};
use crate::keys::KeysError;
use crate::{Identity, audit};

/// There is no link for the owner.
#[derive(Debug, thiserror::Error)]
pub enum OwnerLinkError {
    /// The owner's account does not exist yet: the tenant is still being provisioned.
    #[error("the owner's account is not ready yet; try again in a moment")]
    Pending,
    /// The owner has a password.
    #[error("the owner has set a password already")]
    AlreadySet,
    /// The keys cannot be had.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The database failed.
    #[error("the link could not be stored")]
    Database(#[from] DatabaseError),
}

impl Failure for OwnerLinkError {
    fn kind(&self) -> Kind {
        match self {
            Self::Pending | Self::AlreadySet => Kind::Conflict,
            Self::Keys(error) => error.kind(),
            Self::Database(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Pending => "OWNER_PENDING",
            Self::AlreadySet => "OWNER_ALREADY_SET",
            Self::Keys(error) => error.code(),
            Self::Database(error) => error.code(),
        }
    }
}

impl Identity {
    /// Makes a link with which the owner sets the first password; an earlier one ends.
    pub(crate) async fn create_owner_link(
        &self,
        _right: &PlatformRight,
        tenant: TenantId,
    ) -> Result<Link, OwnerLinkError> {
        let keys = self.keys().open().await?;
        let tx = self.database().begin(tenant);
        let owner = store::lock_owner(&tx).await?.ok_or(OwnerLinkError::Pending)?;
        if owner.active {
            return Err(OwnerLinkError::AlreadySet);
        }
        let link = self.issue_link(&tx, &keys, owner.user_id, Purpose::Owner).await?;
        plaza_audit::done(&tx, self.clock(), &audit::OWNER_LINK, owner.user_id).await?;
        tx.commit().await?;
        Ok(link)
    }
}
