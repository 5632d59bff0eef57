//! Invite: a tenant asks a person in. The person becomes an active member by opening the link.

use plaza_contracts::email::Email;
use plaza_contracts::events::UserRegistered;
use plaza_contracts::incoming::TenantRight;
use plaza_contracts::permissions::CreateUsers;
use plaza_database::DatabaseError;
use plaza_kernel::{Failure, Kind, SystemRole, UserId};
use plaza_messaging::outbox;

use super::{PersonName, store};
use crate::Identity;
use crate::setup::{Link, Purpose};

/// Who is asked in.
#[derive(Debug)]
pub(crate) struct Invitation {
    pub(crate) email: Email,
    pub(crate) name: PersonName,
}

/// A person who was asked in.
#[derive(Debug)]
pub(crate) struct Invite {
    pub(crate) user: UserId,
    pub(crate) link: Link,
}

/// A person could not be asked in.
#[derive(Debug, thiserror::Error)]
pub enum InviteError {
    /// Already a member.
    #[error("a user with this e-mail address exists")]
    Exists,
    /// The database failed.
    #[error("the invitation could not be stored")]
    Database(#[from] DatabaseError),
}

impl Failure for InviteError {
    fn kind(&self) -> Kind {
        match self {
            Self::Exists => Kind::Conflict,
            Self::Database(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Exists => "USER_EXISTS",
            Self::Database(error) => error.code(),
        }
    }
}

impl Identity {
    /// Makes the membership, the account too if there is none, and a link. Who was asked before and has not come yet
    /// gets a new link in place of the old one.
    pub(crate) async fn invite(
        &self,
        right: &TenantRight<CreateUsers>,
        invitation: Invitation,
    ) -> Result<Invite, InviteError> {
        let (now, role) = (self.clock().now(), SystemRole::Member);
        let Invitation { email, name } = invitation;
        let tx = self.database().begin(right.tenant());
        let user = store::claim(&tx, UserId::generate(self.clock()), &email, now)
            .await?
            .user_id;
        let member = store::NewMember {
            user,
            email: &email,
            name: name.into_text(),
            role,
            status: "invited",
        };
        if store::add_member(&tx, member, now).await? {
            let registered = UserRegistered {
                user_id: user,
                email: email.as_written().to_owned(),
                role,
            };
            outbox::append(&tx, self.clock(), &registered).await?;
        } else if store::status_of(&tx, user).await?.as_deref() != Some("invited") {
            return Err(InviteError::Exists);
        }
        let link = self.issue_link(&tx, user, Purpose::Invite).await?;
        tx.commit().await?;
        Ok(Invite { user, link })
    }
}
