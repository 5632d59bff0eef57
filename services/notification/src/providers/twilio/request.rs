//! The request that hands over a text message. No I/O here.

use plaza_contracts::events::MessageContent;
use serde::Serialize;

use crate::providers::{Account, ErrorClass, Outgoing, SendFailure};
use crate::senders::is_messaging_service;
use crate::sms::status_callback;

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Request<'a> {
    to: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    messaging_service_sid: Option<&'a str>,
    body: &'a str,
    status_callback: String,
}

impl<'a> Request<'a> {
    /// # Errors
    /// When the message is none that can be sent as text.
    pub(super) fn of(
        account: &'a Account,
        message: &'a Outgoing,
        public_url: &str,
    ) -> Result<Self, SendFailure> {
        let MessageContent::Text { body, .. } = &message.content else {
            return Err(SendFailure::Refused {
                class: ErrorClass::Final,
                code: "UNSUPPORTED_CONTENT".to_owned(),
                text: "only text goes out as a text message".to_owned(),
            });
        };
        let is_service = is_messaging_service(&account.id);
        Ok(Self {
            to: &message.to,
            from: (!is_service).then_some(account.id.as_str()),
            messaging_service_sid: is_service.then_some(account.id.as_str()),
            body,
            status_callback: status_callback(public_url, account.sender, message.reference),
        })
    }
}

#[cfg(test)]
mod tests {
    use plaza_contracts::ids::{MessageId, SenderId};
    use plaza_kernel::Clock;

    use super::*;
    use crate::senders::{SMS, SenderSettings};

    fn account(id: &str) -> Account {
        Account {
            sender: SenderId::generate(&Clock::system()),
            channel: SMS.to_owned(),
            id: id.to_owned(),
            token: "12345".into(),
            settings: SenderSettings {
                account_sid: format!("AC{}", "0".repeat(32)),
            },
        }
    }

    fn message(content: MessageContent) -> Outgoing {
        Outgoing {
            reference: MessageId::generate(&Clock::system()),
            to: "+12015550123".to_owned(),
            content,
        }
    }

    fn text(body: &str) -> MessageContent {
        MessageContent::Text {
            body: body.to_owned(),
            preview_url: false,
            reply_to: None,
        }
    }

    #[test]
    fn a_text_message_has_twilios_shape_and_our_reference_in_the_address_it_calls_back() {
        let service = format!("MG{}", "1".repeat(32));
        for (id, field) in [
            ("+15005550006", "From"),
            (service.as_str(), "MessagingServiceSid"),
        ] {
            let (account, message) = (account(id), message(text("Grüße & mehr")));
            let request = Request::of(&account, &message, "https://plaza.example").unwrap();
            let form = serde_json::to_value(&request).unwrap();
            assert_eq!(
                form,
                serde_json::json!({"To": "+12015550123", field: id, "Body": "Grüße & mehr",
                    "StatusCallback": format!("https://plaza.example/webhooks/twilio/status/{}?m={}", account.sender,
                        message.reference)})
            );
        }
    }

    #[test]
    fn what_is_no_text_is_refused_without_asking_anybody() {
        let read = MessageContent::Read {
            provider_id: "wamid.1".to_owned(),
        };
        let (account, message) = (account("+15005550006"), message(read));
        let refused = Request::of(&account, &message, "https://plaza.example");
        assert!(matches!(
            refused,
            Err(SendFailure::Refused { class: ErrorClass::Final, code, .. }) if code == "UNSUPPORTED_CONTENT"
        ));
    }
}
