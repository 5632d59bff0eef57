//! Checks of the values of a document, each with the place of what is wrong.

use plaza_kernel::FieldError;

/// Collects what is wrong.
#[derive(Default)]
pub(super) struct Checks(Vec<FieldError>);

impl Checks {
    pub(super) fn found(self) -> Vec<FieldError> {
        self.0
    }

    /// Notes `code` at the place unless it is good.
    pub(super) fn that(&mut self, good: bool, pointer: &str, code: &str, wanted: &str) {
        if !good {
            self.0.push(FieldError::new(pointer, code, wanted));
        }
    }

    /// A number between two others, both included.
    pub(super) fn number(&mut self, value: u32, (least, most): (u32, u32), pointer: &str) {
        let wanted = format!("a number from {least} to {most}");
        self.that((least..=most).contains(&value), pointer, "OUT_OF_RANGE", &wanted);
    }

    /// A text of one line, neither empty nor longer than that many characters.
    pub(super) fn line(&mut self, text: &str, most: usize, pointer: &str) {
        let good =
            !text.trim().is_empty() && text.chars().count() <= most && !text.contains(char::is_control);
        let wanted = format!("1 to {most} printable characters in one line");
        self.that(good, pointer, "INVALID_TEXT", &wanted);
    }
}
