//! What notification reacts to.

use plaza_contracts::events::{BroadcastSend, TenantCreated};
use plaza_database::{DatabaseError, TenantTx};
use plaza_kernel::Clock;
use plaza_messaging::{Consumer, Unconsumed};

use crate::Notification;
use crate::dispatch;
use crate::messages::store::{self, QueueError};
use crate::senders::create::CreateSenderError;

/// A batch of messages is queued.
pub(crate) struct QueueMessages {
    pub(crate) clock: Clock,
}

impl Consumer for QueueMessages {
    type Event = BroadcastSend;
    const NAME: &'static str = "notification.queue_messages";

    async fn consume(&self, tx: &TenantTx, event: &BroadcastSend) -> Result<(), Unconsumed> {
        store::queue(tx, event, self.clock.now())
            .await
            .map_err(|error| match error {
                QueueError::Content(_) | QueueError::Database(DatabaseError::Constraint { .. }) => {
                    Unconsumed::permanent(error)
                }
                QueueError::Database(_) => Unconsumed::retry(error),
            })?;
        tx.signal_on_commit(dispatch::DUE);
        Ok(())
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
