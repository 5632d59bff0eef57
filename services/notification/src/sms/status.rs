//! What Twilio tells of a message that it took. No I/O here.

use chrono::{DateTime, Utc};
use plaza_contracts::ids::MessageId;

use super::form::Form;
use crate::messages::State;
use crate::providers::{is_provider_id, presentable, twilio};
use crate::receipts::Receipt;

/// The receipt in a callback about this message; none for a status that we do not know: Twilio adds some without notice.
pub(super) fn receipt(form: &Form, message: MessageId, now: DateTime<Utc>) -> Option<Receipt> {
    let status = form.get("MessageStatus").or_else(|| form.get("SmsStatus"))?;
    let sid = form.get("MessageSid").or_else(|| form.get("SmsSid"))?;
    let state = state(status)?;
    Some(Receipt {
        message,
        provider_id: Some(sid).filter(|sid| is_provider_id(sid))?.to_owned(),
        state,
        // Twilio does not say when it was.
        at: now,
        error: (state == State::Failed).then(|| error(form, status)),
    })
}

fn state(status: &str) -> Option<State> {
    Some(match status {
        // Twilio has it. Where our own request met with silence, this is how we hear of that.
        "accepted" | "scheduled" | "queued" | "sending" => State::Accepted,
        "sent" => State::Sent,
        "delivered" => State::Delivered,
        "read" => State::Read,
        "undelivered" | "failed" | "canceled" => State::Failed,
        _ => return None,
    })
}

/// Code and words of a failure. A message that was called off there has no code.
fn error(form: &Form, status: &str) -> (String, String) {
    let is_code =
        |code: &&str| (1..=10).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_digit());
    let code = form.get("ErrorCode").filter(is_code);
    let code = code.map_or_else(|| status.to_ascii_uppercase(), ToOwned::to_owned);
    let told = form.get("ErrorMessage").filter(|text| !text.is_empty());
    let words = told.map_or_else(|| twilio::words(&code).to_owned(), presentable);
    (code, words)
}

#[cfg(test)]
mod tests {
    use plaza_kernel::Clock;
    use serde_json::Value;

    use super::*;

    fn told(fields: &[(&str, &str)]) -> Option<Receipt> {
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(fields);
        let form = Form::parse(body.finish().as_bytes()).unwrap();
        receipt(&form, MessageId::generate(&Clock::system()), DateTime::UNIX_EPOCH)
    }

    #[test]
    fn every_status_of_the_vectors_moves_as_it_should() {
        let vectors = include_str!("../../../../testdata/vectors/twilio.json");
        let vectors: Value = serde_json::from_str(vectors).unwrap();
        for row in vectors["statuses"].as_array().unwrap() {
            let receipt = told(&[("MessageSid", "SM1"), ("MessageStatus", row[0].as_str().unwrap())]);
            let state = receipt.map(|receipt| receipt.state.as_str());
            assert_eq!(state, row[1].as_str(), "{row}");
        }
    }

    #[test]
    fn a_failure_has_its_code_and_words() {
        let error = |fields: &[(&str, &str)]| told(fields).unwrap().error.unwrap();
        let undelivered = [
            ("MessageSid", "SM1"),
            ("MessageStatus", "undelivered"),
            ("ErrorCode", "30003"),
        ];
        assert_eq!(
            error(&undelivered),
            ("30003".to_owned(), "the handset cannot be reached".to_owned())
        );
        let said = error(&[&undelivered[..], &[("ErrorMessage", "switched\noff")]].concat());
        assert_eq!(said.1, "switched off");
        for odd in ["", "30003 or so", "12345678901"] {
            let fields = [
                ("MessageSid", "SM1"),
                ("MessageStatus", "failed"),
                ("ErrorCode", odd),
            ];
            assert_eq!(error(&fields).0, "FAILED", "{odd}");
        }
        assert_eq!(
            error(&[("MessageSid", "SM1"), ("MessageStatus", "canceled")]).0,
            "CANCELED"
        );
    }

    #[test]
    fn what_names_no_message_or_several_is_no_receipt() {
        let delivered = ("MessageStatus", "delivered");
        for fields in [
            &[delivered][..],
            &[("MessageSid", "SM1")],
            &[("MessageSid", "SM1"), ("MessageSid", "SM2"), delivered],
            &[("MessageSid", ""), delivered],
            &[("MessageSid", "a b"), delivered],
        ] {
            assert_eq!(told(fields), None, "{fields:?}");
        }
    }
}
