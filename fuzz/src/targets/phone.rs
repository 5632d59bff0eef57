//! A number that is accepted has the form of E.164, and is the same number when it is read again, whatever country is said.
//! The first line is the country, the rest the cell.

use plaza_broadcast::recipients::country::Country;
use plaza_broadcast::recipients::phone::{Cell, read};

use crate::cut::line;

pub(crate) fn bears(bytes: &[u8]) {
    let (country, cell) = line(bytes);
    let (Ok(country), Ok(cell)) = (std::str::from_utf8(country), std::str::from_utf8(cell)) else {
        return;
    };
    let country = Country::read(country);
    let Cell::Valid(phone) = read(cell, country) else {
        return;
    };
    assert!(is_e164(phone.as_str()), "{} is no E.164", phone.as_str());
    for said in [None, country, Country::read("DE"), Country::read("US")] {
        let again = read(phone.as_str(), said);
        assert_eq!(again, Cell::Valid(phone.clone()), "read again with {said:?}");
    }
    if let Some(country) = phone.country() {
        assert_eq!(Country::read(&country.code()), Some(country));
    }
}

/// A plus and up to fifteen digits, the first of which is no zero (ITU-T E.164 §6.2).
fn is_e164(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or_default();
    (5..=15).contains(&digits.len())
        && !digits.starts_with('0')
        && digits.bytes().all(|byte| byte.is_ascii_digit())
}
