//! A mail as it is handed over (RFC 5322, RFC 2046). No I/O here.

use std::time::SystemTime;

use chrono::{DateTime, Utc};
use lettre::Message;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};

use crate::mails::MailId;

/// Written by a program, and no answer of a program is wanted (RFC 3834 §5; the second is what Exchange understands).
const AUTOMATIC: [(&str, &str); 2] = [
    ("Auto-Submitted", "auto-generated"),
    ("X-Auto-Response-Suppress", "All"),
];

/// A mail on its way out.
#[derive(Debug, Clone)]
pub(crate) struct Letter {
    /// Its id, of which the Message-ID is made: a mail that arrives twice can be known by it.
    pub(crate) id: MailId,
    pub(crate) to: String,
    /// Who it says that it is from; empty for the name of the settings.
    pub(crate) from_name: String,
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) html: String,
    /// When it was asked for.
    pub(crate) at: DateTime<Utc>,
}

impl Letter {
    /// The text of the mail. None when no mail can be made of it: what is to stand in a header is one line, and a recipient
    /// is one address.
    pub(super) fn written(&self, from: &Mailbox) -> Option<Vec<u8>> {
        if [&self.from_name, &self.subject]
            .iter()
            .any(|text| text.contains(char::is_control))
        {
            return None;
        }
        let name = Some(self.from_name.clone()).filter(|name| !name.is_empty());
        let sender = Mailbox::new(name.or_else(|| from.name.clone()), from.email.clone());
        let id = format!("<{}@{}>", self.id, from.email.domain());
        let mut message = Message::builder()
            .from(sender)
            .to(Mailbox::new(None, self.to.parse().ok()?))
            .subject(self.subject.clone())
            .message_id(Some(id))
            .date(SystemTime::from(self.at));
        for (name, value) in AUTOMATIC {
            let name = HeaderName::new_from_ascii_str(name);
            message = message.raw_header(HeaderValue::new(name, value.to_owned()));
        }
        let body = MultiPart::alternative_plain_html(self.text.clone(), self.html.clone());
        Some(message.multipart(body).ok()?.formatted())
    }
}

#[cfg(test)]
mod tests {
    use plaza_kernel::Clock;

    use super::*;

    fn letter() -> Letter {
        Letter {
            id: MailId::generate(&Clock::system()),
            to: "ada@example.org".to_owned(),
            from_name: String::new(),
            subject: "Bestätigen Sie".to_owned(),
            text: "Grüße\r\n".to_owned(),
            html: "<p>Grüße</p>".to_owned(),
            at: DateTime::from_timestamp(1_700_000_000, 0).unwrap(),
        }
    }

    fn head(letter: &Letter) -> String {
        let from = "Plaza <no-reply@plaza.example>".parse().unwrap();
        let text = String::from_utf8(letter.written(&from).unwrap()).unwrap();
        assert!(text.is_ascii(), "every server takes it");
        text.split("\r\n\r\n").next().unwrap().to_owned()
    }

    #[test]
    fn a_mail_says_who_it_is_from_and_that_a_program_wrote_it() {
        let letter = letter();
        let head = head(&letter);
        for line in [
            "From: Plaza <no-reply@plaza.example>",
            "To: ada@example.org",
            &format!("Message-ID: <{}@plaza.example>", letter.id),
            "Date: Tue, 14 Nov 2023 22:13:20 +0000",
            "Auto-Submitted: auto-generated",
            "Subject: =?utf-8?b?",
        ] {
            assert!(head.contains(line), "{line} in {head}");
        }
    }

    #[test]
    fn a_tenants_name_stands_before_the_address_of_the_settings() {
        let named = Letter {
            from_name: "Rosa, \"Söhne\" <evil@example.com>".to_owned(),
            ..letter()
        };
        let head = head(&named);
        let from: Vec<_> = head
            .lines()
            .skip_while(|line| !line.starts_with("From: "))
            .collect();
        assert!(from.join("").contains("<no-reply@plaza.example>"), "{head}");
        assert!(!head.contains("<evil@example.com>"), "{head}");
    }

    #[test]
    fn no_value_makes_a_header_of_its_own() {
        let sly = "x\r\nBcc: everybody@example.org".to_owned();
        let from: Mailbox = "a@b.example".parse().unwrap();
        for letter in [
            Letter {
                subject: sly.clone(),
                ..letter()
            },
            Letter {
                from_name: sly.clone(),
                ..letter()
            },
            Letter {
                to: format!("ada@example.org{sly}"),
                ..letter()
            },
            Letter {
                to: "ada@example.org, b@example.org".to_owned(),
                ..letter()
            },
        ] {
            assert_eq!(letter.written(&from), None, "{letter:?}");
        }
    }
}
