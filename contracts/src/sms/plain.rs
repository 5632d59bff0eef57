//! Writing a text with the characters of the GSM alphabet where that changes its look and not its words.

use super::{Encoding, segments};

/// Replaces typographic characters that the alphabet lacks (curly quotes, dashes, unusual spaces, an ellipsis) by plain
/// ones, and leaves letters alone: a name without its accents is another name. A text that something else keeps out of the
/// alphabet anyway, or that would cost more, stays as it is.
pub fn in_alphabet(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        match replacement(character) {
            Some(replacement) => plain.push_str(replacement),
            None => plain.push(character),
        }
    }
    let (before, after) = (segments(text), segments(&plain));
    // Three full stops for an ellipsis may make a text longer than it was.
    if after.encoding == Encoding::Gsm7 && after.count <= before.count {
        plain
    } else {
        text.to_owned()
    }
}

fn replacement(character: char) -> Option<&'static str> {
    Some(match character {
        '\u{2018}'..='\u{201b}' | '\u{2032}' | '\u{b4}' | '`' => "'",
        '\u{201c}'..='\u{201f}' | '\u{2033}' | '\u{ab}' | '\u{bb}' => "\"",
        '\u{2010}'..='\u{2015}' | '\u{2212}' => "-",
        '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' | '\t' => " ",
        '\u{2026}' => "...",
        '\u{200b}' | '\u{feff}' | '\u{ad}' => "",
        '\u{2022}' => "*",
        '\u{2028}' | '\u{2029}' | '\u{85}' => "\n",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typography_is_written_plainly_and_words_are_left_alone() {
        assert_eq!(
            in_alphabet("“Hello” – it’s\u{a0}10\u{202f}€…"),
            "\"Hello\" - it's 10 €..."
        );
        for text in ["Façade “one”", "Привет – “да”", "😀 …", "plain"] {
            assert_eq!(in_alphabet(text), text);
        }
    }

    #[test]
    fn a_text_that_would_cost_more_stays_as_it_is() {
        let dear = "…".repeat(70);
        assert_eq!((segments(&dear).count, in_alphabet(&dear)), (1, dear.clone()));
        assert_eq!(in_alphabet(&"…".repeat(50)), "...".repeat(50));
    }
}
