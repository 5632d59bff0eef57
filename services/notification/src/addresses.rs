//! Telephone numbers as providers write them, and as they are compared.

pub(crate) use plaza_contracts::addresses::{key, variants};

/// A number as providers write it without its plus, if it is one.
pub(crate) fn of_digits(digits: &str) -> Option<String> {
    let address = format!("+{}", digits.trim_start_matches('+'));
    crate::suppressions::is_e164(&address).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::of_digits;

    #[test]
    fn only_digits_are_a_number() {
        assert_eq!(of_digits("12015550123").as_deref(), Some("+12015550123"));
        assert_eq!(of_digits("+12015550123").as_deref(), Some("+12015550123"));
        assert_eq!(of_digits("US.13491208655302741918"), None);
    }
}
