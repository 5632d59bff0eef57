//! What identity does when it hears of a fact.

use plaza_contracts::email::Email;
use plaza_contracts::events::{OwnerProvisioned, TenantCreated, TenantDeleted, UserRegistered};
use plaza_database::{DatabaseError, TenantTx};
use plaza_kernel::{Clock, SystemRole, UserId};
use plaza_messaging::{Consumer, Unconsumed, outbox};
use plaza_rpc::RpcError;

use crate::sessions;
use crate::tenants::Tenants;
use crate::users::store;

/// A tenant exists: its owner gets a membership, and an account without a password if there is none.
///
/// Whoever can write to the broker can say so of any tenant: one that has an owner gets no second one.
pub(crate) struct ProvisionOwner {
    pub(crate) clock: Clock,
}

/// A tenant is gone: nobody is a member of it any more, and nobody has a session in it. Their accounts are their own.
///
/// Whoever can write to the broker can say so of any tenant, and memberships do not come back: tenancy is asked.
pub(crate) struct EndTenant {
    pub(crate) tenants: Tenants,
    pub(crate) clock: Clock,
}

/// Why the tenant has not ended.
#[derive(Debug, thiserror::Error)]
enum NotEnded {
    /// It is said, and not so.
    #[error("tenancy knows the tenant")]
    StillThere,
    #[error("tenancy could not be asked")]
    Tenancy(#[from] RpcError),
    #[error("database failed")]
    Database(#[from] DatabaseError),
}

impl NotEnded {
    fn unconsumed(self) -> Unconsumed {
        match self {
            Self::StillThere => Unconsumed::permanent(self),
            Self::Tenancy(error) => Unconsumed::retry(error),
            Self::Database(error) => Unconsumed::retry(error),
        }
    }
}

impl Consumer for EndTenant {
    type Event = TenantDeleted;
    const NAME: &'static str = "identity.end_tenant";

    async fn consume(&self, tx: &TenantTx, _: &TenantDeleted) -> Result<(), Unconsumed> {
        self.end(tx).await.map_err(NotEnded::unconsumed)
    }
}

impl EndTenant {
    async fn end(&self, tx: &TenantTx) -> Result<(), NotEnded> {
        if self.tenants.by_id(tx.tenant()).await?.is_some() {
            return Err(NotEnded::StillThere);
        }
        let now = self.clock.now();
        store::remove_members(tx).await?;
        sessions::store::end_tenant(tx, "removed", now).await?;
        Ok(())
    }
}

/// Why there is no owner by this event.
#[derive(Debug, thiserror::Error)]
enum NotProvisioned {
    /// A tenant is created once, and for one person.
    #[error("the tenant has another owner")]
    OwnedByAnother,
    #[error("database failed")]
    Database(#[from] DatabaseError),
}

impl NotProvisioned {
    fn unconsumed(self) -> Unconsumed {
        match self {
            Self::OwnedByAnother => Unconsumed::permanent(self),
            Self::Database(error) => Unconsumed::retry(error),
        }
    }
}

impl Consumer for ProvisionOwner {
    type Event = TenantCreated;
    const NAME: &'static str = "identity.provision_owner";

    async fn consume(&self, tx: &TenantTx, event: &TenantCreated) -> Result<(), Unconsumed> {
        let email: Email = event.admin_email.parse().map_err(Unconsumed::permanent)?;
        self.provision(tx, &email)
            .await
            .map_err(NotProvisioned::unconsumed)
    }
}

impl ProvisionOwner {
    async fn provision(&self, tx: &TenantTx, email: &Email) -> Result<(), NotProvisioned> {
        if store::is_owned_by_another(tx, email).await? {
            return Err(NotProvisioned::OwnedByAnother);
        }
        let (now, role) = (self.clock.now(), SystemRole::Owner);
        let claimed = store::claim(tx, UserId::generate(&self.clock), email, now).await?;
        let user_id = claimed.user_id;
        // Somebody may have registered the address without it being theirs, in the hope of becoming an owner. Only an
        // account that the platform vouches for enters at once; any other needs the owner's link.
        let status = if claimed.verified { "active" } else { "invited" };
        let member = store::NewMember {
            user: user_id,
            email,
            name: String::new(),
            role,
            status,
            vouched: true,
        };
        store::add_member(tx, member, now).await?;
        let registered = UserRegistered {
            user_id,
            email: email.as_written().to_owned(),
            role,
        };
        outbox::append(tx, &self.clock, &registered).await?;
        outbox::append(
            tx,
            &self.clock,
            &OwnerProvisioned {
                tenant_id: tx.tenant(),
                user_id,
            },
        )
        .await?;
        Ok(())
    }
}
