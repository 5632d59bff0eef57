//! Receipts: what a provider says became of a message. No I/O here.

mod again;
pub(crate) mod http;
pub(crate) mod learn;
pub(crate) mod places;
pub(crate) mod store;

use chrono::{DateTime, Utc};
use plaza_contracts::ids::MessageId;

use crate::messages::State;

/// One fact about one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Receipt {
    /// Our reference, which came back.
    pub(crate) message: MessageId,
    /// The provider's id of the message.
    pub(crate) provider_id: String,
    /// What became of it: accepted, sent, delivered, read or failed.
    pub(crate) state: State,
    /// When, by the provider's clock.
    pub(crate) at: DateTime<Utc>,
    /// The provider's code and words, when it failed.
    pub(crate) error: Option<(String, String)>,
}
