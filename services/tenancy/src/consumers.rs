//! What tenancy reacts to.

use plaza_contracts::events::OwnerProvisioned;
use plaza_database::{DatabaseError, TenantTx};
use plaza_kernel::Clock;
use plaza_messaging::{Consumer, Unconsumed};

use crate::tenants::store;

/// A tenant whose owner has an account can be used.
pub(crate) struct ActivateTenant {
    pub(crate) clock: Clock,
}

impl Consumer for ActivateTenant {
    type Event = OwnerProvisioned;
    const NAME: &'static str = "tenancy.activate_tenant";

    async fn consume(&self, tx: &TenantTx, _: &OwnerProvisioned) -> Result<(), Unconsumed> {
        self.activate(tx).await.map_err(Unconsumed::retry)
    }
}

impl ActivateTenant {
    /// Once, and whatever became of the tenant meanwhile: one that was suspended is active when it is resumed.
    async fn activate(&self, tx: &TenantTx) -> Result<(), DatabaseError> {
        let Some(tenant) = store::lock(tx).await? else {
            return Ok(());
        };
        let (now, mut life) = (self.clock.now(), tenant.life);
        life.activate(now);
        if life != tenant.life {
            store::save_life(tx, &life, now).await?;
        }
        Ok(())
    }
}
