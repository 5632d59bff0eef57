//! Secrets: what a tenant entrusts to Plaza, such as the password of an account elsewhere. They go in and are never shown
//! again. No I/O here.

pub(crate) mod http;
pub(crate) mod keep;
pub(crate) mod store;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::configuration::Namespace;

/// The most secrets that a tenant may have.
pub(crate) const MOST: i64 = 100;

/// What a secret is called: a name within a namespace of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SecretName {
    pub(crate) namespace: Namespace,
    pub(crate) key: String,
}

/// A text cannot be the name of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotAName {
    #[error("there is no configuration of this name")]
    Namespace,
    #[error("a key has 1 to 64 of a-z, 0-9, `_`, `-` and `.`")]
    Key,
}

impl SecretName {
    /// Reads a name.
    pub(crate) fn parse(namespace: &str, key: &str) -> Result<Self, NotAName> {
        let namespace = Namespace::named(namespace).ok_or(NotAName::Namespace)?;
        let inner = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.');
        // A path that consists of dots means another one to many clients.
        let dots = key.bytes().all(|byte| byte == b'.');
        if !(1..=64).contains(&key.len()) || !key.bytes().all(inner) || dots {
            return Err(NotAName::Key);
        }
        Ok(Self {
            namespace,
            key: key.to_owned(),
        })
    }
}

/// What people see of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) id: Uuid,
    pub(crate) namespace: String,
    pub(crate) key: String,
    /// Its last characters; empty if it is too short to spare any.
    pub(crate) hint: String,
    pub(crate) updated_at: DateTime<Utc>,
}

/// The last four characters of a value that has three times as many: enough to tell two apart, too little to guess with.
pub(crate) fn hint(value: &str) -> String {
    let length = value.chars().count();
    if length < 12 {
        return String::new();
    }
    value.chars().skip(length - 4).collect()
}

plaza_vault::sealed! {
    /// The values.
    pub(crate) static VALUES: tenants "tenancy.secrets" (id: uuid) sealed;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_segment_of_a_path() {
        for good in ["whatsapp_token", "smtp.password", "a", "x-1", &"a".repeat(64)] {
            assert!(SecretName::parse("messaging", good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "A", "a b", "a/b", "ä", &"a".repeat(65)] {
            assert_eq!(SecretName::parse("messaging", bad), Err(NotAName::Key), "{bad}");
        }
        assert_eq!(SecretName::parse("no such", "a"), Err(NotAName::Namespace));
    }

    #[test]
    fn a_hint_gives_no_short_secret_away() {
        assert_eq!(hint("0123456789ab"), "89ab");
        assert_eq!(hint("0123456789a"), "");
        // Characters, not bytes.
        assert_eq!(hint("äöüäöüäöüäöü"), "üäöü");
        assert_eq!(hint("äöüäöü"), "");
    }
}
