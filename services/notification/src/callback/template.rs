//! What WhatsApp decided about a template.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use super::text_of;
use crate::providers::presentable;

/// The value of `message_template_status_update`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Update {
    event: String,
    message_template_id: Value,
    message_template_name: String,
    message_template_language: String,
    reason: Value,
    other_info: Value,
}

/// A template is in another state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TemplateUpdate {
    pub(crate) name: String,
    pub(crate) language: String,
    /// `approved`, `rejected`, `paused`, …
    pub(crate) state: String,
    /// Why, in the provider's word; empty without one.
    pub(crate) reason: String,
    pub(crate) provider_id: Option<String>,
    /// When we were told: the provider does not say when it was.
    pub(crate) at: DateTime<Utc>,
}

impl Update {
    pub(super) fn told(self, now: DateTime<Utc>) -> Option<TemplateUpdate> {
        let is_word = |text: &str, longest: usize| {
            (1..=longest).contains(&text.len())
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        let known = is_word(&self.event, 40)
            && is_word(&self.message_template_name, 512)
            && is_word(&self.message_template_language, 20);
        known.then(|| TemplateUpdate {
            state: state(&self.event),
            reason: self.why(),
            provider_id: text_of(&self.message_template_id),
            name: self.message_template_name,
            language: self.message_template_language,
            at: now,
        })
    }

    fn why(&self) -> String {
        let reason = self
            .reason
            .as_str()
            .filter(|reason| !["", "NONE"].contains(reason));
        let title = self.other_info["title"].as_str();
        presentable(reason.or(title).unwrap_or_default())
    }
}

/// What was taken back is as it was before.
fn state(event: &str) -> String {
    match event {
        "REINSTATED" | "UNARCHIVED" => "approved".to_owned(),
        other => other.to_ascii_lowercase(),
    }
}
