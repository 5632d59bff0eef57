//! What notification is asked for, and what it learns from providers and people.

use chrono::{DateTime, Utc};
use plaza_kernel::{Event, OrderKey};
use serde::{Deserialize, Serialize};

use super::OutgoingMessage;
use crate::ids::{ConversationId, MessageId, SenderId};

/// Messages to be sent that belong to no campaign: at most 500. Idempotent by message id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotificationRequested {
    /// Who asks, by which the messages are counted: a kind, a colon, an id (`order:<id>`).
    pub source: String,
    /// The account they go out from; none for the tenant's default of their channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender_id: Option<SenderId>,
    /// The messages.
    pub messages: Vec<OutgoingMessage>,
}

impl Event for NotificationRequested {
    const NAME: &'static str = "notification.requested";

    fn order_key(&self) -> OrderKey {
        OrderKey::new(self.source.clone())
    }
}

/// So many messages of a source failed for one reason that nothing more of it is sent until somebody looks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceTripped {
    /// `campaign:<id>`.
    pub source: String,
    /// The account they went out from.
    pub sender_id: SenderId,
    /// What sort of failure.
    pub class: String,
    /// The provider's code of it, as text.
    pub code: String,
    /// How many failed so …
    pub failed: u64,
    /// … of how many.
    pub tried: u64,
}

impl Event for SourceTripped {
    const NAME: &'static str = "notification.source.tripped";

    fn order_key(&self) -> OrderKey {
        OrderKey::new(self.source.clone())
    }
}

/// A person wrote. What they wrote, and their number, is read over the API: it is in no queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InboundReceived {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The message.
    pub message_id: MessageId,
    /// The account that they wrote to.
    pub sender_id: SenderId,
    /// `whatsapp`, `sms`.
    pub channel: String,
    /// `text`, `image`, `button`, …
    pub kind: String,
    /// When, by the provider's clock.
    pub at: DateTime<Utc>,
}

impl Event for InboundReceived {
    const NAME: &'static str = "broadcast.inbound.received";

    fn order_key(&self) -> OrderKey {
        self.conversation_id.into()
    }
}

/// A person does not want to be written to any more, or wants it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OptOutRecorded {
    /// `whatsapp`, `sms`.
    pub channel: String,
    /// E.164.
    pub address: String,
    /// `all`, `marketing`.
    pub scope: String,
    /// `out`, `in`.
    pub action: String,
    /// What said so: `stop`, `preference`, `provider`, …
    pub source: String,
    /// When.
    pub at: DateTime<Utc>,
}

impl Event for OptOutRecorded {
    const NAME: &'static str = "broadcast.optout.recorded";

    fn order_key(&self) -> OrderKey {
        OrderKey::new(format!("{}:{}", self.channel, self.address))
    }
}

/// A provider approved, paused or rejected a template of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateStateChanged {
    /// The account.
    pub sender_id: SenderId,
    /// The provider's name of the template.
    pub name: String,
    /// Its language: `en_US`.
    pub language: String,
    /// `approved`, `paused`, `rejected`, …
    pub state: String,
    /// Why, as the provider says it; empty if it does not.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// When, by the provider's clock.
    pub at: DateTime<Utc>,
}

impl Event for TemplateStateChanged {
    const NAME: &'static str = "broadcast.template.state_changed";

    fn order_key(&self) -> OrderKey {
        OrderKey::new(format!("{}:{}:{}", self.sender_id, self.name, self.language))
    }
}

/// An account cannot send as it should: it was paused, or its credentials are not accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SenderDegraded {
    /// The account.
    pub sender_id: SenderId,
    /// Its state now: `paused`, `needs_auth`.
    pub status: String,
    /// What sort of failure.
    pub class: String,
    /// The provider's code of it, as text.
    pub code: String,
    /// Since when.
    pub at: DateTime<Utc>,
}

impl Event for SenderDegraded {
    const NAME: &'static str = "broadcast.sender.degraded";

    fn order_key(&self) -> OrderKey {
        self.sender_id.into()
    }
}
