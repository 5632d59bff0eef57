//! Senders: accounts at providers that messages go out from. No I/O here.

mod account;
pub(crate) mod create;
pub(crate) mod holders;
pub(crate) mod http;
pub(crate) mod renew;
pub(crate) mod resume;
pub(crate) mod store;

pub(crate) use account::{NewAccount, is_messaging_service};

use chrono::{DateTime, Utc};
use plaza_contracts::ids::SenderId;
use plaza_kernel::{Failure, Kind, TenantId};
use serde::Deserialize;
use serde_json::{Value, json};

/// WhatsApp, by Meta's Cloud API.
pub(crate) const WHATSAPP: &str = "whatsapp";
/// Text messages, by Twilio.
pub(crate) const SMS: &str = "sms";

/// Whether it is the name of a channel.
pub(crate) fn is_channel(text: &str) -> bool {
    [WHATSAPP, SMS].contains(&text)
}

/// What a provider needs to know of an account beside its id and its secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct SenderSettings {
    /// Twilio's account, which the number or the messaging service belongs to. Empty for WhatsApp.
    #[serde(default)]
    pub(crate) account_sid: String,
}

impl SenderSettings {
    /// As the database keeps it.
    pub(crate) fn to_json(&self) -> Value {
        match self.account_sid.as_str() {
            "" => json!({}),
            sid => json!({ "account_sid": sid }),
        }
    }

    /// As the database has it. What a later version added is passed over.
    pub(crate) fn from_json(value: Value) -> Self {
        serde_json::from_value(value).unwrap_or_default()
    }
}

/// A sender as people look at it: never with its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sender {
    pub(crate) id: SenderId,
    pub(crate) channel: String,
    pub(crate) name: String,
    /// Meta's id of the phone number; of text messages the number that they come from, or the service that chooses it.
    pub(crate) account_id: String,
    pub(crate) settings: SenderSettings,
    pub(crate) rate: i32,
    pub(crate) status: String,
    pub(crate) status_reason: Option<String>,
    pub(crate) created_at: DateTime<Utc>,
}

/// The tenant has no such sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this sender does not exist")]
pub(crate) struct NoSender;

impl Failure for NoSender {
    fn kind(&self) -> Kind {
        Kind::NotFound
    }

    fn code(&self) -> &'static str {
        "SENDER_NOT_FOUND"
    }
}

plaza_vault::sealed! {
    /// What senders show to their provider.
    pub(crate) static TOKENS: tenants "notification.senders" (id: uuid) access_token;
}

/// The account id of a tenant's development sender: fifteen digits, as Meta's phone number ids have, made of the
/// tenant's id so that every start gives the same.
pub(crate) fn development_account(tenant: TenantId) -> String {
    format!("1{:014}", tenant.as_uuid().as_u128() % 100_000_000_000_000)
}
