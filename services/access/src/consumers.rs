//! What access reacts to.

use plaza_contracts::events::{TenantCreated, UserRegistered};
use plaza_database::TenantTx;
use plaza_kernel::{Clock, SystemRole};
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
pub(crate) struct GiveFirstRole {
    pub(crate) clock: Clock,
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
        let give = async {
            provision(tx, &self.clock).await?;
            if let Some(role) = store::of_template(tx, template).await? {
                store::assign(tx, event.user_id, role, self.clock.now()).await?;
            }
            Ok::<(), plaza_database::DatabaseError>(())
        };
        give.await.map_err(Unconsumed::retry)
    }
}
