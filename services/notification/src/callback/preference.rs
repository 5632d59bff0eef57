//! What a person told WhatsApp about advertising of a business.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use super::time_of;
use crate::addresses;

/// An item of `user_preferences`.
#[derive(Debug, Deserialize)]
#[serde(default)]
#[derive(Default)]
pub(super) struct Told {
    wa_id: Value,
    category: String,
    value: String,
    timestamp: Value,
}

/// Whether a person wants advertising.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Preference {
    /// In E.164.
    pub(crate) address: String,
    pub(crate) wants: bool,
    /// When, by the provider's clock.
    pub(crate) at: DateTime<Utc>,
}

impl Told {
    pub(super) fn preference(self, now: DateTime<Utc>) -> Option<Preference> {
        let wants = match (self.category.as_str(), self.value.as_str()) {
            ("marketing_messages", "stop") => false,
            ("marketing_messages", "resume") => true,
            _ => return None,
        };
        Some(Preference {
            address: self.wa_id.as_str().and_then(addresses::of_digits)?,
            wants,
            at: time_of(&self.timestamp, now),
        })
    }
}
