//! The GSM 7-bit default alphabet and its extension table (3GPP TS 23.038 §6.2.1), without national tables: providers use
//! none unless asked.

/// The characters of the default alphabet that ASCII lacks. Of ASCII it has all but those of the extension table, the
/// grave accent and the control characters other than line feed and carriage return.
const BEYOND_ASCII: &str = "£¥èéùìòÇØøÅåΔΦΓΛΩΠΨΣΘΞÆæßÉ¤¡ÄÖÑÜ§¿äöñüà";

/// Written with an escape before them: two septets.
const EXTENSION: &str = "\u{c}^{}\\[~]|€";

/// How many septets a character takes; none where the alphabet lacks it.
pub(super) fn septets(character: char) -> Option<usize> {
    if EXTENSION.contains(character) {
        return Some(2);
    }
    let basic = match character {
        '\n' | '\r' => true,
        '`' => false,
        ' '..='~' => true,
        _ => BEYOND_ASCII.contains(character),
    };
    basic.then_some(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alphabet_has_127_characters_and_its_extension_ten() {
        let all = || (0..=0xffff).filter_map(char::from_u32);
        let of = |septets_of: usize| all().filter(|c| septets(*c) == Some(septets_of)).count();
        // 128 places, of which one is the escape.
        assert_eq!((of(1), of(2)), (127, 10));
    }

    #[test]
    fn look_alikes_are_not_in_it() {
        for character in ['ç', '`', '’', '“', '–', '…', '\t', '\u{a0}', 'á', '\u{1b}', 'Α'] {
            assert_eq!(septets(character), None, "{character:?}");
        }
    }
}
