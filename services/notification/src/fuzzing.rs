//! Doors to parsers that are private, for `fuzz/` alone: no part of what this service offers.

use chrono::{DateTime, Utc};
use http::HeaderMap;

use crate::callback::Callback;
use crate::receipts::http::{given_mac, holds};
pub use crate::sms::fuzzing::{TwilioCallback, twilio_told};

/// Whether these headers sign this body with the app's secret.
pub fn is_signed_by_meta(headers: &HeaderMap, secret: &[u8], body: &[u8]) -> bool {
    given_mac(headers).is_some_and(|given| holds(secret, body, &given))
}

/// Of how many numbers and how many business accounts a callback tells something; none if it cannot be read.
pub fn meta_told(body: &[u8], now: DateTime<Utc>) -> Option<(usize, usize)> {
    let callback: Callback = serde_json::from_slice(body).ok()?;
    let told = callback.told(now);
    Some((told.numbers.len(), told.templates.len()))
}
