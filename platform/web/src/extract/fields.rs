//! From serde's errors to field errors with a JSON pointer.

use plaza_kernel::FieldError;
use serde_path_to_error::{Path, Segment};

/// What serde says about a value, as a field error.
pub(super) fn field_error(path: &Path, message: &str) -> FieldError {
    let message = without_position(message);
    let (code, named) = classify(message);
    let mut at = pointer(path);
    // serde tells the place of a missing field by its parent, and the name in the text.
    if let Some(name) = named
        && !at.ends_with(&segment(name))
    {
        at.push_str(&segment(name));
    }
    FieldError::new(at, code, shortened(message))
}

/// serde's texts are the only place where it tells these cases apart.
fn classify(message: &str) -> (&'static str, Option<&str>) {
    let named = || message.split('`').nth(1);
    match message {
        _ if message.starts_with("missing field") => ("REQUIRED", named()),
        _ if message.starts_with("unknown field") => ("UNKNOWN_FIELD", named()),
        _ if message.starts_with("duplicate field") => ("DUPLICATE_FIELD", named()),
        _ if message.starts_with("invalid type") => ("INVALID_TYPE", None),
        _ => ("INVALID_VALUE", None),
    }
}

fn without_position(message: &str) -> &str {
    message.rfind(" at line ").map_or(message, |end| &message[..end])
}

// The text may repeat a value of any length.
fn shortened(message: &str) -> String {
    const MOST: usize = 200;
    if message.chars().count() <= MOST {
        return message.to_owned();
    }
    message.chars().take(MOST).chain(['…']).collect()
}

/// RFC 6901.
fn pointer(path: &Path) -> String {
    let segments = path.iter().map_while(|part| match part {
        Segment::Seq { index } => Some(format!("/{index}")),
        Segment::Map { key } => Some(segment(key)),
        Segment::Enum { variant } => Some(segment(variant)),
        Segment::Unknown => None,
    });
    segments.collect()
}

fn segment(name: &str) -> String {
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}
