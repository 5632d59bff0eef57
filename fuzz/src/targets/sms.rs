//! However a text is cut into parts, together they are the text.

use plaza_contracts::sms::{in_alphabet, parts, segments};

pub(crate) fn bears(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    assert_eq!(parts(text).concat(), text);
    let _ = segments(text);
    let _ = in_alphabet(text);
}
