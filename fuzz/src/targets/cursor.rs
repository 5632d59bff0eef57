//! A cursor that is read is one that we wrote: each place has one spelling.

use plaza_kernel::Cursor;

pub(crate) fn bears(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(cursor) = Cursor::parse(text)
    {
        assert_eq!(cursor.to_string(), text);
    }
    // And whatever place there is can be written and read.
    if let Some(id) = bytes.first_chunk::<16>() {
        let cursor = Cursor::after(uuid::Uuid::from_bytes(*id));
        assert_eq!(Cursor::parse(&cursor.to_string()), Ok(cursor));
    }
}
