//! What access reacts to.

use plaza_contracts::events::{TenantCreated, UserRegistered};
use plaza_database::{DatabaseError, TenantTx};
use plaza_kernel::{Clock, SystemRole, UserId};
use plaza_messaging::{Consumer, Unconsumed};

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

/// A new member gets a first role: owners all there is, members the least.
///
/// Whoever can write to the broker can say of any member that they own the tenant. One that has an administrator gets
/// no other by an event: further ones are made by people who may hand out roles.
pub(crate) struct GiveFirstRole {
    pub(crate) clock: Clock,
}

/// Why there is no first role by this event.
#[derive(Debug, thiserror::Error)]
enum NoFirstRole {
    #[error("the tenant has another administrator")]
    AdministeredByAnother,
    #[error("database failed")]
    Database(#[from] DatabaseError),
}

impl NoFirstRole {
    fn unconsumed(self) -> Unconsumed {
        match self {
            Self::AdministeredByAnother => Unconsumed::permanent(self),
            Self::Database(error) => Unconsumed::retry(error),
        }
    }
}

impl Consumer for GiveFirstRole {
    type Event = UserRegistered;
    const NAME: &'static str = "access.give_first_role";

    async fn consume(&self, tx: &TenantTx, event: &UserRegistered) -> Result<(), Unconsumed> {
        let template = match event.role {
            SystemRole::Owner => Template::Administrator,
            SystemRole::Member => Template::Viewer,
            SystemRole::PlatformAdmin | SystemRole::Service => return Ok(()),
        };
        self.give(tx, event.user_id, template)
            .await
            .map_err(NoFirstRole::unconsumed)
    }
}

impl GiveFirstRole {
    async fn give(&self, tx: &TenantTx, user: UserId, template: Template) -> Result<(), NoFirstRole> {
        provision(tx, &self.clock).await?;
        let Some(role) = store::of_template(tx, template).await? else {
            return Ok(());
        };
        if template == Template::Administrator && store::is_held_by_another(tx, user, role).await? {
            return Err(NoFirstRole::AdministeredByAnother);
        }
        Ok(store::assign(tx, user, role, self.clock.now()).await?)
    }
}
