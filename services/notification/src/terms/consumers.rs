//! What notification hears of its tenants: their settings, and whether they may send.

use plaza_contracts::events::{ConfigChanged, TenantStateChanged};
use plaza_database::TenantTx;
use plaza_messaging::{Consumer, Unconsumed};

use super::store;
use crate::{Notification, dispatch};

/// The namespace of a tenant's configuration that is about messages.
const NAMESPACE: &str = "messaging";

/// A tenant's settings of messaging are kept here: whoever sends asks nobody for them.
pub(crate) struct TakeSettings {
    pub(crate) notification: Notification,
}

impl Consumer for TakeSettings {
    type Event = ConfigChanged;
    const NAME: &'static str = "notification.take_settings";

    async fn consume(&self, tx: &TenantTx, event: &ConfigChanged) -> Result<(), Unconsumed> {
        if event.namespace != NAMESPACE {
            return Ok(());
        }
        let now = self.notification.inner.clock.now();
        store::set(tx, event.version, event.document.to_string(), now)
            .await
            .map_err(Unconsumed::retry)
    }
}

/// The messages of a tenant that is suspended or to be deleted wait, and go on when it is let in again.
pub(crate) struct HoldTenant {
    pub(crate) notification: Notification,
}

impl Consumer for HoldTenant {
    type Event = TenantStateChanged;
    const NAME: &'static str = "notification.hold_tenant";

    async fn consume(&self, tx: &TenantTx, event: &TenantStateChanged) -> Result<(), Unconsumed> {
        let (held, now) = (event.to != "active", self.notification.inner.clock.now());
        store::hold(tx, held, event.at, now)
            .await
            .map_err(Unconsumed::retry)?;
        if !held {
            tx.signal_on_commit(dispatch::DUE);
        }
        Ok(())
    }
}
