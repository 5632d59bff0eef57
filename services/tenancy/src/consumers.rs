//! What tenancy reacts to.

use plaza_contracts::events::OwnerProvisioned;
use plaza_database::TenantTx;
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
        // Zero rows is fine: a tenant that was suspended meanwhile stays so.
        store::activate(tx, self.clock.now())
            .await
            .map_err(Unconsumed::retry)?;
        Ok(())
    }
}
