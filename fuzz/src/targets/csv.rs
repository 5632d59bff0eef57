//! Whatever the bytes are, reading comes to an end within its bounds; what was read, written again, is read as the same; and
//! reading can be taken up behind any record. The first byte is what separates the columns.

use plaza_broadcast::fuzzing::{Record, error_cell, records};

const MARK: &[u8] = b"\xef\xbb\xbf";

pub(crate) fn bears(bytes: &[u8]) {
    let (delimiter, text) = match bytes {
        [delimiter @ (b',' | b';' | b'\t' | b'|'), text @ ..] => (*delimiter, text),
        text => (b',', text),
    };
    let Ok(read) = records(text, delimiter) else {
        return;
    };
    assert!(read.iter().all(|record| (1..=200).contains(&record.fields.len())));
    let rows = rows(&read);
    let again = records(written(&rows, delimiter).as_bytes(), delimiter);
    assert_eq!(
        again.as_deref().map(self::rows),
        Ok(rows.clone()),
        "written and read again"
    );

    // Of the last ones only, so that it does not cost the square of the records.
    for (at, record) in read.iter().enumerate().rev().take(4) {
        let end = usize::try_from(record.end).unwrap_or(usize::MAX);
        let Some(rest) = text.get(end..) else {
            panic!("record {at} ends behind the end");
        };
        // At the very beginning of a file that is the mark of UTF-8, and further on a letter that nobody sees.
        if !rest.starts_with(MARK) {
            let rest = records(rest, delimiter);
            assert_eq!(
                rest.as_deref().map(self::rows),
                Ok(rows[at + 1..].to_vec()),
                "behind record {at}"
            );
        }
    }
    rows.iter().flatten().take(4).for_each(|cell| is_shown(cell));
}

fn rows(records: &[Record]) -> Vec<Vec<String>> {
    records.iter().map(|record| record.fields.clone()).collect()
}

/// Every field in quotes: as any program may write it.
fn written(rows: &[Vec<String>], delimiter: u8) -> String {
    let between = char::from(delimiter).to_string();
    let quoted = |field: &String| format!("\"{}\"", field.replace('"', "\"\""));
    let line = |row: &Vec<String>| row.iter().map(quoted).collect::<Vec<_>>().join(&between) + "\r\n";
    rows.iter().map(line).collect()
}

/// What a download says of a cell is one cell, and no spreadsheet runs it.
fn is_shown(cell: &str) {
    let shown = error_cell(cell);
    let read = records(format!("1,{shown}\r\n").as_bytes(), b',');
    let rows = read.as_deref().map(rows).unwrap_or_default();
    let [row] = rows.as_slice() else {
        panic!("{shown:?} is {} rows", rows.len());
    };
    let [_, field] = row.as_slice() else {
        panic!("{shown:?} is {} cells", row.len());
    };
    assert!(field.ends_with(cell), "{field:?} is not {cell:?}");
    let rest = field.strip_prefix('+');
    let is_number = rest.is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()));
    let begins = field.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    assert!(is_number || !begins, "{field:?} is a formula");
}
