//! The archive that a workbook is.

use std::io::{Cursor, Read};
use std::path::Path;

use zip::read::{ArchiveOffset, Config};
use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use super::SheetFault;
use super::xml::Xml;

/// The longest archive.
const MOST_BYTES: u64 = 5 << 20;
/// The most entries.
const MOST_ENTRIES: usize = 100;
/// What all parts that are read may inflate to, together.
const MOST_INFLATED: u64 = 50 << 20;

/// An archive in memory, and what its parts may still inflate to.
pub(super) struct Container {
    archive: ZipArchive<Cursor<Vec<u8>>>,
    left: u64,
}

impl Container {
    /// Opens it, reading nothing but its directory.
    pub(super) fn open(path: &Path) -> Result<Self, SheetFault> {
        let bytes = read(path)?;
        // The directory costs many times its length in memory, so it is counted before it is read. A workbook inside the
        // workbook may bring some more of these marks; it is never opened.
        if marks(&bytes) > 2 * MOST_ENTRIES {
            return Err(SheetFault::TooLarge("at most 100 files in the archive"));
        }
        let whole = Config {
            archive_offset: ArchiveOffset::Known(0),
        };
        let archive =
            ZipArchive::with_config(whole, Cursor::new(bytes)).map_err(|_| SheetFault::NoWorkbook)?;
        if archive.len() > MOST_ENTRIES {
            return Err(SheetFault::TooLarge("at most 100 files in the archive"));
        }
        let unsafe_name =
            |name: &[u8]| name.contains(&0) || name.split(is_separator).any(|part| part == b"..");
        if archive.has_duplicate_names() || archive.file_names_raw().any(unsafe_name) {
            return Err(SheetFault::Unreadable("names in the archive"));
        }
        Ok(Self {
            archive,
            left: MOST_INFLATED,
        })
    }

    /// A part that has to be there.
    pub(super) fn required(&mut self, name: &str) -> Result<Xml<'_>, SheetFault> {
        self.part(name)?
            .ok_or(SheetFault::Unreadable("a part of it is missing"))
    }

    /// A part by its name; upper and lower case are one, as Open Packaging has it.
    pub(super) fn part(&mut self, name: &str) -> Result<Option<Xml<'_>>, SheetFault> {
        let exact = self.archive.index_for_name(name);
        let index = exact.or_else(|| {
            let mut names = self.archive.file_names_raw();
            names.position(|found| found.eq_ignore_ascii_case(name.as_bytes()))
        });
        let Some(index) = index else {
            return Ok(None);
        };
        let part = self.archive.by_index(index).map_err(fault)?;
        if !matches!(
            part.compression(),
            CompressionMethod::Stored | CompressionMethod::Deflated
        ) {
            return Err(SheetFault::Unreadable("an unusual compression"));
        }
        // What it says of itself is believed only when it is too much.
        if part.size() > self.left {
            return Err(too_inflated());
        }
        Ok(Some(Xml::new(part, &mut self.left)))
    }
}

/// When the parts inflate to more than is accepted.
pub(super) const fn too_inflated() -> SheetFault {
    SheetFault::TooLarge("at most 50 MiB when unpacked")
}

fn read(path: &Path) -> Result<Vec<u8>, SheetFault> {
    let file = std::fs::File::open(path)?;
    let length = file.metadata()?.len();
    if length > MOST_BYTES {
        return Err(SheetFault::TooLarge("at most 5 MiB"));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
    file.take(MOST_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// How often the mark of a directory entry occurs.
fn marks(bytes: &[u8]) -> usize {
    bytes
        .split(|byte| *byte == b'P')
        .skip(1)
        .filter(|rest| rest.starts_with(b"K\x01\x02"))
        .count()
}

fn is_separator(byte: &u8) -> bool {
    matches!(byte, b'/' | b'\\')
}

fn fault(error: ZipError) -> SheetFault {
    match error {
        ZipError::UnsupportedArchive(_) | ZipError::InvalidPassword => {
            SheetFault::Unreadable("it is protected by a password, or packed in an unusual way")
        }
        _ => SheetFault::Unreadable("the archive is damaged"),
    }
}
