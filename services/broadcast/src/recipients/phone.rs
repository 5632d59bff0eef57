//! Telephone numbers: what people write into a cell, and its one form in E.164.

use std::sync::LazyLock;

use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumber, PhoneNumberFormat, PhoneNumberType, Region};

use super::country::Country;

/// A valid telephone number in E.164 form.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Phone {
    text: String,
    country: Option<Country>,
}

impl Phone {
    /// `+4915117404120`.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// `+4915117404120`, owned.
    pub fn into_string(self) -> String {
        self.text
    }

    /// The country that the number belongs to; none for numbers of the world (`+800`).
    pub fn country(&self) -> Option<Country> {
        self.country
    }
}

/// What a cell that should hold a number holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// A number.
    Valid(Phone),
    /// Nothing.
    Missing,
    /// A number that a spreadsheet turned into `4.91517E+11`: its last digits are gone.
    Damaged,
    /// Something else, or a number that exists nowhere.
    Invalid,
}

/// Reads a cell. `country` is where a number without a country code belongs to.
pub fn read(cell: &str, country: Option<Country>) -> Cell {
    let text = bare(cell);
    if text.is_empty() {
        return Cell::Missing;
    }
    if is_scientific(text) {
        return Cell::Damaged;
    }
    // Letters are vanity numbers, extensions or remarks: nothing that a message can be sent to.
    if text.chars().any(char::is_alphabetic)
        || text.chars().any(char::is_control)
        || text.chars().count() > 64
    {
        return Cell::Invalid;
    }
    let international = text.strip_prefix("00").map(|rest| format!("+{rest}"));
    let text = international.as_deref().unwrap_or(text);
    without_plus(text, country)
        .or_else(|| parse(text, country))
        .map_or(Cell::Invalid, Cell::Valid)
}

/// A spreadsheet that takes a number for a quantity drops its plus. Digits that begin with the country's own code and
/// are a mobile number of that country are meant so, even where they could be a long number of some small town.
fn without_plus(text: &str, country: Option<Country>) -> Option<Phone> {
    let code = PHONE_NUMBER_UTIL
        .get_country_code_for_region(country?.region())?
        .to_string();
    if !text.bytes().all(|byte| byte.is_ascii_digit()) || !text.starts_with(&code) {
        return None;
    }
    let number = PHONE_NUMBER_UTIL.parse(format!("+{text}"), None).ok()?;
    let mobile = matches!(
        number.get_type(),
        PhoneNumberType::Mobile | PhoneNumberType::FixedLineOrMobile
    );
    mobile
        .then(|| e164(&number))
        .flatten()
        .filter(|phone| phone.country == country)
}

/// The cell without what surrounds a number: blanks and invisible marks, the apostrophe that keeps a spreadsheet
/// from reading it as a number, `tel:`, and the `.0` of a number that was a floating-point number on its way.
fn bare(cell: &str) -> &str {
    let invisible = |c: char| {
        c.is_whitespace()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    let text = cell.trim_matches(invisible);
    let text = text
        .trim_start_matches(['\'', '\u{2019}', '`'])
        .trim_matches(invisible);
    let text = match text.get(..4) {
        Some(scheme) if scheme.eq_ignore_ascii_case("tel:") => text[4..].trim_matches(invisible),
        _ => text,
    };
    match text.strip_suffix(".0") {
        Some(whole) if whole.len() > 6 && whole.bytes().all(|byte| byte.is_ascii_digit()) => whole,
        _ => text,
    }
}

/// `4.91517E+11`, with the decimal comma of other locales too.
fn is_scientific(text: &str) -> bool {
    let Some((mantissa, exponent)) = text.split_once(['E', 'e']) else {
        return false;
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let mantissa = mantissa.trim_start_matches(['+', '-']);
    let (whole, fraction) = mantissa.split_once(['.', ',']).unwrap_or((mantissa, "0"));
    digits(whole) && digits(fraction) && digits(exponent.trim_start_matches(['+', '-']))
}

fn parse(text: &str, country: Option<Country>) -> Option<Phone> {
    let number: PhoneNumber = PHONE_NUMBER_UTIL.parse(text, country.map(Country::region)).ok()?;
    e164(&number)
}

fn e164(number: &PhoneNumber) -> Option<Phone> {
    if !PHONE_NUMBER_UTIL.is_valid_number(number) {
        return None;
    }
    let text = PHONE_NUMBER_UTIL
        .format(number, PhoneNumberFormat::E164)
        .into_owned();
    let country = PHONE_NUMBER_UTIL
        .get_region_for_number(number)
        .and_then(Country::of_region);
    // The column's own constraint; longer ones are not E.164.
    (text.len() <= 16).then_some(Phone { text, country })
}

/// Whether numbers of this region are known.
pub(super) fn knows(region: Region) -> bool {
    static REGIONS: LazyLock<Vec<Region>> = LazyLock::new(|| {
        let mut regions: Vec<Region> = PHONE_NUMBER_UTIL.get_supported_regions().collect();
        regions.sort_unstable();
        regions
    });
    REGIONS.binary_search(&region).is_ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn country(text: &str) -> Option<Country> {
        Country::read(text)
    }

    #[test]
    fn one_number_in_many_dresses_is_one_number() {
        for dress in [
            "+4915117404120",
            " +49-1511-740 41 20 ",
            "'+4915117404120",
            "tel:+49-1511-7404120",
            "TEL: +49 1511 7404120",
            "004915117404120",
            "01511 7404120",
            "(01511) 7404120",
            "+49 (0) 1511 7404120",
            "4915117404120",
            "4915117404120.0",
            "\u{200e}+49 1511 7404120\u{200f}",
            "\u{a0}01511/7404120",
        ] {
            let Cell::Valid(phone) = read(dress, country("DE")) else {
                panic!("{dress} is a number")
            };
            assert_eq!(phone.as_str(), "+4915117404120", "{dress}");
            assert_eq!(phone.country(), country("DE"));
        }
    }

    #[test]
    fn what_is_no_number_says_why() {
        for (cell, expected) in [
            ("", Cell::Missing),
            ("  ' ", Cell::Missing),
            ("tel:", Cell::Missing),
            ("4.91517E+11", Cell::Damaged),
            ("4,91517E+11", Cell::Damaged),
            ("'5E12", Cell::Damaged),
            ("call office", Cell::Invalid),
            ("-", Cell::Invalid),
            ("n/a", Cell::Invalid),
            ("0000000000", Cell::Invalid),
            ("+491516", Cell::Invalid),
            ("+49 1511 7404120 ext. 5", Cell::Invalid),
            ("=1+1", Cell::Invalid),
        ] {
            assert_eq!(read(cell, country("DE")), expected, "{cell}");
        }
        assert_eq!(
            read("01511 7404120", None),
            Cell::Invalid,
            "no country says where it belongs to"
        );
    }

    /// What people write into cells: digits, signs and words, some of them in other scripts.
    fn cells() -> impl Strategy<Value = String> {
        prop_oneof![
            "[+0-9 ().'/-]{0,24}",
            "(\\+|00)?[1-9][0-9]{5,16}",
            "[0-9]{6,14}(\\.0)?",
            "[0-9],[0-9]{1,6}E\\+[0-9]{2}",
            "\\PC{0,20}",
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

        /// Whatever a cell holds: what is taken for a number has the form of E.164, and is that number when it is read again.
        #[test]
        fn what_is_a_number_is_that_number_in_every_country(cell in cells(), said in prop::sample::select(vec!["", "DE", "US", "BR", "KE", "IN"])) {
            let Cell::Valid(phone) = read(&cell, country(said)) else { return Ok(()) };
            let digits = phone.as_str().strip_prefix('+').unwrap();
            prop_assert!((5..=15).contains(&digits.len()) && !digits.starts_with('0'), "{}", phone.as_str());
            prop_assert!(digits.bytes().all(|byte| byte.is_ascii_digit()), "{}", phone.as_str());
            for said in ["", "DE", "US", "GB"] {
                prop_assert_eq!(read(phone.as_str(), country(said)), Cell::Valid(phone.clone()));
            }
        }

        /// However its digits are set apart, a number is one number.
        #[test]
        fn signs_between_digits_change_no_number(
            number in prop::sample::select(vec!["+4915117404120", "+254712345678", "+5511961234567", "+12015550123", "+390612345678"]),
            signs in prop::collection::vec(prop::sample::select(vec!["", "", " ", "-", ".", "/", "\u{a0}", "  "]), 16),
            double_zero in any::<bool>(),
        ) {
            let digits = &number[1..];
            let apart: String = digits.chars().zip(&signs).map(|(digit, sign)| format!("{digit}{sign}")).collect();
            let cell = if double_zero { format!("00{apart}") } else { format!("+{apart}") };
            // Digits and `.0` are the number of a spreadsheet: those end before the point.
            prop_assume!(!(double_zero && cell.ends_with(".0")));
            let Cell::Valid(plain) = read(number, None) else { panic!("{number}") };
            prop_assert_eq!(read(&cell, country("DE")), Cell::Valid(plain), "{}", cell);
        }
    }
}
