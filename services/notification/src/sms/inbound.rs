//! What a person wrote to one of our numbers. No I/O here.

use chrono::{DateTime, Utc};

use super::form::Form;
use crate::conversations::{Inbound, Person};
use crate::opt_out::Keyword;
use crate::providers::is_provider_id;
use crate::suppressions::is_e164;

/// The message in a callback; none when it names nobody whom one could answer, such as a word instead of a number. Twilio
/// says when it deals with a keyword itself (`STOP`, `START`, `HELP`): then it has answered it too.
pub(super) fn written(form: &Form, now: DateTime<Utc>) -> Option<Inbound> {
    let sid = form.get("MessageSid").or_else(|| form.get("SmsSid"))?;
    let address = form.get("From").filter(|from| is_e164(from))?;
    let media = form.get("NumMedia").and_then(|count| count.parse::<u32>().ok());
    let kind = if media.unwrap_or_default() > 0 {
        "media"
    } else {
        "text"
    };
    let opt_out = form.get("OptOutType").filter(|kind| !kind.is_empty());
    // The database keeps no NUL.
    let body = form.get("Body").map(|body| body.replace('\0', " "));
    Some(Inbound {
        from: Person {
            address: Some(address.to_owned()),
            ..Person::default()
        },
        provider_id: Some(sid).filter(|sid| is_provider_id(sid))?.to_owned(),
        kind: kind.to_owned(),
        body: body.filter(|body| !body.is_empty()),
        payload: form.to_json().to_string(),
        // Twilio does not say when it was.
        at: now,
        asks: opt_out.and_then(keyword),
        is_answered: opt_out.is_some(),
    })
}

/// What Twilio took a message for, by the words that were agreed on there: they need not be any of ours.
fn keyword(kind: &str) -> Option<Keyword> {
    match kind {
        "STOP" => Some(Keyword::Stop),
        "START" => Some(Keyword::Start),
        "HELP" => Some(Keyword::Help),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn of(fields: &[(&str, &str)]) -> Option<Inbound> {
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(fields);
        written(
            &Form::parse(body.finish().as_bytes()).unwrap(),
            DateTime::UNIX_EPOCH,
        )
    }

    #[test]
    fn the_message_of_the_vectors_is_read() {
        let vectors = include_str!("../../../../testdata/vectors/twilio.json");
        let vectors: Value = serde_json::from_str(vectors).unwrap();
        let fields: Vec<(&str, &str)> = vectors["inbound_stop"]
            .as_array()
            .unwrap()
            .iter()
            .map(|field| (field[0].as_str().unwrap(), field[1].as_str().unwrap()))
            .collect();
        let written = of(&fields).unwrap();
        assert_eq!(written.from.address.as_deref(), Some("+4915117404120"));
        assert_eq!(written.body.as_deref(), Some("STOP"));
        assert!(written.is_answered && written.kind == "text");
        let payload: Value = serde_json::from_str(&written.payload).unwrap();
        assert_eq!(payload["FromCountry"], "DE");
    }

    #[test]
    fn who_cannot_be_answered_wrote_nothing() {
        for from in ["", "BANK", "12345", "+0123456789"] {
            assert_eq!(
                of(&[("MessageSid", "SM1"), ("From", from), ("Body", "x")]),
                None,
                "{from}"
            );
        }
        assert_eq!(of(&[("From", "+4915117404120"), ("Body", "x")]), None);
        let picture = of(&[
            ("MessageSid", "MM1"),
            ("From", "+4915117404120"),
            ("NumMedia", "2"),
        ])
        .unwrap();
        assert_eq!((picture.kind.as_str(), picture.body), ("media", None));
    }
}
