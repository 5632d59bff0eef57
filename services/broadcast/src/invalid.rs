//! Values of a body that are not acceptable, collected so that a client learns of all of them at once.

use std::collections::BTreeMap;

use plaza_kernel::{Failure, FieldError, Kind};

/// The body can be read, but these values in it are not acceptable: 422 `INVALID_BODY`.
#[derive(Debug, Default, thiserror::Error)]
#[error("some values are not acceptable")]
pub struct Invalid(Vec<FieldError>);

impl Invalid {
    /// One value.
    pub fn one(pointer: impl Into<String>, code: &str, detail: impl Into<String>) -> Self {
        Self(vec![FieldError::new(pointer, code, detail)])
    }

    /// One more value.
    pub fn add(&mut self, pointer: impl Into<String>, code: &str, detail: impl Into<String>) {
        self.0.push(FieldError::new(pointer, code, detail));
    }

    /// Fails if anything was added.
    pub fn check(self) -> Result<(), Self> {
        if self.0.is_empty() { Ok(()) } else { Err(self) }
    }

    /// A required text: trimmed, 1 to `most` characters, no control characters (PostgreSQL keeps no NUL, and
    /// nothing else of them belongs into a name).
    pub fn text(&mut self, pointer: &str, text: &str, most: usize) -> String {
        let text = text.trim();
        if text.is_empty() || text.chars().count() > most {
            self.add(pointer, "INVALID_LENGTH", format!("1 to {most} characters"));
        } else if text.chars().any(char::is_control) {
            self.add(pointer, "INVALID_CHARACTER", "no control characters");
        }
        text.to_owned()
    }

    /// The same for a text that may be absent; an empty one is absent.
    pub fn optional_text(&mut self, pointer: &str, text: Option<&str>, most: usize) -> Option<String> {
        text.map(str::trim)
            .filter(|text| !text.is_empty())
            .map(|text| self.text(pointer, text, most))
    }

    /// A few named texts.
    pub fn attributes(
        &mut self,
        pointer: &str,
        attrs: &BTreeMap<String, String>,
    ) -> BTreeMap<String, String> {
        if attrs.len() > 50 {
            self.add(pointer, "TOO_MANY", "at most 50");
        }
        let mut checked = BTreeMap::new();
        for (key, value) in attrs.iter().take(50) {
            let at = format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
            let key = self.text(&at, key, 64);
            checked.insert(key, self.text(&at, value, 500));
        }
        checked
    }
}

impl Failure for Invalid {
    fn kind(&self) -> Kind {
        Kind::Invalid
    }

    fn code(&self) -> &'static str {
        "INVALID_BODY"
    }

    fn fields(&self) -> Vec<FieldError> {
        self.0.clone()
    }
}
