//! Suppressions: who must not be written to.

pub(crate) mod http;
pub(crate) mod opt_out;
pub(crate) mod planning;
pub(crate) mod store;
pub(crate) mod suppress;
mod words;

use chrono::{DateTime, Utc};

use crate::senders::SMS;

plaza_kernel::typed_id!(
    /// An address that must not be written to.
    SuppressionId
);

/// An address that must not be written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Suppression {
    pub(crate) id: SuppressionId,
    pub(crate) channel: String,
    pub(crate) address: String,
    pub(crate) scope: Scope,
    /// What said so: `api`, `stop`, `preference`, `provider`, `review`.
    pub(crate) source: String,
    pub(crate) reason: String,
    pub(crate) created_at: DateTime<Utc>,
}

/// What must not be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Nothing at all.
    All,
    /// Advertising.
    Marketing,
}

impl Scope {
    /// The name on the wire and in the database.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Marketing => "marketing",
        }
    }

    /// What is meant when the provider of a channel says that somebody objected: at Meta advertising, with text messages
    /// everything from the sender.
    pub(crate) fn objected_on(channel: &str) -> Self {
        match channel {
            SMS => Self::All,
            _ => Self::Marketing,
        }
    }

    /// The scope of a name.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::All, Self::Marketing]
            .into_iter()
            .find(|scope| scope.as_str() == text)
    }
}

/// What may say that somebody is not to be written to. Only what said so can take it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Said {
    /// A person of the tenant.
    Api,
    /// The recipient, by a word.
    Stop,
    /// The recipient, to the provider.
    Preference,
    /// The provider, by its refusal.
    Provider,
    /// Words of the recipient's that may mean it.
    Review,
}

impl Said {
    /// The name on the wire and in the database.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Stop => "stop",
            Self::Preference => "preference",
            Self::Provider => "provider",
            Self::Review => "review",
        }
    }

    /// What a name means.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        [
            Self::Api,
            Self::Stop,
            Self::Preference,
            Self::Provider,
            Self::Review,
        ]
        .into_iter()
        .find(|said| said.as_str() == text)
    }

    /// Why, for people.
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::Api => "added by hand",
            Self::Stop => "the person wrote to stop",
            Self::Preference => "the person told the provider so",
            Self::Provider => "the provider refused because the person opted out",
            Self::Review => "the person may want no more; to be looked at",
        }
    }
}

/// Whether a text is a telephone number in E.164 form: a plus and 7 to 15 digits, the first not 0 (ITU-T E.164 §6).
pub(crate) fn is_e164(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len())
            && digits.bytes().all(|b| b.is_ascii_digit())
            && !digits.starts_with('0')
    })
}

#[cfg(test)]
mod tests {
    use super::is_e164;

    #[test]
    fn e164_is_a_plus_and_digits() {
        assert!(is_e164("+4915117404120"));
        for bad in [
            "",
            "+",
            "4915117404120",
            "+0123456789",
            "+49 151 174",
            "+1234567890123456",
        ] {
            assert!(!is_e164(bad), "{bad}");
        }
    }
}
