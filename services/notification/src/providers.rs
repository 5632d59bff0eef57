//! The narrow seam to the outside: what every provider of messages can do.

mod client;
mod smtp;
pub(crate) mod twilio;
mod whatsapp;

use std::future::Future;

use plaza_contracts::events::MessageContent;
use plaza_contracts::ids::{MessageId, SenderId};
use secrecy::SecretString;

use crate::senders::SenderSettings;
pub use smtp::UnusableMailServer;
pub(crate) use smtp::{Letter, MailFailure, Mailer, Session};
pub(crate) use twilio::Twilio;
pub(crate) use whatsapp::WhatsApp;

/// The account a message goes out from.
pub(crate) struct Account {
    /// The sender that it is.
    pub(crate) sender: SenderId,
    /// How it reaches people: `whatsapp`, `sms`.
    pub(crate) channel: String,
    /// The provider's id of it.
    pub(crate) id: String,
    /// What proves that we may use it.
    pub(crate) token: SecretString,
    /// What the provider needs to know besides.
    pub(crate) settings: SenderSettings,
}

/// A message on its way out.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    /// Its id, which the provider gets as our reference and sends back in receipts.
    pub(crate) reference: MessageId,
    /// To whom, in E.164.
    pub(crate) to: String,
    /// What it says.
    pub(crate) content: MessageContent,
}

/// What to do about a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum ErrorClass {
    /// Try again later. Says nothing about the message.
    Backoff,
    /// Too much at this sender: try again later, and slower.
    Throttled,
    /// Too much for this recipient: this message later.
    Pair,
    /// The provider spares this recipient advertising for now: not before a day is over, and once.
    Pacing,
    /// The sender cannot send now: everything of it waits until somebody looks at it.
    StopSender,
    /// The credentials do not hold: everything of the sender waits until they are renewed.
    Credentials,
    /// The template is not as the message needs it.
    Template {
        /// The provider has stopped it: no message of the source will be taken.
        stop: bool,
    },
    /// There is nobody at this address.
    Unreachable,
    /// The recipient told the provider that they want no advertising of this sender.
    OptedOut,
    /// The recipient has not written for a day: only templates are taken.
    WindowClosed,
    /// This message will never be taken.
    Final,
}

impl ErrorClass {
    /// Its name in events.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Backoff => "backoff",
            Self::Throttled => "throttled",
            Self::Pair => "pair",
            Self::Pacing => "pacing",
            Self::StopSender => "sender",
            Self::Credentials => "credentials",
            Self::Template { .. } => "template",
            Self::Unreachable => "unreachable",
            Self::OptedOut => "opted_out",
            Self::WindowClosed => "window_closed",
            Self::Final => "request",
        }
    }

    /// The state of a sender that is stopped for it, if one is.
    pub(crate) const fn stops_sender(self) -> Option<&'static str> {
        match self {
            Self::StopSender => Some("paused"),
            Self::Credentials => Some("needs_auth"),
            _ => None,
        }
    }
}

/// What a code means that was kept of a failure on this channel.
pub(crate) fn class_of(channel: &str, code: &str) -> ErrorClass {
    match channel {
        crate::senders::WHATSAPP => whatsapp::class_of(code),
        crate::senders::SMS => twilio::class_of(code),
        _ => ErrorClass::Final,
    }
}

/// Why a message was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SendFailure {
    /// The provider refused it.
    Refused {
        /// What to do about it.
        class: ErrorClass,
        /// The provider's code.
        code: String,
        /// What the provider said.
        text: String,
    },
    /// The provider cannot be reached and the request never left: nobody has the message.
    NotSent(String),
    /// The claim on the message had run out before it was its turn: nobody was asked.
    NotTried,
    /// The request left and no answer came: the provider may have the message.
    Unknown(String),
}

/// A provider of messages.
pub(crate) trait Provider: Send + Sync {
    /// Hands over a message; the provider's id of it. Accepted is not delivered.
    fn send(
        &self,
        account: &Account,
        message: &Outgoing,
    ) -> impl Future<Output = Result<String, SendFailure>> + Send;
}

/// Text from outside as the database can keep it: without control characters, and not too long.
pub(crate) fn presentable(text: &str) -> String {
    const LONGEST: usize = 500;
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(LONGEST)
        .collect()
}

/// Whether a provider's id of a message can be one: visible characters, not too many to be a key.
pub(crate) fn is_provider_id(text: &str) -> bool {
    (1..=256).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}
