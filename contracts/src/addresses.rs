//! Telephone numbers that are one person's in two spellings. No I/O here.
//!
//! Three countries have put a digit into mobile numbers, or taken it out, and providers know the same person by the old
//! spelling, the new one, or both. Which one is right cannot be told from the number, so none is ever rewritten: what is
//! looked up is looked up in every spelling, and what is compared is compared by a key. The function
//! `notification.address_key` says the same in notification's database.

/// The one spelling that two are compared by: the shorter one.
///
/// * Brazil: mobile numbers begin with 6 to 9 and got a 9 in front (Anatel, 2012–2016); landlines begin with 2 to 5 and
///   did not.
/// * Mexico: a 1 stood between the country's code and a mobile number until 2019.
/// * Argentina: a 9 stands there for mobile numbers when they are called from abroad.
pub fn key(address: &str) -> String {
    let digits = address.strip_prefix('+').unwrap_or_default().as_bytes();
    let cut = match digits {
        [b'5', b'5', area, _, b'9', first, rest @ ..]
            if rest.len() == 7 && *area != b'0' && (b'6'..=b'9').contains(first) =>
        {
            Some(4)
        }
        [b'5', b'2', b'1', rest @ ..] | [b'5', b'4', b'9', rest @ ..] if rest.len() == 10 => Some(2),
        _ => None,
    };
    match cut {
        Some(at) if digits.iter().all(u8::is_ascii_digit) => {
            let mut key = address.to_owned();
            key.remove(1 + at);
            key
        }
        _ => address.to_owned(),
    }
}

/// Every spelling of a number, itself first.
pub fn variants(address: &str) -> Vec<String> {
    let (short, long) = (key(address), long(&key(address)));
    let mut variants = vec![address.to_owned()];
    variants.extend(
        [Some(short), long]
            .into_iter()
            .flatten()
            .filter(|other| other != address),
    );
    variants
}

/// The longer spelling of a key, where there is one.
fn long(key: &str) -> Option<String> {
    let digits = key.strip_prefix('+')?.as_bytes();
    let (at, digit) = match digits {
        [b'5', b'5', area, _, first, rest @ ..]
            if rest.len() == 7 && *area != b'0' && (b'6'..=b'9').contains(first) =>
        {
            (4, '9')
        }
        [b'5', b'2', rest @ ..] if rest.len() == 10 => (2, '1'),
        [b'5', b'4', rest @ ..] if rest.len() == 10 => (2, '9'),
        _ => return None,
    };
    let mut long = key.to_owned();
    long.insert(1 + at, digit);
    Some(long)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_of_the_vectors_has_its_key_and_its_spellings() {
        let vectors = include_str!("../../testdata/vectors/phones.json");
        let vectors: serde_json::Value = serde_json::from_str(vectors).unwrap();
        for row in vectors["keys"].as_array().unwrap() {
            assert_eq!(
                key(row["address"].as_str().unwrap()),
                row["key"],
                "{}",
                row["why"]
            );
        }
        for row in vectors["variants"].as_array().unwrap() {
            let found = variants(row["address"].as_str().unwrap());
            assert_eq!(serde_json::json!(found), row["variants"]);
        }
    }

    #[test]
    fn every_spelling_of_a_number_has_one_key_and_no_other_number_has_it() {
        for number in [
            "+5511987654321",
            "+551187654321",
            "+5215512345678",
            "+525512345678",
            "+4915117404120",
        ] {
            let variants = variants(number);
            assert_eq!(variants[0], number);
            for variant in &variants {
                assert_eq!(key(variant), key(number), "{number}");
                let mut again = super::variants(variant);
                let mut all = variants.clone();
                again.sort();
                all.sort();
                assert_eq!(again, all, "{variant}");
            }
        }
        assert_eq!(
            variants("+551123456789"),
            ["+551123456789"],
            "a landline has one spelling"
        );
    }

    #[test]
    fn what_is_no_number_stays_as_it_is() {
        for text in ["", "+", "5511987654321", "+55119x7654321", "+5511987654321é"] {
            assert_eq!(key(text), text);
        }
    }
}
