//! One message on its way to the provider and back.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use plaza_contracts::ids::MessageId;

use super::claims::Claimed;
use crate::Notification;
use crate::providers::{Account, ErrorClass, Outgoing, Provider, SendFailure, presentable};

/// The messages that are with the provider.
pub(super) type InFlight<'a> = FuturesUnordered<BoxFuture<'a, Finished>>;

/// One message that came back from the provider.
pub(super) struct Finished {
    pub(super) id: MessageId,
    pub(super) source: String,
    pub(super) epoch: i32,
    /// The how manieth try this was, from 1.
    pub(super) attempt: u32,
    pub(super) result: Result<String, SendFailure>,
}

/// Hands one message to the provider, unless the claim on it has run out by now: then somebody else may have it.
pub(super) async fn send(
    notification: &Notification,
    account: Arc<Account>,
    message: Claimed,
    until: DateTime<Utc>,
) -> Finished {
    let attempt = u32::try_from(message.attempts).unwrap_or(1).max(1);
    let (id, source, epoch) = (message.id, message.source, message.epoch);
    let result = match serde_json::from_str(&message.content) {
        _ if notification.inner.clock.now() >= until => Err(SendFailure::NotTried),
        Err(error) => Err(SendFailure::Refused {
            class: ErrorClass::Final,
            code: "UNREADABLE_CONTENT".to_owned(),
            text: presentable(&error.to_string()),
        }),
        Ok(content) => {
            let outgoing = Outgoing {
                reference: id,
                to: message.address,
                content,
            };
            notification.inner.whatsapp.send(&account, &outgoing).await
        }
    };
    Finished {
        id,
        source,
        epoch,
        attempt,
        result,
    }
}
