//! Doors to parsers that are private, for `fuzz/` alone: no part of what this service offers.

use std::path::Path;

use crate::imports;
use crate::imports::records::{ReadFault, Records};

/// A record of a CSV.
#[derive(Debug, Clone)]
pub struct Record {
    /// Its fields.
    pub fields: Vec<String>,
    /// How many bytes lie before the next one.
    pub end: u64,
}

/// All records of a text; the code, if it cannot be read to its end.
///
/// # Errors
/// The code that an import fails with.
pub fn records(text: &[u8], delimiter: u8) -> Result<Vec<Record>, &'static str> {
    let mut records = Records::new(text, delimiter, 0);
    let mut found = Vec::new();
    loop {
        match records.next_record() {
            Ok(Some(fields)) => found.push(Record {
                fields,
                end: records.offset(),
            }),
            Ok(None) => return Ok(found),
            Err(ReadFault::Broken(broken)) => return Err(broken.code()),
            Err(ReadFault::Io(_)) => return Err("STORAGE_UNAVAILABLE"),
        }
    }
}

/// A cell of the rows that made no recipient, as it stands in the file of them.
pub fn error_cell(value: &str) -> String {
    imports::errors_csv::cell(value)
}

/// Writes the first visible sheet of a workbook as CSV.
///
/// # Errors
/// The code that an import fails with.
pub fn workbook_as_csv(workbook: &Path, target: &Path, scratch: &Path) -> Result<(), &'static str> {
    imports::xlsx::write_as_csv(workbook, target, scratch).map_err(|fault| fault.code())
}
