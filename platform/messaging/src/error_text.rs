//! Errors as one line, for columns and dead letters.

use std::error::Error;

/// As much of an error as a row keeps.
const LONGEST: usize = 1_000;

/// The error with its causes, shortened.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    shortened(&text)
}

/// What a panic said, if it said something.
pub(crate) fn panic(payload: &(dyn std::any::Any + Send)) -> String {
    let said = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned());
    shortened(&format!(
        "panicked: {}",
        said.as_deref().unwrap_or("without a word")
    ))
}

// PostgreSQL's text takes no NUL.
fn shortened(text: &str) -> String {
    text.chars()
        .filter(|character| *character != '\0')
        .take(LONGEST)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_told_with_its_causes_and_without_nul() {
        let error = crate::Unconsumed::retry("the\0 cause");
        assert_eq!(chain(&error), "not consumed for now: the cause");
    }

    #[test]
    fn a_long_error_is_cut() {
        assert_eq!(
            chain(&crate::Unconsumed::retry("x".repeat(5_000)))
                .chars()
                .count(),
            LONGEST
        );
    }
}
