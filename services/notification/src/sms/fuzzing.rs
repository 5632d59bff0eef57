//! Doors to the parsers of Twilio's callbacks, for `fuzz/` alone.

use chrono::{DateTime, Utc};
use plaza_contracts::ids::MessageId;

use super::signature::{Signed, decoded, verified};
use super::{callback, inbound, status};

/// A callback with a form, as it comes in.
#[derive(Debug, Clone, Copy)]
pub struct TwilioCallback<'a> {
    /// The origin that Twilio knows us under.
    pub origin: &'a str,
    /// Path and query.
    pub target: &'a str,
    /// The form.
    pub body: &'a [u8],
}

/// Whether a callback that was signed with this token tells what became of a message, and something that somebody wrote; none
/// if it was not signed.
pub fn twilio_told(
    callback: &TwilioCallback<'_>,
    token: &[u8],
    signature: &str,
    now: DateTime<Utc>,
) -> Option<(bool, bool)> {
    let signed = Signed {
        origin: callback.origin,
        target: callback.target,
        body: callback.body,
        is_form: true,
    };
    let form = verified(&signed, token, &decoded(signature)?)?;
    let message = callback::message_in(callback.target).unwrap_or_else(|| MessageId::from(uuid::Uuid::max()));
    let receipt = status::receipt(&form, message, now);
    Some((receipt.is_some(), inbound::written(&form, now).is_some()))
}
