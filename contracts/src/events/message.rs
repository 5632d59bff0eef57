//! One message to one person, as whoever asks for it says it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::ids::MessageId;

/// One message to one person, its personalisation frozen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutgoingMessage {
    /// Its id, given by whoever asks for it to be sent.
    pub message_id: MessageId,
    /// `whatsapp`, `sms`.
    pub channel: String,
    /// E.164.
    pub to: String,
    /// What it says.
    pub content: MessageContent,
    /// `marketing`, `utility`, `authentication`: quiet hours, caps and objections are about the first. None: not marketing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// Where the person is, for quiet hours: `Europe/Berlin`. None: as the number's country tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// What has not left by then never does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
}

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum MessageContent {
    /// A template that the provider knows, with its parameters in order.
    Template {
        /// The provider's name of it: `[a-z0-9_]{1,512}`.
        name: String,
        /// `en_US`.
        language: String,
        /// The values of `{{1}}`, `{{2}}`, … of the body.
        body: Vec<String>,
        /// What stands above the body, where the template has a place for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        header: Option<TemplateHeader>,
        /// The buttons that have a value.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        buttons: Vec<TemplateButton>,
    },
    /// Free text: an SMS, or a reply within the provider's window.
    Text {
        /// The text.
        body: String,
        /// Whether the first link in it is shown as a card.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        preview_url: bool,
        /// The provider's id of the message that this answers.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reply_to: Option<String>,
    },
    /// Says that a message of theirs was read. Nothing is shown but that.
    Read {
        /// The provider's id of their message.
        provider_id: String,
    },
}

/// What stands above the body of a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum TemplateHeader {
    /// The value of its `{{1}}`.
    Text {
        /// The value.
        text: String,
    },
    /// A picture.
    Image {
        /// Where it is.
        media: Media,
    },
    /// A film.
    Video {
        /// Where it is.
        media: Media,
    },
    /// A document.
    Document {
        /// Where it is.
        media: Media,
        /// The name it is shown with.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        filename: Option<String>,
    },
}

/// Where a picture, a film or a document is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Media {
    /// With the provider already: its id there.
    Id(String),
    /// The provider fetches it.
    Link(String),
}

/// A button of a template that has a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateButton {
    /// Which one, from 0.
    pub index: u8,
    /// Its value.
    pub value: ButtonValue,
}

/// The value of a button.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ButtonValue {
    /// The end of its address.
    Url(String),
    /// What comes back when it is pressed.
    QuickReply(String),
    /// The code that it copies.
    Code(String),
}
