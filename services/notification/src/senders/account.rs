//! The account at a provider that a sender is. No I/O here.

use plaza_kernel::FieldError;

use super::{SMS, SenderSettings, WHATSAPP};
use crate::suppressions::is_e164;

/// The account of a sender to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NewAccount {
    /// A number at Meta.
    WhatsApp {
        /// Meta's id of it.
        phone_number_id: String,
    },
    /// A number, or a service that chooses one, at Twilio.
    Sms {
        /// The account that it belongs to.
        account_sid: String,
        /// The number, a short code or a word; or …
        from: Option<String>,
        /// … the service.
        messaging_service_sid: Option<String>,
    },
}

impl NewAccount {
    pub(super) const fn channel(&self) -> &'static str {
        match self {
            Self::WhatsApp { .. } => WHATSAPP,
            Self::Sms { .. } => SMS,
        }
    }

    /// The provider's id of what messages go out from.
    pub(super) fn id(&self) -> String {
        match self {
            Self::WhatsApp { phone_number_id } => phone_number_id.clone(),
            Self::Sms {
                from,
                messaging_service_sid,
                ..
            } => from
                .as_ref()
                .or(messaging_service_sid.as_ref())
                .cloned()
                .unwrap_or_default(),
        }
    }

    pub(super) fn settings(&self) -> SenderSettings {
        SenderSettings {
            account_sid: match self {
                Self::WhatsApp { .. } => String::new(),
                Self::Sms { account_sid, .. } => account_sid.clone(),
            },
        }
    }

    /// The field that its secret is given in.
    pub(super) const fn secret(&self) -> &'static str {
        match self {
            Self::WhatsApp { .. } => "/access_token",
            Self::Sms { .. } => "/auth_token",
        }
    }

    /// What is wrong with it.
    pub(super) fn problems(&self) -> Vec<FieldError> {
        let wrong = |pointer: &str, text: &str| FieldError::new(pointer, "INVALID_ACCOUNT", text);
        match self {
            Self::WhatsApp { phone_number_id } => {
                let digits = phone_number_id.bytes().all(|byte| byte.is_ascii_digit());
                let good = digits && (1..=32).contains(&phone_number_id.len());
                let text = "a phone number id has 1 to 32 digits";
                (!good)
                    .then(|| wrong("/phone_number_id", text))
                    .into_iter()
                    .collect()
            }
            Self::Sms {
                account_sid,
                from,
                messaging_service_sid,
            } => {
                let mut found = Vec::new();
                if !is_sid(account_sid, "AC") {
                    found.push(wrong("/account_sid", "AC and 32 hexadecimal digits"));
                }
                match (from, messaging_service_sid) {
                    (Some(from), None) if !is_origin(from) => {
                        found.push(wrong(
                            "/from",
                            "a number in E.164, a short code, or a word of 1 to 11 letters and digits",
                        ));
                    }
                    (None, Some(service)) if !is_messaging_service(service) => {
                        found.push(wrong("/messaging_service_sid", "MG and 32 hexadecimal digits"));
                    }
                    (Some(_), None) | (None, Some(_)) => {}
                    (None, None) | (Some(_), Some(_)) => {
                        found.push(wrong("/from", "either a number or a messaging service"));
                    }
                }
                found
            }
        }
    }
}

/// Whether the account of a sender of text messages is a service that chooses the number.
pub(crate) fn is_messaging_service(account: &str) -> bool {
    is_sid(account, "MG")
}

/// Twilio's ids: two letters and 32 hexadecimal digits.
fn is_sid(text: &str, kind: &str) -> bool {
    let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.strip_prefix(kind)
        .is_some_and(|rest| rest.len() == 32 && rest.bytes().all(hex))
}

/// What a text message can come from: a number, a short code of a few digits, or a word (an alphanumeric sender id has up to
/// eleven letters, digits and spaces, and at least one letter).
fn is_origin(text: &str) -> bool {
    let is_code = (3..=8).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let in_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b' ';
    let is_word = (1..=11).contains(&text.len())
        && text.bytes().all(in_word)
        && text.bytes().any(|byte| byte.is_ascii_alphabetic())
        && text.trim() == text;
    is_e164(text) || is_code || is_word
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sms(account_sid: &str, from: Option<&str>, service: Option<&str>) -> Vec<String> {
        let account = NewAccount::Sms {
            account_sid: account_sid.to_owned(),
            from: from.map(ToOwned::to_owned),
            messaging_service_sid: service.map(ToOwned::to_owned),
        };
        account
            .problems()
            .into_iter()
            .map(|field| field.pointer)
            .collect()
    }

    #[test]
    fn text_messages_come_from_a_number_a_code_a_word_or_a_service() {
        let (account, service) = (format!("AC{}", "0".repeat(32)), format!("MG{}", "a1".repeat(16)));
        for from in ["+15005550006", "12345", "Rosa 24", "MG123456789"] {
            assert!(sms(&account, Some(from), None).is_empty(), "{from}");
        }
        assert!(sms(&account, None, Some(&service)).is_empty());
        for from in [
            "",
            "15005550006",
            " Rosa",
            "Rosas Blumen",
            "Rosé",
            "12",
            "+0123456789",
            "a&To=b",
        ] {
            assert_eq!(sms(&account, Some(from), None), ["/from"], "{from}");
        }
        assert_eq!(sms(&account, None, Some(&account)), ["/messaging_service_sid"]);
        assert_eq!(sms(&account, None, None), ["/from"]);
        assert_eq!(sms(&account, Some("12345"), Some(&service)), ["/from"]);
        for bad in [
            "",
            "AC",
            "../x",
            &account[..33],
            &account.to_lowercase(),
            &format!("AC{}", "G".repeat(32)),
        ] {
            assert_eq!(sms(bad, Some("12345"), None), ["/account_sid"], "{bad}");
        }
    }
}
