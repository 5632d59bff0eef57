//! What access reacts to.

use plaza_contracts::events::{MemberRemoved, MemberRoleChanged, TenantCreated, UserRegistered};
use plaza_database::{DatabaseError, TenantTx};
use plaza_kernel::{Clock, SystemRole, UserId};
use plaza_messaging::{Consumer, Unconsumed};

use crate::grants;
use crate::roles::provision::provision;
use crate::roles::{Template, store};

/// A new tenant gets its menus and default roles.
pub(crate) struct ProvisionRoles {
    pub(crate) clock: Clock,
}

impl Consumer for ProvisionRoles {
    type Event = TenantCreated;
    const NAME: &'static str = "access.provision_roles";

    async fn consume(&self, tx: &TenantTx, _: &TenantCreated) -> Result<(), Unconsumed> {
        provision(tx, &self.clock).await.map_err(Unconsumed::retry)
    }
}

/// A new member gets the least of the default roles. Owners get none: what they may do does not come from roles, and a role
/// would stay with them when they own the tenant no more.
///
/// So nobody becomes powerful by an event, whatever somebody at the broker says of whom: roles that grant more are given by
/// people who may hand them out.
pub(crate) struct GiveFirstRole {
    pub(crate) clock: Clock,
}

impl Consumer for GiveFirstRole {
    type Event = UserRegistered;
    const NAME: &'static str = "access.give_first_role";

    async fn consume(&self, tx: &TenantTx, event: &UserRegistered) -> Result<(), Unconsumed> {
        if event.role != SystemRole::Member {
            return Ok(());
        }
        give_least(tx, &self.clock, event.user_id)
            .await
            .map_err(Unconsumed::retry)
    }
}

/// Who owns a tenant no more is a member of it as a new one is. Tenants from before this was heard have given their owners the
/// administrator's role: it goes. Whoever becomes an owner needs nothing.
pub(crate) struct FollowRole {
    pub(crate) clock: Clock,
}

impl Consumer for FollowRole {
    type Event = MemberRoleChanged;
    const NAME: &'static str = "access.follow_role";

    async fn consume(&self, tx: &TenantTx, event: &MemberRoleChanged) -> Result<(), Unconsumed> {
        if event.role != SystemRole::Member {
            return Ok(());
        }
        let follow = async {
            give_least(tx, &self.clock, event.user_id).await?;
            match store::of_template(tx, Template::Administrator).await? {
                Some(role) => store::unassign(tx, event.user_id, role).await.map(drop),
                None => Ok(()),
            }
        };
        follow.await.map_err(Unconsumed::retry)
    }
}

/// Gives what a new member has.
async fn give_least(tx: &TenantTx, clock: &Clock, user: UserId) -> Result<(), DatabaseError> {
    provision(tx, clock).await?;
    match store::of_template(tx, Template::Viewer).await? {
        Some(role) => store::assign(tx, user, role, clock.now()).await.map(drop),
        None => Ok(()),
    }
}

/// Who left a tenant has no roles in it: were they asked in again, they would begin as anybody does.
///
/// Until this is heard the roles are of no use: whoever holds them has to be a member, and that identity says.
pub(crate) struct ForgetMember;

impl Consumer for ForgetMember {
    type Event = MemberRemoved;
    const NAME: &'static str = "access.forget_member";

    async fn consume(&self, tx: &TenantTx, event: &MemberRemoved) -> Result<(), Unconsumed> {
        let forget = async {
            grants::store::raise_version(tx).await?;
            store::forget(tx, event.user_id).await
        };
        forget.await.map(drop).map_err(Unconsumed::retry)
    }
}
