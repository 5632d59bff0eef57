//! Suppressions: who must not be written to.

pub(crate) mod http;
pub(crate) mod store;
pub(crate) mod suppress;

use chrono::{DateTime, Utc};

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
    pub(crate) reason: String,
    pub(crate) created_at: DateTime<Utc>,
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
