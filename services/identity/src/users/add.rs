//! Add a person to a tenant, as another service of the platform asks for it.

use plaza_contracts::email::Email;
use plaza_database::{DatabaseError, TenantTx};
use plaza_kernel::{Failure, FieldError, Kind, SystemRole, TenantId, UserId};
use plaza_rpc::RpcError;
use plaza_web::{Granted, Internal};

use super::invite::InviteError;
use super::store;
use super::{CoarseRole, PersonName};
use crate::keys::KeysError;
use crate::setup::{Link, Purpose};
use crate::{Identity, audit};

/// Who is added.
#[derive(Debug)]
pub(crate) struct Addition {
    pub(crate) tenant: TenantId,
    pub(crate) email: Email,
    pub(crate) name: PersonName,
    pub(crate) role: CoarseRole,
}

/// A person who was added.
#[derive(Debug)]
pub(crate) struct Added {
    pub(crate) user: UserId,
    /// How they come in; none for an owner who is in already, because the platform vouches for the address.
    pub(crate) link: Option<Link>,
}

/// A person could not be added.
#[derive(Debug, thiserror::Error)]
pub enum AddError {
    /// Tenancy knows no such tenant.
    #[error("the tenant does not exist")]
    TenantNotFound,
    /// Tenancy could not be asked.
    #[error("the tenant could not be looked up")]
    Tenancy(#[from] RpcError),
    /// Already a member, or it could not be stored.
    #[error(transparent)]
    Invite(#[from] InviteError),
}

impl From<DatabaseError> for AddError {
    fn from(error: DatabaseError) -> Self {
        Self::Invite(error.into())
    }
}

impl From<KeysError> for AddError {
    fn from(error: KeysError) -> Self {
        Self::Invite(error.into())
    }
}

impl Failure for AddError {
    fn kind(&self) -> Kind {
        match self {
            Self::TenantNotFound => Kind::NotFound,
            Self::Tenancy(error) => error.kind(),
            Self::Invite(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::TenantNotFound => "TENANT_NOT_FOUND",
            Self::Tenancy(error) => error.code(),
            Self::Invite(error) => error.code(),
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        match self {
            Self::Invite(error) => error.fields(),
            Self::TenantNotFound | Self::Tenancy(_) => Vec::new(),
        }
    }
}

impl Identity {
    /// Makes the membership, the account too if there is none, and the link with which the person comes in. Who was added before
    /// and has not come yet gets a new link in place of the old one, and keeps the role.
    pub(crate) async fn add_user(
        &self,
        _inside: &Granted<Internal>,
        addition: Addition,
    ) -> Result<Added, AddError> {
        let known = self.tenants().by_id(addition.tenant).await?;
        known.ok_or(AddError::TenantNotFound)?;
        let keys = self.keys().open().await?;
        let role = match addition.role {
            CoarseRole::Owner => SystemRole::Owner,
            CoarseRole::Member => SystemRole::Member,
        };
        let tx = self.database().begin(addition.tenant);
        let user = self
            .add_invited(&tx, &addition.email, addition.name, role)
            .await?;
        let link = match Self::purpose_for(&tx, user).await? {
            Some(purpose) => Some(self.issue_link(&tx, &keys, user, purpose).await?),
            None => None,
        };
        let member = store::member_in(&tx, user).await?;
        let is = member
            .as_ref()
            .map(|member| (member.role.as_str(), member.status.as_str()));
        audit::member(&tx, self.clock(), &audit::USER_ADDED, user, (None, is)).await?;
        tx.commit().await?;
        Ok(Added { user, link })
    }

    /// What link a person needs who was asked in: an owner whom the platform vouches for enters at once.
    async fn purpose_for(tx: &TenantTx, user: UserId) -> Result<Option<Purpose>, DatabaseError> {
        let member = store::member_in(tx, user).await?;
        let owner = SystemRole::Owner.as_str();
        if member.is_none_or(|member| member.role != owner) {
            return Ok(Some(Purpose::Invite));
        }
        if !store::is_vouched(tx, user).await? {
            return Ok(Some(Purpose::Owner));
        }
        store::accept(tx, user).await?;
        Ok(None)
    }
}
