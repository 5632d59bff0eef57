//! Codes: what a person types who cannot follow a link.
//!
//! Eight letters without vowels (so that they make no words) and without lookalikes: 20⁸, about 2³⁴. Guesses are counted.

use plaza_crypto::hmac_sha256;
use uuid::Uuid;

const ALPHABET: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
const LETTERS: usize = 8;

/// A code.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Code([u8; LETTERS]);

impl Code {
    /// The code of a proof: it follows from the server's key and the proof's id.
    pub(crate) fn derived(key: &[u8], proof: Uuid) -> Self {
        let bytes = hmac_sha256(key, &input("code", proof, &[]));
        let mut letters = [0; LETTERS];
        for (letter, number) in letters.iter_mut().zip(bytes.chunks_exact(4)) {
            let number = number
                .iter()
                .fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
            // Scaled, not cut: no letter is noticeably likelier than another.
            let at = (number * ALPHABET.len() as u64) >> 32;
            *letter = ALPHABET[usize::try_from(at).unwrap_or_default() % ALPHABET.len()];
        }
        Self(letters)
    }

    /// Reads what a person typed: in either case, with or without what separates the groups.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let typed = text
            .bytes()
            .filter(|byte| !matches!(byte, b' ' | b'-'))
            .map(|byte| byte.to_ascii_uppercase());
        // Longer text than a code with a separator after each letter is none.
        let letters: Vec<u8> = typed.take(2 * LETTERS).collect();
        let known = letters.iter().all(|letter| ALPHABET.contains(letter));
        letters.try_into().ok().filter(|_| known).map(Self)
    }

    /// What is stored. Keyed: a plain hash of so short a text would give it away.
    pub(crate) fn hash(&self, key: &[u8], proof: Uuid) -> Vec<u8> {
        hmac_sha256(key, &input("code hash", proof, &self.0)).to_vec()
    }

    /// As a mail shows it: `BCDF-GHJK`.
    pub(crate) fn text(&self) -> String {
        let letters = String::from_utf8_lossy(&self.0);
        let (first, second) = letters.split_at(LETTERS / 2);
        format!("{first}-{second}")
    }
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Code")
    }
}

// The purpose ends in a byte that no purpose contains, so that no two inputs run into each other.
fn input(purpose: &str, proof: Uuid, rest: &[u8]) -> Vec<u8> {
    [purpose.as_bytes(), &[0], proof.as_bytes(), rest].concat()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use plaza_kernel::Clock;

    use super::*;

    #[test]
    fn a_code_is_read_however_it_is_typed() {
        let code = Code::derived(b"key", Clock::system().uuid());
        let text = code.text();
        assert_eq!(text.len(), 9);
        for typed in [
            text.clone(),
            text.to_lowercase(),
            text.replace('-', ""),
            format!(" {} ", text.replace('-', " ")),
        ] {
            assert_eq!(Code::parse(&typed), Some(code.clone()), "{typed}");
        }
    }

    #[test]
    fn what_is_no_code_is_none() {
        for text in [
            "",
            "BCDFGHJ",
            "BCDFGHJKL",
            "BCDFGHJA",
            "BCDFGHJ0",
            "ＢCDFGHJK",
            &"B".repeat(9_000),
        ] {
            assert_eq!(Code::parse(text), None, "{text}");
        }
    }

    #[test]
    fn codes_follow_from_key_and_proof_and_use_all_letters_alike() {
        let clock = Clock::system();
        let proof = clock.uuid();
        let code = Code::derived(b"key", proof);
        assert_eq!(code, Code::derived(b"key", proof));
        assert_ne!(code, Code::derived(b"other key", proof));
        assert_ne!(code.hash(b"key", proof), code.hash(b"key", clock.uuid()));
        assert_ne!(code.hash(b"key", proof), code.hash(b"other key", proof));

        let mut seen: HashMap<u8, u32> = HashMap::new();
        for _ in 0..5_000 {
            for letter in Code::derived(b"key", clock.uuid()).0 {
                *seen.entry(letter).or_default() += 1;
            }
        }
        // 2,000 of each are expected, with a deviation of about 44.
        assert_eq!(seen.len(), ALPHABET.len());
        assert!(
            seen.values().all(|times| (1_700..2_300).contains(times)),
            "{seen:?}"
        );
    }
}
