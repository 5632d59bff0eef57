//! E-mail addresses, parsed once: whoever takes one takes what identity makes an account of.

use std::str::FromStr;

use plaza_kernel::{Failure, FieldError, Kind};

/// An address as it was written, and the form it is compared by.
///
/// Only ASCII is accepted, and the whole address is compared without case: two spellings that a person takes for the
/// same address are the same account, or are refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email {
    written: String,
    normal: String,
}

/// The text is not an address that Plaza accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an acceptable e-mail address")]
pub struct InvalidEmail;

impl Email {
    /// As it was written.
    pub fn as_written(&self) -> &str {
        &self.written
    }

    /// Lower-case: what the database compares.
    pub fn normal(&self) -> &str {
        &self.normal
    }
}

impl FromStr for Email {
    type Err = InvalidEmail;

    fn from_str(text: &str) -> Result<Self, InvalidEmail> {
        let text = text.trim_matches(' ');
        // RFC 5321 §4.5.3.1: 64 octets before the @, 254 in all.
        let (local, domain) = text.split_once('@').ok_or(InvalidEmail)?;
        let accepted = text.len() <= 254 && is_local_part(local) && is_domain(domain);
        accepted
            .then(|| Self {
                written: text.to_owned(),
                normal: text.to_ascii_lowercase(),
            })
            .ok_or(InvalidEmail)
    }
}

// The unquoted form of RFC 5322 §3.2.3 (dot-atom); quoted local parts are refused.
fn is_local_part(text: &str) -> bool {
    let atom = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte);
    text.len() <= 64
        && text
            .split('.')
            .all(|part| !part.is_empty() && part.bytes().all(atom))
}

fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.split('.').all(label)
}

impl Failure for InvalidEmail {
    fn kind(&self) -> Kind {
        Kind::Invalid
    }

    fn code(&self) -> &'static str {
        "INVALID_EMAIL"
    }

    fn fields(&self) -> Vec<FieldError> {
        vec![FieldError::new("/email", self.code(), self.to_string())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_surrounding_spaces_make_no_other_account() {
        let email: Email = " Ada.Lovelace+x@Example.ORG ".parse().unwrap();
        assert_eq!(email.as_written(), "Ada.Lovelace+x@Example.ORG");
        assert_eq!(email.normal(), "ada.lovelace+x@example.org");
    }

    #[test]
    fn lookalikes_and_rubbish_are_refused() {
        let long = format!("{}@example.org", "a".repeat(65));
        for text in [
            "",
            "@",
            "a@",
            "@b",
            "a@b.",
            "a@.b",
            "a@@b",
            "a b@c",
            "a@b\0",
            "a\u{0}@b",
            ".a@b",
            "a..b@c",
            "a@-b",
            "ａda@example.org",
            "ada@exämple.org",
            "a@b@c",
            "\"a\"@b",
            "a@b\r\nBcc: c@d",
            &long,
        ] {
            assert_eq!(text.parse::<Email>(), Err(InvalidEmail), "{text:?}");
        }
    }
}
