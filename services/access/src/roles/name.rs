//! Names of roles, and which of them would be taken for others.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};
use unicode_security::{RestrictionLevel, RestrictionLevelDetection, skeleton};

/// A role's name: 1 to 60 printable characters, none that people would take for a system role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RoleName {
    text: String,
    norm: String,
}

/// Names that sound like power over the platform or the whole tenant.
const RESERVED: &[&str] = &[
    "admin",
    "member",
    "owner",
    "platform",
    "platformadmin",
    "platformadministrator",
    "root",
    "service",
    "superadmin",
    "superuser",
    "system",
];

/// A text cannot be a role's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotAName {
    #[error("a name has 1 to 60 printable characters")]
    Form,
    #[error("this name is reserved")]
    Reserved,
    #[error("a name does not mix the letters of several scripts")]
    Mixed,
}

impl RoleName {
    /// Reads a name.
    pub(crate) fn parse(text: &str) -> Result<Self, NotAName> {
        let name = Self::known(text.trim());
        if name.norm.is_empty() || name.text.chars().count() > 60 || name.text.chars().any(is_unseen) {
            return Err(NotAName::Form);
        }
        if RESERVED.iter().any(|reserved| looks_like(&name.text, reserved)) {
            return Err(NotAName::Reserved);
        }
        // Scripts that are written together, as in Japanese, also with Latin letters, are no mixture (UTS 39 §5.2).
        if name.norm.detect_restriction_level() > RestrictionLevel::HighlyRestrictive {
            return Err(NotAName::Mixed);
        }
        Ok(name)
    }

    /// A name that was parsed before it was stored, or is one of the templates'.
    pub(crate) fn known(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            norm: letters(text.nfkc()),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// As it is compared.
    pub(crate) fn norm(&self) -> &str {
        &self.norm
    }
}

/// Controls what is around it and is not seen itself, or is seen by some only: direction of writing, joiners, private use.
fn is_unseen(c: char) -> bool {
    matches!(
        c.general_category(),
        GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
            | GeneralCategory::PrivateUse
            | GeneralCategory::Unassigned
    )
}

fn letters(text: impl Iterator<Item = char>) -> String {
    text.filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

/// Whether people take one text for the other. What a letter looks like depends on its case (`I` like `l`, `İ` like `i`), so both
/// are compared: the small letters, and the letters as they stand.
fn looks_like(text: &str, other: &str) -> bool {
    let text: String = text.nfkc().collect();
    let other = seen(other);
    seen(&text) == other || seen(&text.to_lowercase()) == other
}

/// What is seen of a text (UTS 39 §4), without accents, punctuation and case.
fn seen(text: &str) -> String {
    letters(skeleton(text).filter(|c| !is_combining_mark(*c)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_sound_like_power_are_refused() {
        for name in [
            "Platform Admin",
            "platform-admin",
            "OWNER",
            " root ",
            "R00T",
            "pIatform",
            "p|atform admin",
            "Öwner",
            // Cyrillic а, fullwidth, mathematical bold, circled, dotless and dotted i, Cherokee A, Greek omicron.
            "Plаtform Admin",
            "Ｐｌａｔｆｏｒｍ Ａｄｍｉｎ",
            "𝐎𝐰𝐧𝐞𝐫",
            "ⓞⓦⓝⓔⓡ",
            "admın",
            "ADMİN",
            "Ꭺdmin",
            "οwner",
        ] {
            assert_eq!(RoleName::parse(name), Err(NotAName::Reserved), "{name}");
        }
    }

    #[test]
    fn what_is_not_seen_is_in_no_name() {
        for name in [
            "",
            "   ",
            "---",
            &"a".repeat(61),
            "a\u{0}b",
            "Sales\u{202e}nimdA",
            "Sales\u{2066}x",
            "Sa\u{200b}les",
            "Sa\u{ad}les",
            "Sa\u{2028}les",
            "Sales\u{e000}",
            "\u{feff}Sales",
        ] {
            assert_eq!(RoleName::parse(name), Err(NotAName::Form), "{name:?}");
        }
    }

    #[test]
    fn the_letters_of_a_name_are_of_one_script_or_of_those_that_go_together() {
        for name in ["Sаles", "Ѕales", "Σales", "ꓢales", "Verkaufд"] {
            assert_eq!(RoleName::parse(name), Err(NotAName::Mixed), "{name}");
        }
        for name in [
            "Sales",
            "Vertrieb Süd",
            "Équipe n° 2",
            "менеджер",
            "Πωλήσεις",
            "セールス",
            "営業 EU",
            "판매팀",
            "المبيعات",
            "बिक्री",
            "Administrator",
            "System Test",
            "R&D (1)",
            "Sales 🎉",
        ] {
            assert!(
                RoleName::parse(name).is_ok(),
                "{name}: {:?}",
                RoleName::parse(name)
            );
        }
    }

    #[test]
    fn one_name_in_other_letters_is_the_same_name() {
        for name in ["Sales", "SALES", " sales ", "Ｓａｌｅｓ", "Sa-les"] {
            assert_eq!(RoleName::parse(name).unwrap().norm(), "sales", "{name}");
        }
    }
}
