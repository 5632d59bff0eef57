//! Several inputs out of one: lines, and then the rest, so that the files of `testdata/fuzz` can be read and written by hand.

/// The first line, and what comes after it. Without a line feed all of it is the line.
pub(crate) fn line(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.iter().position(|byte| *byte == b'\n') {
        Some(at) => (&bytes[..at], &bytes[at + 1..]),
        None => (bytes, b""),
    }
}

/// The same bytes but for one of them: which one and how it is changed say other bytes. None where there is none to change.
pub(crate) fn changed(bytes: &[u8], by: &[u8]) -> Option<Vec<u8>> {
    let drawn = |seed: usize| {
        by.iter().fold(seed, |sum, byte| {
            sum.wrapping_mul(31).wrapping_add(usize::from(*byte))
        })
    };
    let mut other = bytes.to_vec();
    let at = drawn(7).checked_rem(other.len())?;
    let by = u8::try_from(1 + drawn(11) % 127).unwrap_or(1);
    // Never by nothing, and of a text it leaves a text.
    other[at] ^= by;
    Some(other)
}
