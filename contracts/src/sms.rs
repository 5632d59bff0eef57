//! Text messages: in how many segments a text goes out, which is what it costs. No I/O here.
//!
//! A segment has 140 octets: 160 septets of the GSM 7-bit default alphabet, or 70 UTF-16 units (UCS-2) where the text has
//! a character that the alphabet lacks. A longer text goes out in parts, of which a header takes 6 octets: 153 septets or
//! 67 units each (3GPP TS 23.038 §4 and §6.2.1, TS 23.040 §9.2.3.24.1). A character of the extension table takes two
//! septets, one beyond the basic plane two units, and neither is ever divided between two parts.

mod alphabet;
mod plain;

use serde::Serialize;

pub use plain::in_alphabet;

/// The most characters of a text that Twilio takes
/// (<https://www.twilio.com/docs/api/errors/21617>).
pub const LONGEST: usize = 1_600;

/// How a text is written on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// The GSM 7-bit default alphabet with its extension table.
    Gsm7,
    /// UTF-16.
    Ucs2,
}

impl Encoding {
    /// The name in answers: `gsm7` or `ucs2`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gsm7 => "gsm7",
            Self::Ucs2 => "ucs2",
        }
    }

    /// How much fits a text that goes out in one segment, and each part of a longer one.
    const fn room(self) -> (usize, usize) {
        match self {
            Self::Gsm7 => (160, 153),
            Self::Ucs2 => (70, 67),
        }
    }

    /// How much room a character takes.
    fn units(self, character: char) -> usize {
        match self {
            // Only asked where every character is in the alphabet.
            Self::Gsm7 => alphabet::septets(character).unwrap_or(1),
            Self::Ucs2 => character.len_utf16(),
        }
    }
}

/// In how many segments a text goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Segments {
    /// How it is written.
    pub encoding: Encoding,
    /// Its length in septets or UTF-16 units.
    pub units: usize,
    /// How many segments there are. An empty text has one.
    pub count: usize,
}

/// In how many segments a text goes out.
pub fn segments(text: &str) -> Segments {
    let encoding = encoding(text);
    let units = text.chars().map(|character| encoding.units(character)).sum();
    Segments {
        encoding,
        units,
        count: parts(text).len(),
    }
}

/// The text as it is divided: at least one part, and together the whole text.
pub fn parts(text: &str) -> Vec<&str> {
    let encoding = encoding(text);
    let (alone, part) = encoding.room();
    let whole: usize = text.chars().map(|character| encoding.units(character)).sum();
    if whole <= alone {
        return vec![text];
    }
    let (mut parts, mut begin, mut used) = (Vec::with_capacity(whole / part + 1), 0, 0);
    for (at, character) in text.char_indices() {
        let units = encoding.units(character);
        if used + units > part {
            parts.push(&text[begin..at]);
            (begin, used) = (at, 0);
        }
        used += units;
    }
    parts.push(&text[begin..]);
    parts
}

fn encoding(text: &str) -> Encoding {
    if text
        .chars()
        .all(|character| alphabet::septets(character).is_some())
    {
        Encoding::Gsm7
    } else {
        Encoding::Ucs2
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    /// A row of `testdata/vectors/segments.json`: a text, repeated, and something after it.
    #[derive(Debug, Deserialize)]
    struct Vector {
        text: String,
        times: usize,
        #[serde(default)]
        then: String,
        encoding: String,
        units: usize,
        segments: usize,
        /// The length of each part in characters.
        parts: Vec<usize>,
    }

    #[test]
    fn every_vector_holds() {
        let vectors = include_str!("../../testdata/vectors/segments.json");
        let vectors: Vec<Vector> = serde_json::from_str(vectors).unwrap();
        assert!(vectors.len() >= 20);
        for vector in vectors {
            let text = vector.text.repeat(vector.times) + &vector.then;
            let found = segments(&text);
            assert_eq!(
                (found.encoding.as_str(), found.units, found.count),
                (vector.encoding.as_str(), vector.units, vector.segments),
                "{vector:?}"
            );
            let lengths: Vec<usize> = parts(&text).iter().map(|part| part.chars().count()).collect();
            assert_eq!(lengths, vector.parts, "{vector:?}");
        }
    }

    proptest! {
        #[test]
        fn parts_are_the_text_and_each_fits(text in "[a-zç€\\[\u{1F600}é ]{0,400}|\\PC{0,400}") {
            let (encoding, parts) = (encoding(&text), parts(&text));
            prop_assert_eq!(parts.concat(), text.as_str());
            let (alone, part) = encoding.room();
            let room = if parts.len() == 1 { alone } else { part };
            for one in &parts {
                let units: usize = one.chars().map(|character| encoding.units(character)).sum();
                prop_assert!(units <= room, "{} of {}", units, room);
            }
            // No part could have taken the first character of the next one.
            for pair in parts.windows(2) {
                let used: usize = pair[0].chars().map(|character| encoding.units(character)).sum();
                let next = pair[1].chars().next().map_or(0, |character| encoding.units(character));
                prop_assert!(used + next > part);
            }
        }

        #[test]
        fn what_is_written_plainly_costs_no_more(text in "\\PC{0,300}") {
            prop_assert!(segments(&in_alphabet(&text)).count <= segments(&text).count);
        }
    }
}
