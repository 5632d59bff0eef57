//! Messages: the ladder of their states. No I/O here.

pub(crate) mod filter;
pub(crate) mod history;
pub(crate) mod http;
pub(crate) mod listing;
pub(crate) mod outgoing;
pub(crate) mod queue;
pub(crate) mod single;
pub(crate) mod store;

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use plaza_contracts::ids::{MessageId, SenderId};
use plaza_kernel::{Failure, Kind};

/// The class of a message that is advertising: windows, caps and narrower opt-outs are about it.
pub(crate) const MARKETING: &str = "marketing";

/// The classes that whoever asks for a message may name.
pub(crate) const CLASSES: [&str; 3] = [MARKETING, "utility", "authentication"];

/// The class of a reply to what a person wrote.
pub(crate) const SERVICE: &str = "service";

/// The class of the one message that says that there will be no more: it goes to somebody who must not be written to.
pub(crate) const CONFIRMATION: &str = "confirmation";

/// Where a message is. A later rank wins; `delivered` and `read` override `failed`, `sent` does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum State {
    /// Waits for its turn.
    Queued,
    /// A process works on it.
    Leased,
    /// It may or may not be with the provider; a receipt or time will tell.
    Unknown,
    /// The provider took it.
    Accepted,
    /// The provider sent it.
    Sent,
    /// It will not arrive.
    Failed,
    /// It arrived.
    Delivered,
    /// It was read.
    Read,
    /// It was not sent, on purpose: the address is suppressed.
    Skipped,
    /// It was not sent in time.
    Expired,
    /// It was called off.
    Cancelled,
}

impl State {
    /// All of them.
    pub(crate) const ALL: [Self; 11] = [
        Self::Queued,
        Self::Leased,
        Self::Unknown,
        Self::Accepted,
        Self::Sent,
        Self::Failed,
        Self::Delivered,
        Self::Read,
        Self::Skipped,
        Self::Expired,
        Self::Cancelled,
    ];

    /// The name on the wire and in the database.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Leased => "leased",
            Self::Unknown => "unknown",
            Self::Accepted => "accepted",
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Skipped => "skipped",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether something may still be sent.
    pub(crate) const fn is_open(self) -> bool {
        matches!(self, Self::Queued | Self::Leased | Self::Unknown)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Not the name of a [`State`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a state of a message")]
pub(crate) struct UnknownState;

impl FromStr for State {
    type Err = UnknownState;

    fn from_str(text: &str) -> Result<Self, UnknownState> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or(UnknownState)
    }
}

/// The tenant has no such message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this message does not exist")]
pub(crate) struct NoMessage;

impl Failure for NoMessage {
    fn kind(&self) -> Kind {
        Kind::NotFound
    }

    fn code(&self) -> &'static str {
        "MESSAGE_NOT_FOUND"
    }
}

/// A message as people look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) id: MessageId,
    pub(crate) source: String,
    pub(crate) sender_id: SenderId,
    pub(crate) channel: String,
    pub(crate) address: String,
    pub(crate) class: Option<String>,
    pub(crate) segments: Option<i32>,
    pub(crate) state: State,
    pub(crate) provider_id: Option<String>,
    pub(crate) error_code: Option<String>,
    pub(crate) error_text: Option<String>,
    pub(crate) attempts: i32,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
}
