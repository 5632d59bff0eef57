//! What is done to an input: by chance, and in the ways in which parsers go wrong.

use rand::Rng;
use rand::rngs::StdRng;

/// The longest input; what a fuzzer takes too.
const LONGEST: usize = 4_096;

/// What means something to one of the parsers.
const WORDS: &[&[u8]] = &[
    b"\0",
    b"\n",
    b"\r\n",
    b"\r",
    b"\"",
    b"\"\"",
    b",",
    b";",
    b"\t",
    b"'",
    b"=",
    b"+",
    b"-",
    b"@",
    b"%",
    b"%2e",
    b"%2F",
    b"%5c",
    b"%3b",
    b"%00",
    b"%7f",
    b"%25",
    b"%c3%a4",
    b"%ff",
    b"..",
    b"/../",
    b"//",
    b"/./",
    b"\\",
    b"?",
    b"#",
    b"&",
    b"<",
    b">",
    b"&amp;",
    b"<![CDATA[",
    b"<!--",
    b"]]>",
    b"<!DOCTYPE x [<!ENTITY e \"e\">]>",
    b"&e;",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"\xc0\xaf",
    b"\xe2\x80\xae",
    b"\xf0\x9f\x98\x80",
    b"null",
    b"{}",
    b"[]",
    b"1e400",
    b"-1",
    b"18446744073709551616",
    b"4.91517E+11",
    b"+49",
    b"00",
    b"ext. 5",
    b"sha256=",
    b"v1.",
    b"v2.",
    b".",
    b"eyJhbGciOiJub25lIn0.",
    b"W/\"1\"",
    b"PK\x01\x02",
    b"PK\x03\x04",
    b"PK\x05\x06",
];

/// Damages an input in one way.
pub(crate) fn damaged(input: &mut Vec<u8>, corpus: &[Vec<u8>], dice: &mut StdRng) {
    let at = dice.random_range(0..=input.len());
    let end = dice.random_range(at..=input.len().min(at + 64));
    match dice.random_range(0..8) {
        0 => flip(input, dice),
        1 => drop(input.drain(at..end)),
        2 => input.truncate(at),
        3 => insert(input, at, WORDS[dice.random_range(0..WORDS.len())]),
        4 => insert(input, at, &[dice.random()]),
        5 => {
            let again = input[at..end].to_vec();
            insert(input, at, &again);
        }
        6 => {
            let byte = input.get(at).copied().unwrap_or(b'x');
            insert(input, at, &vec![byte; dice.random_range(1..300)]);
        }
        _ => {
            let other = &corpus[dice.random_range(0..corpus.len())];
            let from = dice.random_range(0..=other.len());
            input.truncate(at);
            insert(input, at, &other[from..]);
        }
    }
    input.truncate(LONGEST);
}

fn flip(input: &mut [u8], dice: &mut StdRng) {
    if !input.is_empty() {
        let at = dice.random_range(0..input.len());
        input[at] ^= 1 << dice.random_range(0..8);
    }
}

fn insert(input: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    input.splice(at..at, bytes.iter().copied());
}
