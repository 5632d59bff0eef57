//! Settings of Twilio.

use serde::Deserialize;

/// How to reach Twilio's API.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TwilioConfig {
    /// The origin of the API, without a slash at the end.
    pub base_url: String,
    /// How long one call may take; three quarters of the lease at the most. Milliseconds.
    pub timeout_milliseconds: u64,
}

impl Default for TwilioConfig {
    fn default() -> Self {
        Self {
            base_url: "https://api.twilio.com".to_owned(),
            timeout_milliseconds: 10_000,
        }
    }
}
