//! Invite: a tenant asks a person in. The person becomes an active member by opening the link.

use chrono::{DateTime, Utc};
use plaza_contracts::email::Email;
use plaza_contracts::events::UserRegistered;
use plaza_contracts::incoming::TenantRight;
use plaza_contracts::permissions::CreateUsers;
use plaza_database::{DatabaseError, TenantTx};
use plaza_kernel::{Failure, Kind, OnceKey, SystemRole, UserId};
use plaza_messaging::outbox;
use plaza_once::{Entry, OnceError};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{PersonName, store};
use crate::keys::{KeysError, OpenKeys};
use crate::setup::{Link, Purpose};
use crate::{Identity, audit};

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

/// What is kept of the answer to a request that may be repeated: no link, which follows from its id.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    user_id: UserId,
    link_id: Uuid,
    expires_at: DateTime<Utc>,
}

/// A person could not be asked in.
#[derive(Debug, thiserror::Error)]
pub enum InviteError {
    /// Already a member.
    #[error("a user with this e-mail address exists")]
    Exists,
    /// The request cannot be repeated under this key.
    #[error(transparent)]
    Once(#[from] OnceError),
    /// The keys cannot be had.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The database failed.
    #[error("the invitation could not be stored")]
    Database(#[from] DatabaseError),
}

impl Failure for InviteError {
    fn kind(&self) -> Kind {
        match self {
            Self::Exists => Kind::Conflict,
            Self::Once(error) => error.kind(),
            Self::Keys(error) => error.kind(),
            Self::Database(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Exists => "USER_EXISTS",
            Self::Once(error) => error.code(),
            Self::Keys(error) => error.code(),
            Self::Database(error) => error.code(),
        }
    }

    fn retry_after(&self) -> Option<u32> {
        match self {
            Self::Exists => None,
            Self::Once(error) => error.retry_after(),
            Self::Keys(error) => error.retry_after(),
            Self::Database(error) => error.retry_after(),
        }
    }
}

impl Identity {
    /// Makes the membership, the account too if there is none, and a link. Who was asked before and has not come yet
    /// gets a new link in place of the old one. Says as well whether this was answered before.
    pub(crate) async fn invite(
        &self,
        right: &TenantRight<CreateUsers>,
        invitation: Invitation,
        key: &OnceKey,
    ) -> Result<(Invite, bool), InviteError> {
        let keys = self.keys().open().await?;
        let tx = self.database().begin(right.tenant());
        let entry = match right.person() {
            Some(person) => plaza_once::enter(&tx, key, person.subject, "create_user").await?,
            None => Entry::None,
        };
        if let Entry::Replay { body, .. } = &entry {
            return Ok((Self::kept(&keys, &tx, body)?, true));
        }
        let role = SystemRole::Member;
        let user = self
            .add_invited(&tx, &invitation.email, invitation.name, role)
            .await?;
        let link = self.issue_link(&tx, &keys, user, Purpose::Invite).await?;
        plaza_audit::done(&tx, self.clock(), &audit::USER_INVITED, user).await?;
        let kept = Kept {
            user_id: user,
            link_id: link.id,
            expires_at: link.expires_at,
        };
        entry.leave(&tx, 201, &kept).await?;
        tx.commit().await?;
        Ok((Invite { user, link }, false))
    }

    /// The membership of somebody who was asked in and has not come yet.
    pub(super) async fn add_invited(
        &self,
        tx: &TenantTx,
        email: &Email,
        name: PersonName,
        role: SystemRole,
    ) -> Result<UserId, InviteError> {
        let now = self.clock().now();
        let claimed = store::claim(tx, UserId::generate(self.clock()), email, now).await?;
        let user = claimed.user_id;
        let member = store::NewMember {
            user,
            email,
            name: name.into_text(),
            role,
            status: "invited",
            vouched: true,
        };
        if store::add_member(tx, member, now).await? {
            let registered = UserRegistered {
                user_id: user,
                email: email.as_written().to_owned(),
                role,
            };
            outbox::append(tx, self.clock(), &registered).await?;
        } else if store::status_of(tx, user).await?.as_deref() != Some("invited") {
            return Err(InviteError::Exists);
        }
        Ok(user)
    }

    /// The answer that was given before.
    fn kept(keys: &OpenKeys, tx: &TenantTx, body: &str) -> Result<Invite, InviteError> {
        let kept: Kept = serde_json::from_str(body).map_err(OnceError::Answer)?;
        let link = Link::again(keys, tx.tenant(), Purpose::Invite, kept.link_id, kept.expires_at);
        Ok(Invite {
            user: kept.user_id,
            link,
        })
    }
}
