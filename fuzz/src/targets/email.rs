//! An address that is accepted is accepted again in the form that it is compared by, and says nothing that is no text of a line.

use plaza_contracts::email::Email;

pub(crate) fn bears(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let Ok(email) = text.parse::<Email>() else { return };
    let again: Result<Email, _> = email.normal().parse();
    assert_eq!(again.as_ref().map(Email::normal), Ok(email.normal()));
    assert!(email.as_written().bytes().all(|byte| byte.is_ascii_graphic()));
}
