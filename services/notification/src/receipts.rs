//! Receipts: what a provider says became of a message. No I/O here.

pub(crate) mod http;
pub(crate) mod store;

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use plaza_contracts::ids::MessageId;
use serde::Deserialize;
use serde_json::Value;

use crate::messages::State;
use crate::providers::{is_provider_id, presentable};

/// One fact about one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Receipt {
    /// Our reference, which came back.
    pub(crate) message: MessageId,
    /// The provider's id of the message.
    pub(crate) provider_id: String,
    /// What became of it: sent, delivered, read or failed.
    pub(crate) state: State,
    /// When, by the provider's clock.
    pub(crate) at: DateTime<Utc>,
    /// The provider's code and words, when it failed.
    pub(crate) error: Option<(String, String)>,
}

/// A callback of Meta's WhatsApp webhook (`object: whatsapp_business_account`). Only what receipts need is read;
/// everything else may be there, in any shape: one thing that we do not understand must not cost the others.
#[derive(Debug, Deserialize)]
pub(crate) struct Callback {
    #[serde(default)]
    entry: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
struct Entry {
    #[serde(default)]
    changes: Vec<Change>,
}

#[derive(Debug, Deserialize)]
struct Change {
    #[serde(default)]
    field: String,
    #[serde(default)]
    value: Value,
}

#[derive(Debug, Deserialize)]
struct Messages {
    metadata: Metadata,
    #[serde(default)]
    statuses: Vec<Value>,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    phone_number_id: String,
}

#[derive(Debug, Deserialize)]
struct Status {
    id: String,
    status: String,
    #[serde(default)]
    timestamp: Value,
    biz_opaque_callback_data: String,
    #[serde(default)]
    errors: Vec<StatusError>,
}

#[derive(Debug, Deserialize)]
struct StatusError {
    #[serde(default)]
    code: i64,
    #[serde(default)]
    title: String,
}

impl Callback {
    /// The receipts in it by account. Every entry, change and status is looked at; what is not a receipt of ours
    /// (no reference, a state we do not know) is left out.
    pub(crate) fn receipts(self, now: DateTime<Utc>) -> BTreeMap<String, Vec<Receipt>> {
        let mut by_account: BTreeMap<String, Vec<Receipt>> = BTreeMap::new();
        let changes = self.entry.into_iter().flat_map(|entry| entry.changes);
        for change in changes.filter(|change| change.field == "messages") {
            let Ok(Messages { metadata, statuses }) = serde_json::from_value(change.value) else {
                continue;
            };
            let statuses = statuses
                .into_iter()
                .filter_map(|status| serde_json::from_value(status).ok());
            let receipts = statuses.filter_map(|status: Status| status.receipt(now));
            by_account
                .entry(metadata.phone_number_id)
                .or_default()
                .extend(receipts);
        }
        by_account
    }
}

impl Status {
    fn receipt(self, now: DateTime<Utc>) -> Option<Receipt> {
        let state = match self.status.as_str() {
            "sent" => State::Sent,
            "delivered" => State::Delivered,
            "read" => State::Read,
            "failed" => State::Failed,
            _ => return None,
        };
        // Seconds since 1970, as text in Meta's documents.
        let seconds = self
            .timestamp
            .as_i64()
            .or_else(|| self.timestamp.as_str()?.parse().ok());
        let at = seconds.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
        // A clock of theirs that is off would give times that no calendar of the database holds.
        let near = |at: &DateTime<Utc>| (now - *at).abs() < TimeDelta::days(3_650);
        let error = self.errors.into_iter().next();
        Some(Receipt {
            message: self.biz_opaque_callback_data.parse().ok()?,
            provider_id: Some(self.id).filter(|id| is_provider_id(id))?,
            state,
            at: at.filter(near).unwrap_or(now),
            error: error.map(|error| (error.code.to_string(), presentable(&error.title))),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_entry_change_and_status_is_looked_at() {
        let reference = uuid::Uuid::from_u128(7);
        let status = |status: &str| {
            json!({"id": "wamid.1", "status": status, "timestamp": "1700000000",
                "biz_opaque_callback_data": reference.to_string()})
        };
        let value = |statuses: Vec<serde_json::Value>| json!({"field": "messages", "value": {"metadata": {"phone_number_id": "42"}, "statuses": statuses}});
        let callback: Callback = serde_json::from_value(json!({"object": "whatsapp_business_account", "entry": [
            {"id": "1", "changes": [value(vec![status("sent"), status("delivered")])]},
            {"id": "2", "changes": [value(vec![status("warming up")]), value(vec![status("read")])]},
            {"id": "3", "changes": [{"field": "account_update", "value": {"statuses": [status("failed")]}}]},
        ]}))
        .unwrap();
        let receipts = callback.receipts(DateTime::UNIX_EPOCH);
        let states: Vec<State> = receipts["42"].iter().map(|receipt| receipt.state).collect();
        assert_eq!(states, [State::Sent, State::Delivered, State::Read]);
    }
    #[test]
    fn what_is_not_understood_does_not_cost_what_is() {
        let reference = uuid::Uuid::from_u128(7).to_string();
        let good = json!({"id": "wamid.1", "status": "read", "timestamp": 1_700_000_000,
            "biz_opaque_callback_data": reference});
        let with = |name: &str, value: serde_json::Value| {
            let mut status = good.clone();
            status[name] = value;
            status
        };
        let statuses = json!([
            "rubbish",
            with("id", json!("")),
            with("id", json!("a\u{0}b")),
            with("id", json!("x".repeat(257))),
            with("biz_opaque_callback_data", json!(null)),
            with("biz_opaque_callback_data", json!("not ours")),
            with("timestamp", json!("9999999999999")),
            good,
        ]);
        let callback: Callback = serde_json::from_value(json!({"entry": [{"changes": [
            {"field": "messages", "value": [1, 2]},
            {"field": "messages", "value": {"statuses": statuses}},
            {"field": "messages", "value": {"metadata": {"phone_number_id": "42"}, "statuses": statuses}},
        ]}]}))
        .unwrap();
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let receipts = callback.receipts(now);
        let times: Vec<i64> = receipts["42"]
            .iter()
            .map(|receipt| receipt.at.timestamp())
            .collect();
        assert_eq!(
            times,
            [1_800_000_000, 1_700_000_000],
            "a time that cannot be is the time of the callback"
        );
    }
}
