//! Links of owners and invited members.

use chrono::{DateTime, TimeDelta, Utc};
use plaza_database::{DatabaseError, TenantTx};
use plaza_kernel::{Scope, UserId};
use secrecy::SecretString;

use super::store;
use crate::Identity;
use crate::opaque::OpaqueToken;

/// What a link is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The first password of a tenant's owner.
    Owner,
    /// A person is asked in.
    Invite,
}

impl Purpose {
    /// Its name in the database.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Invite => "invite",
        }
    }
}

/// A link that was just made: the only time its token is known.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) token: SecretString,
    pub(crate) expires_at: DateTime<Utc>,
}

impl Identity {
    /// Makes a link in place of the person's live ones. The caller holds the membership, so two at a time queue up.
    pub(crate) async fn issue_link(
        &self,
        tx: &TenantTx,
        user: UserId,
        purpose: Purpose,
    ) -> Result<Link, DatabaseError> {
        let hours = match purpose {
            Purpose::Owner => self.config().owner_link_hours,
            Purpose::Invite => self.config().invite_hours,
        };
        let (now, token) = (
            self.clock().now(),
            OpaqueToken::random(Scope::Tenant(tx.tenant())),
        );
        let expires_at = now + TimeDelta::hours(hours.into());
        store::replace_link(
            tx,
            self.clock().uuid(),
            user,
            purpose,
            token.hash(),
            now,
            expires_at,
        )
        .await?;
        Ok(Link {
            token: token.text(),
            expires_at,
        })
    }
}
