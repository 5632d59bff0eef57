//! What notification reacts to.

use plaza_contracts::events::{BroadcastSend, TenantCreated};
use plaza_database::TenantTx;
use plaza_messaging::{Consumer, Unconsumed};

use crate::Notification;
use crate::senders::create::CreateSenderError;

/// A batch of messages is queued.
pub(crate) struct QueueMessages {
    pub(crate) notification: Notification,
}

impl Consumer for QueueMessages {
    type Event = BroadcastSend;
    const NAME: &'static str = "notification.queue_messages";

    async fn consume(&self, tx: &TenantTx, event: &BroadcastSend) -> Result<(), Unconsumed> {
        let queued = self.notification.queue(tx, &event.clone().into()).await;
        queued.map(drop).map_err(|error| {
            if error.is_final() {
                Unconsumed::permanent(error)
            } else {
                Unconsumed::retry(error)
            }
        })
    }
}

/// A new tenant gets a sender that leads to the simulator, where the settings say so.
pub(crate) struct AddDevelopmentSender {
    pub(crate) notification: Notification,
}

impl Consumer for AddDevelopmentSender {
    type Event = TenantCreated;
    const NAME: &'static str = "notification.add_development_sender";

    async fn consume(&self, tx: &TenantTx, _: &TenantCreated) -> Result<(), Unconsumed> {
        if !self.notification.inner.config.development_sender {
            return Ok(());
        }
        self.notification
            .add_development_sender(tx)
            .await
            .map_err(|error| match error {
                CreateSenderError::Database(_) => Unconsumed::retry(error),
                _ => Unconsumed::permanent(error),
            })
    }
}
