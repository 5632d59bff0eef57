//! What became of a message of ours.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use super::{all, time_of};
use crate::messages::State;
use crate::providers::{is_provider_id, presentable};
use crate::receipts::Receipt;

/// A status. What it says of prices, conversations and members of a group is passed over.
#[derive(Debug, Deserialize)]
pub(super) struct Status {
    id: String,
    status: String,
    #[serde(default)]
    timestamp: Value,
    biz_opaque_callback_data: String,
    #[serde(default)]
    errors: Value,
}

#[derive(Debug, Deserialize)]
struct StatusError {
    code: Option<i64>,
    #[serde(default)]
    title: String,
    #[serde(default)]
    error_data: Option<ErrorData>,
}

#[derive(Debug, Deserialize)]
struct ErrorData {
    #[serde(default)]
    details: String,
}

impl Status {
    /// The receipt; none for what is not about a message of ours, or says nothing that we know.
    pub(super) fn receipt(self, now: DateTime<Utc>) -> Option<Receipt> {
        let state = match self.status.as_str() {
            "sent" => State::Sent,
            "delivered" => State::Delivered,
            "read" => State::Read,
            "failed" => State::Failed,
            _ => return None,
        };
        Some(Receipt {
            message: self.biz_opaque_callback_data.parse().ok()?,
            provider_id: Some(self.id).filter(|id| is_provider_id(id))?,
            state,
            at: time_of(&self.timestamp, now),
            error: error(self.errors),
        })
    }
}

/// The code of the first error, and the words of all of them.
fn error(errors: Value) -> Option<(String, String)> {
    let Value::Array(errors) = errors else { return None };
    let mut errors = all::<StatusError>(errors);
    let first = errors.next()?;
    let mut text = first.words().to_owned();
    for other in errors {
        text.push_str(&format!("; {}: {}", other.name(), other.words()));
    }
    Some((first.name(), presentable(&text)))
}

impl StatusError {
    /// Its code. One that is missing is not code 0, which is about the account.
    fn name(&self) -> String {
        self.code
            .map_or_else(|| "NO_CODE".to_owned(), |code| code.to_string())
    }

    fn words(&self) -> &str {
        let details = self.error_data.as_ref().map(|data| data.details.as_str());
        details
            .filter(|details| !details.is_empty())
            .unwrap_or(&self.title)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::providers::{self, ErrorClass};

    #[test]
    fn an_error_without_a_code_is_about_nobody_but_the_message() {
        let errors = json!([{"title": "went wrong"}, {"code": 131026, "title": "undeliverable"}]);
        let (code, text) = error(errors).unwrap();
        assert_eq!(
            (code.as_str(), text.as_str()),
            ("NO_CODE", "went wrong; 131026: undeliverable")
        );
        assert_eq!(providers::class_of("whatsapp", &code), ErrorClass::Final);
    }
}
