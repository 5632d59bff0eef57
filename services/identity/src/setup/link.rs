//! Links of owners and invited members.

use chrono::{DateTime, TimeDelta, Utc};
use plaza_database::{DatabaseError, TenantTx};
use plaza_kernel::{TenantId, UserId};
use secrecy::SecretString;
use uuid::Uuid;

use super::store;
use crate::Identity;
use crate::keys::OpenKeys;
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

/// A link. Its token follows from its id and the server's key: what is stored is the token's hash.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) id: Uuid,
    pub(crate) token: SecretString,
    pub(crate) expires_at: DateTime<Utc>,
}

impl Link {
    /// The link that has this id.
    pub(crate) fn again(
        keys: &OpenKeys,
        tenant: TenantId,
        purpose: Purpose,
        id: Uuid,
        expires_at: DateTime<Utc>,
    ) -> Self {
        Self {
            id,
            token: token(keys, tenant, purpose, id).text(),
            expires_at,
        }
    }
}

fn token(keys: &OpenKeys, tenant: TenantId, purpose: Purpose, id: Uuid) -> OpaqueToken {
    OpaqueToken::derived(tenant.into(), keys.server(), purpose.as_str(), id.as_bytes())
}

impl Identity {
    /// Makes a link in place of the person's live ones. The caller holds the membership, so two at a time queue up.
    pub(crate) async fn issue_link(
        &self,
        tx: &TenantTx,
        keys: &OpenKeys,
        user: UserId,
        purpose: Purpose,
    ) -> Result<Link, DatabaseError> {
        let hours = match purpose {
            Purpose::Owner => self.config().owner_link_hours,
            Purpose::Invite => self.config().invite_hours,
        };
        let (now, id) = (self.clock().now(), self.clock().uuid());
        let link = Link::again(
            keys,
            tx.tenant(),
            purpose,
            id,
            now + TimeDelta::hours(hours.into()),
        );
        let hash = token(keys, tx.tenant(), purpose, id).hash();
        store::replace_link(tx, id, user, purpose, hash, now, link.expires_at).await?;
        Ok(link)
    }
}
