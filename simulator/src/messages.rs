//! An accepted message, small in memory, and as it is written down.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use plaza_telemetry::trace::TraceContext;
use serde::{Deserialize, Serialize};

use crate::plan::{Status, Step};

/// An accepted message and how far its plan is carried out.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) wamid: Box<str>,
    pub(crate) phone_number_id: Arc<str>,
    /// Digits only.
    pub(crate) to: Box<str>,
    /// `biz_opaque_callback_data`; of a text message its `StatusCallback`.
    pub(crate) reference: Option<Arc<str>>,
    pub(crate) content: Content,
    pub(crate) at: DateTime<Utc>,
    /// Attempts seen under the same key up to and with this one.
    pub(crate) attempts: u16,
    pub(crate) steps: Box<[Step]>,
    /// How many of the steps were acknowledged. They are carried out in order, so this is the next one.
    pub(crate) done: u8,
    /// The trace that its callbacks belong to.
    pub(crate) trace: Option<TraceContext>,
    /// Whose API it came in by.
    pub(crate) provider: Provider,
}

/// Whose API a message came in by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Provider {
    /// The WhatsApp Cloud API.
    Meta,
    /// Twilio's. What stands for a reference there is the address that is called back.
    Twilio {
        /// The account's id.
        account: Arc<str>,
    },
}

/// What is to be said.
#[derive(Debug)]
pub(crate) enum Content {
    Template {
        name: Arc<str>,
        language: Arc<str>,
        components: Box<str>,
    },
    Text {
        body: Box<str>,
    },
}

impl Message {
    /// The furthest that was reported: `delivered` and `read` outrank `failed`, which outranks `sent`.
    pub(crate) fn reached(&self) -> Reached {
        self.acknowledged()
            .iter()
            .map(|step| Reached::from(step.status))
            .max()
            .unwrap_or(Reached::Accepted)
    }

    pub(crate) fn acknowledged(&self) -> &[Step] {
        &self.steps[..usize::from(self.done).min(self.steps.len())]
    }

    pub(crate) fn next_step(&self) -> Option<&Step> {
        self.steps.get(usize::from(self.done))
    }
}

/// How far a message came, in rank.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reached {
    Accepted,
    Sent,
    Failed,
    Delivered,
    Read,
}

impl From<Status> for Reached {
    fn from(status: Status) -> Self {
        match status {
            Status::Sent => Self::Sent,
            Status::Failed(_) => Self::Failed,
            Status::Delivered => Self::Delivered,
            Status::Read => Self::Read,
        }
    }
}

/// A message as a line of the state file holds it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct MessageRecord<'a> {
    #[serde(borrow)]
    wamid: Cow<'a, str>,
    #[serde(borrow)]
    phone_number_id: Cow<'a, str>,
    #[serde(borrow)]
    to: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    reference: Option<Cow<'a, str>>,
    #[serde(borrow)]
    content: ContentRecord<'a>,
    at: DateTime<Utc>,
    attempts: u16,
    steps: Cow<'a, [Step]>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    traceparent: Option<Cow<'a, str>>,
    /// The account, of a message that came in by Twilio's API.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    twilio: Option<Cow<'a, str>>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ContentRecord<'a> {
    Template {
        #[serde(borrow)]
        name: Cow<'a, str>,
        #[serde(borrow)]
        language: Cow<'a, str>,
        #[serde(borrow)]
        components: Cow<'a, str>,
    },
    Text {
        #[serde(borrow)]
        body: Cow<'a, str>,
    },
}

impl<'a> From<&'a Message> for MessageRecord<'a> {
    fn from(message: &'a Message) -> Self {
        let content = match &message.content {
            Content::Template {
                name,
                language,
                components,
            } => ContentRecord::Template {
                name: Cow::Borrowed(name),
                language: Cow::Borrowed(language),
                components: Cow::Borrowed(components),
            },
            Content::Text { body } => ContentRecord::Text {
                body: Cow::Borrowed(body),
            },
        };
        Self {
            wamid: Cow::Borrowed(&message.wamid),
            phone_number_id: Cow::Borrowed(&message.phone_number_id),
            to: Cow::Borrowed(&message.to),
            reference: message.reference.as_deref().map(Cow::Borrowed),
            content,
            at: message.at,
            attempts: message.attempts,
            steps: Cow::Borrowed(&message.steps),
            traceparent: message.trace.map(|trace| Cow::Owned(trace.to_traceparent())),
            twilio: match &message.provider {
                Provider::Meta => None,
                Provider::Twilio { account } => Some(Cow::Borrowed(account)),
            },
        }
    }
}

impl MessageRecord<'_> {
    /// The message as it was when it was accepted.
    pub(crate) fn restored(self, words: &mut Words) -> Message {
        let content = match self.content {
            ContentRecord::Template {
                name,
                language,
                components,
            } => Content::Template {
                name: words.shared(&name),
                language: words.shared(&language),
                components: components.into(),
            },
            ContentRecord::Text { body } => Content::Text { body: body.into() },
        };
        Message {
            wamid: self.wamid.into(),
            phone_number_id: words.shared(&self.phone_number_id),
            to: self.to.into(),
            reference: self.reference.map(Arc::from),
            content,
            at: self.at,
            attempts: self.attempts,
            steps: self.steps.into(),
            done: 0,
            trace: self.traceparent.as_deref().and_then(TraceContext::parse),
            provider: self.twilio.map_or(Provider::Meta, |account| Provider::Twilio {
                account: words.shared(&account),
            }),
        }
    }
}

/// Words that many messages share are kept once.
#[derive(Debug, Default)]
pub(crate) struct Words(HashSet<Arc<str>>);

impl Words {
    pub(crate) fn shared(&mut self, word: &str) -> Arc<str> {
        if let Some(known) = self.0.get(word) {
            return Arc::clone(known);
        }
        let word: Arc<str> = word.into();
        self.0.insert(Arc::clone(&word));
        word
    }
}
