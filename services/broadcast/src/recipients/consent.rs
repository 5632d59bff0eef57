//! Consent: only who said yes is written to by a marketing campaign.

use crate::text_enum::text_enum;

text_enum! {
    /// What a person said to being written to.
    pub enum Consent {
        /// Yes.
        Granted = "granted",
        /// No.
        Refused = "refused",
        /// Nobody knows; counts as no for marketing.
        Unknown = "unknown",
    }
}

const YES: &[&str] = &[
    "yes",
    "y",
    "true",
    "t",
    "1",
    "x",
    "on",
    "ok",
    "granted",
    "subscribed",
    "opted_in",
    "opted in",
    "opt-in",
    "optin",
    "ja",
    "j",
    "wahr",
    "zugestimmt",
    "oui",
    "o",
    "vrai",
    "si",
    "sí",
    "s",
    "verdadero",
    "sì",
    "vero",
    "sim",
    "verdadeiro",
    "tak",
    "prawda",
    "evet",
    "ya",
    "ndiyo",
    "да",
    "نعم",
    "हाँ",
    "✓",
    "✔",
];
const NO: &[&str] = &[
    "no",
    "n",
    "false",
    "f",
    "0",
    "-",
    "off",
    "refused",
    "unsubscribed",
    "opted_out",
    "opted out",
    "opt-out",
    "optout",
    "nein",
    "falsch",
    "non",
    "faux",
    "falso",
    "não",
    "nao",
    "nie",
    "fałsz",
    "nee",
    "hayır",
    "hayir",
    "tidak",
    "hapana",
    "нет",
    "لا",
    "नहीं",
];

impl Consent {
    /// Reads a cell; what is neither yes nor no is not known.
    pub fn read(cell: &str) -> Self {
        let word = cell.trim().trim_start_matches('\'').to_lowercase();
        if YES.contains(&word.as_str()) {
            Self::Granted
        } else if NO.contains(&word.as_str()) {
            Self::Refused
        } else {
            Self::Unknown
        }
    }
}

impl From<Option<bool>> for Consent {
    fn from(opted_in: Option<bool>) -> Self {
        match opted_in {
            Some(true) => Self::Granted,
            Some(false) => Self::Refused,
            None => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Consent;

    #[test]
    fn only_a_clear_word_is_an_answer() {
        for (cell, consent) in [
            ("yes", Consent::Granted),
            (" JA ", Consent::Granted),
            ("1", Consent::Granted),
            ("TRUE", Consent::Granted),
            ("Nein", Consent::Refused),
            ("0", Consent::Refused),
            ("", Consent::Unknown),
            ("maybe", Consent::Unknown),
        ] {
            assert_eq!(Consent::read(cell), consent, "{cell}");
        }
    }
}
