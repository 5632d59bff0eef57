//! What a callback of Meta's WhatsApp webhook tells (`object: whatsapp_business_account`). No I/O here.
//!
//! A callback has entries (a business account each), those have changes, and those lists of things. Every one of them is
//! looked at. Only what we need is read; everything else may be there, in any shape: one thing that we do not understand
//! must not cost the others. Shapes as in Meta's reference of the Cloud API's webhooks.

mod message;
mod preference;
mod status;
mod store;
mod take;
mod template;
mod user_id;

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::conversations::Inbound;
use crate::receipts::Receipt;

pub(crate) use message::Moved;
pub(crate) use preference::Preference;
pub(crate) use take::Businesses;
pub(crate) use template::TemplateUpdate;
pub(crate) use user_id::Renamed;

/// A callback.
#[derive(Debug, Deserialize)]
pub(crate) struct Callback {
    #[serde(default)]
    entry: Vec<Value>,
}

#[derive(Debug, Deserialize)]
struct Entry {
    /// The business account.
    #[serde(default)]
    id: Value,
    #[serde(default)]
    changes: Vec<Value>,
}

#[derive(Debug, Deserialize)]
struct Change {
    #[serde(default)]
    field: String,
    #[serde(default)]
    value: Value,
}

/// What is said of one number of a business.
#[derive(Debug, Deserialize)]
struct OfNumberValue {
    metadata: Metadata,
    #[serde(default)]
    contacts: Vec<Value>,
    #[serde(default)]
    messages: Vec<Value>,
    #[serde(default)]
    statuses: Vec<Value>,
    #[serde(default)]
    user_preferences: Vec<Value>,
    #[serde(default)]
    user_id_update: Vec<Value>,
    #[serde(default)]
    user_id: Value,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    phone_number_id: String,
}

/// What a callback tells.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// By number.
    pub(crate) numbers: BTreeMap<String, OfNumber>,
    /// Of templates, by business account.
    pub(crate) templates: BTreeMap<String, Vec<TemplateUpdate>>,
}

/// What a callback tells of one number of a business.
#[derive(Debug, Default)]
pub(crate) struct OfNumber {
    /// The business account that the number belongs to.
    pub(crate) business: Option<String>,
    pub(crate) receipts: Vec<Receipt>,
    pub(crate) inbound: Vec<Inbound>,
    pub(crate) preferences: Vec<Preference>,
    pub(crate) renamed: Vec<Renamed>,
    pub(crate) moved: Vec<Moved>,
}

impl OfNumber {
    /// Whether it is about people, not about messages of ours.
    pub(crate) fn is_about_people(&self) -> bool {
        !(self.inbound.is_empty()
            && self.preferences.is_empty()
            && self.renamed.is_empty()
            && self.moved.is_empty())
    }
}

impl Callback {
    /// What it tells. `now` stands for times that cannot be.
    pub(crate) fn told(self, now: DateTime<Utc>) -> Told {
        let mut told = Told::default();
        for entry in all::<Entry>(self.entry) {
            let business = text_of(&entry.id);
            for change in all::<Change>(entry.changes) {
                match change.field.as_str() {
                    "messages" | "user_preferences" | "user_id_update" => {
                        told.of_number(business.as_deref(), change.value, now);
                    }
                    "message_template_status_update" => {
                        told.of_template(business.as_deref(), change.value, now)
                    }
                    _ => {}
                }
            }
        }
        told
    }
}

impl Told {
    fn of_number(&mut self, business: Option<&str>, value: Value, now: DateTime<Utc>) {
        let Ok(value) = serde_json::from_value::<OfNumberValue>(value) else {
            return;
        };
        let number = self.numbers.entry(value.metadata.phone_number_id).or_default();
        if let Some(business) = business {
            number.business = Some(business.to_owned());
        }
        let statuses = all::<status::Status>(value.statuses);
        number
            .receipts
            .extend(statuses.filter_map(|status| status.receipt(now)));
        let contacts: Vec<message::Contact> = all(value.contacts).collect();
        for message in value.messages {
            number.of_message(message, &contacts, now);
        }
        let preferences = all::<preference::Told>(value.user_preferences);
        number
            .preferences
            .extend(preferences.filter_map(|told| told.preference(now)));
        let updates = all::<user_id::Update>(value.user_id_update).map(|update| update.user_id);
        let alone = all::<Renamed>(vec![value.user_id]);
        number
            .renamed
            .extend(updates.chain(alone).filter(Renamed::is_one));
    }

    fn of_template(&mut self, business: Option<&str>, value: Value, now: DateTime<Utc>) {
        let update: Result<template::Update, _> = serde_json::from_value(value);
        if let (Some(business), Ok(update)) = (business, update)
            && let Some(update) = update.told(now)
        {
            self.templates
                .entry(business.to_owned())
                .or_default()
                .push(update);
        }
    }
}

impl OfNumber {
    fn of_message(&mut self, value: Value, contacts: &[message::Contact], now: DateTime<Utc>) {
        match message::read(value, contacts, now) {
            Some(message::Read::Inbound(inbound)) => self.inbound.push(inbound),
            Some(message::Read::Moved(moved)) => self.moved.push(moved),
            Some(message::Read::Renamed(renamed)) => self.renamed.push(renamed),
            None => {}
        }
    }
}

/// Those of the values that can be read.
fn all<T: DeserializeOwned>(values: Vec<Value>) -> impl Iterator<Item = T> {
    values
        .into_iter()
        .filter_map(|value| serde_json::from_value(value).ok())
}

/// An id, as text or as a number.
fn text_of(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    crate::providers::is_provider_id(&text).then_some(text)
}

/// A time in seconds since 1970, as text in Meta's documents. A clock of theirs that is off would give times that no
/// calendar of the database holds: those are now.
fn time_of(value: &Value, now: DateTime<Utc>) -> DateTime<Utc> {
    let seconds = value.as_i64().or_else(|| value.as_str()?.parse().ok());
    let at = seconds.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    at.filter(|at| (now - *at).abs() < TimeDelta::days(3_650))
        .unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::messages::State;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    fn told(callback: Value) -> Told {
        serde_json::from_value::<Callback>(callback).unwrap().told(now())
    }

    /// What was told, as the vectors write it.
    fn summary(told: Told) -> Value {
        let mut all = serde_json::Map::new();
        let mut put = |name: &str, rows: Vec<Value>| {
            if !rows.is_empty() {
                all.insert(name.to_owned(), Value::from(rows));
            }
        };
        let without_null = |row: Value| {
            let row = row.as_object().unwrap().clone();
            Value::from_iter(row.into_iter().filter(|(_, value)| !value.is_null()))
        };
        let (numbers, templates) = (told.numbers.into_values(), told.templates.into_values());
        let mut rows = [const { Vec::new() }; 5];
        for number in numbers {
            rows[0].extend(number.receipts.into_iter().map(|receipt| {
                let (code, text) = receipt.error.unzip();
                without_null(json!({"state": receipt.state.as_str(), "code": code, "text": text}))
            }));
            rows[1].extend(number.inbound.into_iter().map(|inbound| {
                assert_eq!(
                    (inbound.provider_id.as_str(), inbound.at.timestamp()),
                    ("wamid.in", 1_700_000_000)
                );
                assert!(serde_json::from_str::<Value>(&inbound.payload).is_ok());
                without_null(
                    json!({"kind": inbound.kind, "body": inbound.body, "address": inbound.from.address,
                    "user": inbound.from.user, "name": inbound.from.name}),
                )
            }));
            rows[2].extend(
                number
                    .preferences
                    .into_iter()
                    .map(|preference| json!({"address": preference.address, "wants": preference.wants})),
            );
            rows[3].extend(
                number
                    .renamed
                    .into_iter()
                    .map(|renamed| json!({"previous": renamed.previous, "current": renamed.current})),
            );
            rows[4].extend(
                number
                    .moved
                    .into_iter()
                    .map(|moved| json!({"from": moved.from.address, "to": moved.to, "user": moved.user})),
            );
        }
        let names = ["receipts", "inbound", "preferences", "renamed", "moved"];
        for (name, rows) in names.into_iter().zip(rows) {
            put(name, rows);
        }
        let templates = templates.flatten().map(|update| {
            json!({"name": update.name, "language": update.language, "state": update.state, "reason": update.reason})
        });
        put("templates", templates.collect());
        Value::Object(all)
    }

    #[test]
    fn every_callback_tells_what_it_should() {
        let vectors: Value =
            serde_json::from_str(include_str!("../../../testdata/vectors/meta.json")).unwrap();
        let callbacks = vectors["callbacks"].as_array().unwrap();
        assert!(callbacks.len() >= 45, "{}", callbacks.len());
        for row in callbacks {
            let mut expected = row["told"].clone();
            if let Some(inbound) = expected.get_mut("inbound") {
                for one in inbound.as_array_mut().unwrap() {
                    one.as_object_mut().unwrap().retain(|_, value| !value.is_null());
                }
            }
            assert_eq!(
                summary(told(row["callback"].clone())),
                expected,
                "{}",
                row["name"]
            );
        }
    }

    #[test]
    fn every_entry_change_and_status_is_looked_at() {
        let reference = uuid::Uuid::from_u128(7);
        let status = |status: &str| {
            json!({"id": "wamid.1", "status": status, "timestamp": "1700000000",
                "biz_opaque_callback_data": reference.to_string()})
        };
        let value = |statuses: Vec<Value>| json!({"field": "messages", "value": {"metadata": {"phone_number_id": "42"}, "statuses": statuses}});
        let told = told(json!({"object": "whatsapp_business_account", "entry": [
            {"id": "1", "changes": [value(vec![status("sent"), status("delivered")])]},
            {"id": "2", "changes": [value(vec![status("warming up")]), value(vec![status("read")])]},
            {"id": "3", "changes": [{"field": "account_update", "value": {"statuses": [status("failed")]}}]},
        ]}));
        let receipts = &told.numbers["42"].receipts;
        let states: Vec<State> = receipts.iter().map(|receipt| receipt.state).collect();
        assert_eq!(states, [State::Sent, State::Delivered, State::Read]);
    }

    #[test]
    fn what_is_not_understood_does_not_cost_what_is() {
        let reference = uuid::Uuid::from_u128(7).to_string();
        let good = json!({"id": "wamid.1", "status": "read", "timestamp": 1_700_000_000,
            "biz_opaque_callback_data": reference});
        let with = |name: &str, value: Value| {
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
            with("errors", json!("none")),
            good,
        ]);
        let hello =
            |from: Value| json!({"from": from, "id": "wamid.2", "type": "text", "text": {"body": "a\u{0}b"}});
        let messages = json!([7, {"type": "text"}, hello(json!("nobody")), hello(json!(7)), hello(json!("12015550123"))]);
        let told = told(json!({"entry": ["x", {"changes": 7}, {"changes": ["y",
            {"field": "messages", "value": [1, 2]},
            {"field": "messages", "value": {"statuses": statuses}},
            {"field": "messages", "value": {"metadata": {"phone_number_id": "42"}, "contacts": ["z"],
                "statuses": statuses, "messages": messages}},
        ]}]}));
        let number = &told.numbers["42"];
        let times = number.receipts.iter().map(|receipt| receipt.at.timestamp());
        assert_eq!(
            times.collect::<Vec<_>>(),
            [1_800_000_000, 1_700_000_000, 1_700_000_000],
            "a time that cannot be is the time of the callback"
        );
        let bodies = number.inbound.iter().map(|inbound| inbound.body.as_deref());
        assert_eq!(bodies.collect::<Vec<_>>(), [Some("a b")]);
    }
}
