//! Callbacks in Twilio's shape, and their signature.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};

use crate::messages::Message;
use crate::plan::{Status, Step};

/// The header of the signature.
pub(crate) const SIGNATURE: &str = "x-twilio-signature";

/// A form that is posted to an address, signed.
pub(crate) struct Callback {
    pub(crate) url: String,
    pub(crate) body: String,
    pub(crate) signature: String,
}

impl Callback {
    /// Signs a form for an address.
    pub(crate) fn signed(url: String, fields: &[(&str, &str)], token: &SecretString) -> Self {
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let signature = sign(&url, fields, token);
        Self { url, body, signature }
    }

    /// The status of a message, to the address that was given with it; none if there was none.
    pub(crate) fn of(message: &Message, account: &str, step: &Step, token: &SecretString) -> Option<Self> {
        let url = message.reference.as_deref()?.to_owned();
        let (status, code) = match step.status {
            // What a carrier says of it is another word than what Twilio says itself.
            Status::Failed(code @ 30_000..=39_999) => ("undelivered", Some(code.to_string())),
            Status::Failed(code) => ("failed", Some(code.to_string())),
            other => (other.word(), None),
        };
        let to = format!("+{}", message.to);
        let origin = match message.phone_number_id.starts_with("MG") {
            true => "MessagingServiceSid",
            false => "From",
        };
        let mut fields = vec![
            ("SmsSid", &*message.wamid),
            ("SmsStatus", status),
            ("MessageStatus", status),
            ("To", &to),
            ("MessageSid", &message.wamid),
            ("AccountSid", account),
            (origin, &message.phone_number_id),
            ("ApiVersion", "2010-04-01"),
        ];
        if let Some(code) = &code {
            fields.push(("ErrorCode", code));
        }
        Some(Self::signed(url, &fields, token))
    }
}

/// The base64 of HMAC-SHA-1, under the token, of the address and the fields sorted by name, each name with its value.
fn sign(url: &str, fields: &[(&str, &str)], token: &SecretString) -> String {
    let mut sorted = fields.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let key = hmac::Key::new(
        hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        token.expose_secret().as_bytes(),
    );
    let mut context = hmac::Context::with_key(&key);
    context.update(url.as_bytes());
    for (name, value) in sorted {
        context.update(name.as_bytes());
        context.update(value.as_bytes());
    }
    STANDARD.encode(context.sign())
}

#[cfg(test)]
mod tests {
    use super::*;

    // The published vector.
    #[test]
    fn the_signature_has_the_published_vector() {
        let fields = [
            ("To", "+18005551212"),
            ("From", "+12349013030"),
            ("Digits", "1234"),
            ("Caller", "+12349013030"),
            ("CallSid", "CA1234567890ABCDE"),
        ];
        let url = "https://mycompany.com/myapp.php?foo=1&bar=2";
        assert_eq!(
            sign(url, &fields, &"12345".into()),
            "0/KCTR6DLpKmkAf8muzZqo1nDgQ="
        );
    }
}
