//! What notification reacts to.

use plaza_contracts::events::{BroadcastSend, NotificationRequested, TenantCreated};
use plaza_database::TenantTx;
use plaza_messaging::{Consumer, Unconsumed};

use crate::Notification;
use crate::messages::queue::Batch;
use crate::senders::create::CreateSenderError;

/// A batch of messages is queued.
pub(crate) struct QueueMessages {
    pub(crate) notification: Notification,
}

impl Consumer for QueueMessages {
    type Event = BroadcastSend;
    const NAME: &'static str = "notification.queue_messages";

    async fn consume(&self, tx: &TenantTx, event: &BroadcastSend) -> Result<(), Unconsumed> {
        queue(&self.notification, tx, event.clone().into()).await
    }
}

/// Messages that belong to no campaign are queued.
pub(crate) struct QueueRequested {
    pub(crate) notification: Notification,
}

impl Consumer for QueueRequested {
    type Event = NotificationRequested;
    const NAME: &'static str = "notification.queue_requested";

    async fn consume(&self, tx: &TenantTx, event: &NotificationRequested) -> Result<(), Unconsumed> {
        queue(&self.notification, tx, event.clone().into()).await
    }
}

async fn queue(notification: &Notification, tx: &TenantTx, batch: Batch) -> Result<(), Unconsumed> {
    notification
        .queue_what_fits(tx, &batch)
        .await
        .map(drop)
        .map_err(|error| match error.is_final() {
            true => Unconsumed::permanent(error),
            false => Unconsumed::retry(error),
        })
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
                CreateSenderError::Database(_) | CreateSenderError::Vault(_) => Unconsumed::retry(error),
                _ => Unconsumed::permanent(error),
            })
    }
}
