//! Update a member: the name, whether they may come in, whether they own the tenant.

use plaza_contracts::events::MemberRoleChanged;
use plaza_contracts::incoming::TenantRight;
use plaza_contracts::permissions::UpdateUsers;
use plaza_database::{DatabaseError, TenantTx};
use plaza_kernel::{Failure, Kind, SystemRole, UserId};
use plaza_messaging::outbox;
use plaza_web::{IfMatch, Version};

use super::authority::{Act, Overreach};
use super::store::{self, Held, Stored};
use super::{Member, PersonName};
use crate::{Identity, audit, sessions};

/// What others say of a member. What is none stays as it is.
#[derive(Debug, Clone, Default)]
pub(crate) struct MemberChange {
    pub(crate) name: Option<PersonName>,
    pub(crate) status: Option<Admission>,
    pub(crate) role: Option<CoarseRole>,
}

/// Whether a member may come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Admission {
    /// May.
    Active,
    /// May not, until somebody says otherwise.
    Disabled,
}

/// What a member is whatever roles grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CoarseRole {
    /// May do everything in the tenant.
    Owner,
    /// May do what the tenant's roles grant.
    Member,
}

/// A member was not changed.
#[derive(Debug, thiserror::Error)]
pub enum UpdateMemberError {
    /// No such member of this tenant.
    #[error("the user does not exist")]
    NotFound,
    /// Somebody changed the member meanwhile.
    #[error("the user was changed meanwhile; read it again")]
    Version,
    /// The rules do not allow it.
    #[error(transparent)]
    Overreach(#[from] Overreach),
    /// The database failed.
    #[error("the change could not be stored")]
    Database(#[from] DatabaseError),
}

impl Failure for UpdateMemberError {
    fn kind(&self) -> Kind {
        match self {
            Self::NotFound => Kind::NotFound,
            Self::Version => Kind::PreconditionFailed,
            Self::Overreach(error) => error.kind(),
            Self::Database(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "USER_NOT_FOUND",
            Self::Version => "VERSION_MISMATCH",
            Self::Overreach(error) => error.code(),
            Self::Database(error) => error.code(),
        }
    }
}

impl MemberChange {
    fn stored(self) -> Stored {
        Stored {
            name: self.name.map(PersonName::into_text),
            status: self.status.map(|status| match status {
                Admission::Active => "active",
                Admission::Disabled => "disabled",
            }),
            role: self.role.map(|role| match role {
                CoarseRole::Owner => "owner",
                CoarseRole::Member => "member",
            }),
        }
    }
}

impl Identity {
    /// Changes a member. Who is disabled has no session any more.
    pub(crate) async fn update_member(
        &self,
        right: &TenantRight<UpdateUsers>,
        user: UserId,
        change: MemberChange,
        version: IfMatch,
    ) -> Result<Member, UpdateMemberError> {
        let (now, change) = (self.clock().now(), change.stored());
        let tx = self.database().begin(right.tenant());
        let owners = store::lock_owners(&tx).await?;
        let target = store::lock_member(&tx, user).await?;
        let target = target.ok_or(UpdateMemberError::NotFound)?;
        if !version.admits(Version(target.version)) {
            return Err(UpdateMemberError::Version);
        }
        let act = Act {
            actor: right.person().map(|person| person.subject),
            owners: &owners,
            target: &target,
        };
        act.change(&change)?;
        let disables = change.status == Some("disabled");
        store::change_member(&tx, user, change, now).await?;
        if disables {
            sessions::store::end_all(&tx, user, "disabled", now).await?;
        }
        let member = store::member_in(&tx, user).await?;
        let member = member.ok_or(UpdateMemberError::NotFound)?;
        self.tell_changed(&tx, &target, &member).await?;
        tx.commit().await?;
        Ok(member)
    }

    /// What others make of it: access takes from who owns the tenant no more what owners had.
    async fn tell_changed(&self, tx: &TenantTx, was: &Held, is: &Member) -> Result<(), DatabaseError> {
        let user = is.user_id;
        // The database accepts no other roles.
        let role = is.role.parse::<SystemRole>().ok().filter(|_| is.role != was.role);
        if let Some(role) = role {
            let changed = MemberRoleChanged { user_id: user, role };
            outbox::append(tx, self.clock(), &changed).await?;
        }
        let told = (
            Some((was.role.as_str(), was.status.as_str())),
            Some((is.role.as_str(), is.status.as_str())),
        );
        audit::member(tx, self.clock(), &audit::USER_UPDATED, user, told).await
    }
}
