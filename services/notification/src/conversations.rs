//! Conversations: what people write to a sender of a tenant, and what they are answered. No I/O here.
//!
//! WhatsApp takes anything for 24 hours after a person wrote, and only templates after that.

pub(crate) mod http;
pub(crate) mod persons;
pub(crate) mod reply;
pub(crate) mod store;
pub(crate) mod take;

use chrono::{DateTime, TimeDelta, Utc};
use plaza_contracts::ids::{ConversationId, MessageId, SenderId};
use plaza_kernel::{Failure, Kind};

use crate::opt_out::Keyword;

/// For how long anything may be written to somebody who wrote.
pub(crate) const WINDOW: TimeDelta = TimeDelta::hours(24);

/// A person as a provider names one: by a number, by an id of its own, or by both.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Person {
    /// In E.164.
    pub(crate) address: Option<String>,
    /// The provider's id of the person for this business.
    pub(crate) user: Option<String>,
    /// The name that the person goes by there.
    pub(crate) name: Option<String>,
}

/// A message that a person wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Inbound {
    pub(crate) from: Person,
    /// The provider's id of it: told twice, it is one.
    pub(crate) provider_id: String,
    /// `text`, `image`, `button`, …
    pub(crate) kind: String,
    /// What it says, where it says something.
    pub(crate) body: Option<String>,
    /// What the provider told of it, as JSON.
    pub(crate) payload: String,
    /// When, by the provider's clock.
    pub(crate) at: DateTime<Utc>,
    /// What it asks for, where the provider says so.
    pub(crate) asks: Option<Keyword>,
    /// The provider has dealt with a keyword in it, and answered it.
    pub(crate) is_answered: bool,
}

/// A person and a sender, as people look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Conversation {
    pub(crate) id: ConversationId,
    pub(crate) sender_id: SenderId,
    pub(crate) channel: String,
    pub(crate) address: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) last_inbound_at: DateTime<Utc>,
    pub(crate) window_until: DateTime<Utc>,
    pub(crate) unread: i32,
    pub(crate) needs_review: bool,
    pub(crate) created_at: DateTime<Utc>,
}

/// Something that was said in a conversation, by either side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) id: MessageId,
    /// Whether the person said it.
    pub(crate) is_inbound: bool,
    pub(crate) kind: String,
    pub(crate) body: Option<String>,
    /// Of a message of ours where it is, of one of theirs what its words ask for.
    pub(crate) state: Option<String>,
    pub(crate) error_code: Option<String>,
    pub(crate) at: DateTime<Utc>,
}

/// The tenant has no such conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this conversation does not exist")]
pub(crate) struct NoConversation;

impl Failure for NoConversation {
    fn kind(&self) -> Kind {
        Kind::NotFound
    }

    fn code(&self) -> &'static str {
        "CONVERSATION_NOT_FOUND"
    }
}

/// The source of what is answered in a conversation.
pub(crate) fn source(conversation: ConversationId) -> String {
    format!("conversation:{conversation}")
}
