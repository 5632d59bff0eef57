//! What people write who want no more messages, or want them again. No I/O here.
//!
//! A message that is one of the words, and nothing else, means it: case, punctuation and spaces aside. One that only speaks of
//! it ("please remove me") may mean it: it counts for advertising at once, and somebody is to read it.

use unicode_normalization::UnicodeNormalization;

use crate::terms::OptOutWords;

/// What a text asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keyword {
    /// No more messages.
    Stop,
    /// Messages again.
    Start,
    /// Help.
    Help,
    /// Perhaps no more messages.
    Review,
}

impl Keyword {
    /// Its name in the database and in answers.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Start => "start",
            Self::Help => "help",
            Self::Review => "review",
        }
    }
}

// The words that carriers and providers take for it (CTIA's messaging principles, Twilio's default keywords).
const STOP: &[&str] = &[
    "stop",
    "stopall",
    "unsubscribe",
    "cancel",
    "end",
    "quit",
    "revoke",
    "optout",
];
const START: &[&str] = &["start", "yes", "unstop"];
const HELP: &[&str] = &["help", "info"];

/// Words in a row that may mean it, wherever they stand.
const PERHAPS: &[&str] = &[
    "remove me",
    "take me off",
    "opt me out",
    "unsubscribe me",
    "leave me alone",
    "stop sending",
    "stop messaging",
    "stop texting",
    "stop writing",
    "stop contacting",
    "stop spamming",
    "do not contact",
    "dont contact",
    "do not message",
    "dont message",
    "do not text",
    "dont text",
    "dont want these messages",
    "dont want any more messages",
    "do not want any more messages",
    "no more messages",
    "keine nachrichten mehr",
    "keine weiteren nachrichten",
    "bitte abmelden",
    "no me escriban",
    "no quiero mensajes",
    "não me mande",
    "ne mécrivez plus",
];

/// The longest text that is looked at: nobody writes more to say stop.
const LONGEST: usize = 1_000;

/// What a text asks for, in our words and those of the tenant.
pub(crate) fn keyword(text: &str, own: &OptOutWords) -> Option<Keyword> {
    if text.len() > LONGEST {
        return None;
    }
    let words = words(text);
    let together = words.concat();
    if together.is_empty() {
        return None;
    }
    let is_in = |ours: &[&str], own: &[String]| {
        ours.contains(&together.as_str()) || own.iter().any(|word| self::words(word).concat() == together)
    };
    if is_in(STOP, &own.stop) {
        Some(Keyword::Stop)
    } else if is_in(START, &own.start) {
        Some(Keyword::Start)
    } else if is_in(HELP, &own.help) {
        Some(Keyword::Help)
    } else {
        let spaced = format!(" {} ", words.join(" "));
        let speaks = PERHAPS
            .iter()
            .any(|phrase| spaced.contains(&format!(" {phrase} ")));
        speaks.then_some(Keyword::Review)
    }
}

/// The words of a text in lower case, without what stands between them. An apostrophe stands inside of a word. A letter with an
/// accent is one character, however the telephone writes it, and a wide or a mathematical letter is the plain one (NFKC).
fn words(text: &str) -> Vec<String> {
    let text: String = text
        .nfkc()
        .filter(|c| !matches!(c, '\'' | '’' | '`'))
        .flat_map(char::to_lowercase)
        .collect();
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn every_word_means_what_it_should_and_no_other_does() {
        let vectors: Value =
            serde_json::from_str(include_str!("../../../testdata/vectors/phones.json")).unwrap();
        let rows = vectors["words"].as_array().unwrap();
        assert!(rows.len() > 30);
        for row in rows {
            let text = row["text"].as_str().unwrap();
            let found = keyword(text, &OptOutWords::default());
            assert_eq!(found.map_or("none", Keyword::as_str), row["means"], "{text}");
        }
    }

    #[test]
    fn a_tenant_has_words_of_its_own_beside_ours() {
        let own = OptOutWords {
            stop: vec!["Abmelden".to_owned(), "kein Interesse".to_owned()],
            ..OptOutWords::default()
        };
        for text in ["abmelden", "ABMELDEN!", "Kein  Interesse.", "stop"] {
            assert_eq!(keyword(text, &own), Some(Keyword::Stop), "{text}");
        }
        assert_eq!(keyword("abmelden wann?", &own), None);
        let empty = OptOutWords {
            stop: vec![String::new(), "!".to_owned()],
            ..OptOutWords::default()
        };
        assert_eq!(
            keyword("👍", &empty),
            None,
            "a word without letters means nothing"
        );
    }

    #[test]
    fn a_letter_is_the_same_however_it_is_put_together() {
        let own = OptOutWords {
            stop: vec!["ku\u{308}ndigen".to_owned()],
            ..OptOutWords::default()
        };
        for text in ["kündigen", "ku\u{308}ndigen", "KU\u{308}NDIGEN!"] {
            assert_eq!(keyword(text, &own), Some(Keyword::Stop), "{text}");
        }
        let none = OptOutWords::default();
        assert_eq!(keyword("na\u{303}o me mande", &none), Some(Keyword::Review));
        assert_eq!(keyword("ＳＴＯＰ", &none), Some(Keyword::Stop), "wide letters");
    }

    #[test]
    fn a_long_text_is_no_keyword() {
        assert_eq!(keyword(&"stop ".repeat(300), &OptOutWords::default()), None);
    }
}
