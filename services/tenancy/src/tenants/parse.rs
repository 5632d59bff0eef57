//! What a tenant is made of, read once.

use plaza_contracts::email::Email;
use plaza_kernel::{Failure, FieldError};

use super::{NotASlug, Slug};

/// Its name in hosts.
pub(super) fn slug(text: &str, wrong: &mut Vec<FieldError>) -> Option<Slug> {
    match text.parse() {
        Ok(slug) => Some(slug),
        Err(error) => {
            let code = match error {
                NotASlug::Reserved => "RESERVED",
                NotASlug::Form => "INVALID_SLUG",
            };
            wrong.push(FieldError::new("/slug", code, error.to_string()));
            None
        }
    }
}

/// Its name for people.
pub(super) fn name(text: &str, wrong: &mut Vec<FieldError>) -> Option<String> {
    let name = text.trim();
    if name.is_empty() || name.chars().count() > 200 || name.contains(char::is_control) {
        let wanted = "a name has 1 to 200 printable characters";
        wrong.push(FieldError::new("/name", "INVALID_NAME", wanted));
        return None;
    }
    Some(name.to_owned())
}

/// Who owns it. What identity could make no account of would leave the tenant without an owner for ever.
pub(super) fn admin_email(text: &str, wrong: &mut Vec<FieldError>) -> Option<String> {
    match text.parse::<Email>() {
        Ok(email) => Some(email.as_written().to_owned()),
        Err(error) => {
            wrong.push(FieldError::new("/admin_email", error.code(), error.to_string()));
            None
        }
    }
}
