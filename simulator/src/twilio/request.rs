//! What is asked for, checked as Twilio checks it. Fields that are not known here pass, as they do there.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::error::{TwilioError, magic_origin};
use crate::ledger::{Submission, SubmittedContent};
use crate::messages::Provider;
use crate::settings::SimulatorSettings;

const LONGEST: usize = 1_600;

/// A request that names a recipient, an origin and a text.
#[derive(Debug, Default)]
pub(super) struct Text {
    /// As it was given.
    to: String,
    from: Option<String>,
    messaging_service_sid: Option<String>,
    body: String,
    status_callback: Option<String>,
}

/// What the answer says of an accepted message.
pub(super) struct Sent {
    from: String,
    to: String,
    body: String,
    segments: usize,
}

impl Text {
    /// What the answer will say of it.
    pub(super) fn sent(&self) -> Sent {
        Sent {
            from: self.origin(),
            to: self.to.clone(),
            body: self.body.clone(),
            segments: self.segments(),
        }
    }

    /// Reads the form.
    pub(super) fn read(form: &[u8]) -> Result<Self, TwilioError> {
        let mut text = Self::default();
        let (mut to, mut body) = (None, None);
        for (name, value) in form_urlencoded::parse(form) {
            let value = Some(value.into_owned()).filter(|value| !value.is_empty());
            match name.as_ref() {
                "To" => to = value,
                "From" => text.from = value,
                "MessagingServiceSid" => text.messaging_service_sid = value,
                "Body" => body = value,
                "StatusCallback" => text.status_callback = value,
                _ => {}
            }
        }
        text.to = to.ok_or(TwilioError::of(21_604))?;
        text.body = body.ok_or(TwilioError::of(21_602))?;
        Ok(text)
    }

    /// Looks at every field.
    pub(super) fn check(&self, settings: &SimulatorSettings) -> Result<(), TwilioError> {
        if !is_number(&self.to) {
            return Err(TwilioError::of(21_211));
        }
        match (&self.from, &self.messaging_service_sid) {
            (None, None) => return Err(TwilioError::of(21_603)),
            (_, Some(service)) if !is_sid(service, "MG") => return Err(TwilioError::of(21_606)),
            (Some(from), None) => magic_origin(from).map_or(Ok(()), |code| Err(TwilioError::of(code)))?,
            _ => {}
        }
        if self.body.chars().count() > LONGEST {
            return Err(TwilioError::of(21_617));
        }
        let callback = self.status_callback.as_ref();
        if callback.is_some_and(|url| !settings.may_call(url)) {
            return Err(TwilioError::of(21_609));
        }
        Ok(())
    }

    /// What it comes from: a number, or the service that chooses one.
    fn origin(&self) -> String {
        let origin = self.messaging_service_sid.as_ref().or(self.from.as_ref());
        origin.cloned().unwrap_or_default()
    }

    /// How many segments it has, roughly: what is not ASCII counts as UCS-2.
    fn segments(&self) -> usize {
        let (length, alone, part) = match self.body.is_ascii() {
            true => (self.body.len(), 160, 153),
            false => (self.body.encode_utf16().count(), 70, 67),
        };
        if length <= alone { 1 } else { length.div_ceil(part) }
    }

    pub(super) fn submission(self, account: &str) -> Submission {
        Submission {
            phone_number_id: self.origin(),
            to: self.to.trim_start_matches('+').to_owned(),
            reference: self.status_callback,
            content: SubmittedContent::Text { body: self.body },
            trace: None,
            provider: Provider::Twilio {
                account: account.into(),
            },
        }
    }
}

/// The message as the API shows it: queued. A service chooses its number later.
pub(super) fn resource(account: &str, sid: &str, text: &Sent, now: DateTime<Utc>) -> Value {
    let Sent {
        from,
        to,
        body,
        segments,
    } = text;
    let is_service = is_sid(from, "MG");
    json!({
        "account_sid": account,
        "api_version": "2010-04-01",
        "body": body,
        "date_created": now.to_rfc2822(),
        "date_sent": null,
        "date_updated": now.to_rfc2822(),
        "direction": "outbound-api",
        "error_code": null,
        "error_message": null,
        "from": (!is_service).then_some(from),
        "messaging_service_sid": is_service.then_some(from),
        "num_media": "0",
        "num_segments": if is_service { "0".to_owned() } else { segments.to_string() },
        "price": null,
        "price_unit": "USD",
        "sid": sid,
        "status": if is_service { "accepted" } else { "queued" },
        "to": to,
        "uri": format!("/2010-04-01/Accounts/{account}/Messages/{sid}.json"),
    })
}

/// A plus and 7 to 15 digits.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or_default();
    (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Two letters and 32 hexadecimal digits.
pub(super) fn is_sid(text: &str, kind: &str) -> bool {
    let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.strip_prefix(kind)
        .is_some_and(|rest| rest.len() == 32 && rest.bytes().all(hex))
}
