//! The first look at a file: format, encoding, delimiter, columns.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use encoding_rs::{Encoding, UTF_8};
use serde::{Deserialize, Serialize};

use super::ImportFormat;
use super::files::ImportFiles;
use super::kind::{Kind, first_line, kind};
use super::mapping::{Columns, DELIMITERS, ImportMapping, NoColumn};
use super::records::{Broken, ReadFault, Records};
use super::xlsx::{self, SheetFault};
use crate::recipients::country::Country;
/// How a file is to be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Layout {
    /// What the upload is. Rows of a sheet begin with the number that the sheet gives them.
    #[serde(default)]
    pub(crate) format: ImportFormat,
    /// The encoding that the upload has, by its name on the web, in lower case.
    pub(crate) encoding: String,
    /// Whether the upload was written again as UTF-8.
    pub(crate) rewritten: bool,
    /// What separates columns.
    pub(crate) delimiter: u8,
    /// The columns.
    pub(crate) columns: Columns,
    /// The country of numbers whose row names none.
    pub(crate) default_country: Option<String>,
}

impl Layout {
    /// The number of a row before which there are so many data rows: what its sheet says, else by counting. The header is
    /// row 1.
    pub(crate) fn number(&self, cells: &[String], before: u64) -> u64 {
        let said = match self.format {
            ImportFormat::Xlsx => cells.first().and_then(|number| number.parse().ok()),
            ImportFormat::Csv => None,
        };
        said.unwrap_or(before + 2)
    }

    /// The country of numbers whose row names none.
    pub(crate) fn default_country(&self) -> Option<Country> {
        self.default_country.as_deref().and_then(Country::read)
    }
}

/// The first look's result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Profile {
    /// How the file is to be read.
    pub(crate) layout: Layout,
    /// Where its first data row begins.
    pub(crate) start: u64,
    /// How long it is.
    pub(crate) bytes: u64,
}

/// Why a file cannot be imported at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProfileFault {
    /// Nothing is in it.
    #[error("the file is empty")]
    Empty,
    /// It is a picture, a program, an archive, a spreadsheet of another kind.
    #[error("this is neither text nor a workbook (.xlsx)")]
    NotText,
    /// It is a workbook that cannot be read.
    #[error(transparent)]
    Sheet(SheetFault),
    /// Its header does not say enough.
    #[error(transparent)]
    NoColumn(#[from] NoColumn),
    /// It cannot be read as CSV.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// It cannot be read now.
    #[error("the file cannot be read")]
    Io(#[from] std::io::Error),
}

impl From<ReadFault> for ProfileFault {
    fn from(fault: ReadFault) -> Self {
        match fault {
            ReadFault::Broken(broken) => broken.into(),
            ReadFault::Io(error) => error.into(),
        }
    }
}

impl From<SheetFault> for ProfileFault {
    fn from(fault: SheetFault) -> Self {
        match fault {
            SheetFault::NoWorkbook => Self::NotText,
            SheetFault::Io(error) => error.into(),
            fault => Self::Sheet(fault),
        }
    }
}

impl ProfileFault {
    /// The stable code of what is wrong with the file, and the row that is to blame; none if it is not the file.
    pub(crate) fn blame(&self) -> Option<(&'static str, Option<i64>)> {
        Some(match self {
            Self::Empty => ("EMPTY_FILE", None),
            Self::NotText => ("NOT_TEXT", None),
            Self::Sheet(fault) => (fault.code(), fault.row()),
            Self::NoColumn(missing) => (missing.code(), Some(1)),
            Self::Broken(broken) => (broken.code(), Some(1)),
            Self::Io(_) => return None,
        })
    }
}

/// Looks at an upload; writes it again as CSV in UTF-8 if it is anything else.
pub(crate) fn profile(files: &ImportFiles, asked: &ImportMapping) -> Result<Profile, ProfileFault> {
    let mut upload = File::open(files.upload())?;
    let mut head = [0; 8];
    let read = upload.read(&mut head)?;
    upload.seek(SeekFrom::Start(0))?;
    match kind(&head[..read]) {
        Kind::Archive => {
            xlsx::write_as_csv(files.upload(), &files.utf8(), &files.scratch())?;
            look(&files.utf8(), asked, ImportFormat::Xlsx, UTF_8)
        }
        Kind::Other => Err(ProfileFault::NotText),
        Kind::Text => {
            first_line(&mut upload)?;
            let encoding = super::encoding::detect(&mut upload, asked.encoding())?;
            if encoding != UTF_8 {
                super::encoding::write_as_utf8(files.upload(), encoding, &files.utf8(), &files.scratch())?;
            }
            look(
                &files.readable(encoding != UTF_8),
                asked,
                ImportFormat::Csv,
                encoding,
            )
        }
    }
}

fn look(
    path: &Path,
    asked: &ImportMapping,
    format: ImportFormat,
    encoding: &'static Encoding,
) -> Result<Profile, ProfileFault> {
    let mut file = File::open(path)?;
    let bytes = file.metadata()?.len();
    let (skipped, delimiter) = match format {
        ImportFormat::Csv => separation(&mut file, asked)?,
        // Ours.
        ImportFormat::Xlsx => (0, b','),
    };
    file.seek(SeekFrom::Start(skipped))?;
    let mut records = Records::new(file, delimiter, skipped);
    let header = records.next_record()?.ok_or(ProfileFault::Empty)?;
    let layout = Layout {
        format,
        encoding: encoding.name().to_ascii_lowercase(),
        rewritten: format == ImportFormat::Xlsx || encoding != UTF_8,
        delimiter,
        columns: Columns::find(&without_number(header, format), asked)?,
        default_country: asked.default_country().map(Country::code),
    };
    Ok(Profile {
        layout,
        start: records.offset(),
        bytes,
    })
}

/// The number before a header is no column's name.
fn without_number(mut header: Vec<String>, format: ImportFormat) -> Vec<String> {
    if let (ImportFormat::Xlsx, Some(number)) = (format, header.first_mut()) {
        number.clear();
    }
    header
}

/// Where the header begins, and what separates columns.
fn separation(file: &mut File, asked: &ImportMapping) -> Result<(u64, u8), ProfileFault> {
    let mut sample = vec![0; 64 << 10];
    let read = file.read(&mut sample)?;
    sample.truncate(read);
    let (skipped, declared) = preamble(&sample);
    let delimiter = asked
        .delimiter()
        .or(declared)
        .unwrap_or_else(|| likeliest(&sample[skipped..], asked));
    Ok((u64::try_from(skipped).unwrap_or_default(), delimiter))
}

/// The byte order mark, and the line `sep=;` with which spreadsheets tell each other the delimiter: how long both are,
/// and what the line says.
fn preamble(sample: &[u8]) -> (usize, Option<u8>) {
    let mark = if sample.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let rest = &sample[mark..];
    let Some(declared) = rest
        .get(..5)
        .filter(|line| line[..4].eq_ignore_ascii_case(b"sep="))
        .map(|line| line[4])
    else {
        return (mark, None);
    };
    let ends = rest[5..]
        .iter()
        .take_while(|byte| matches!(byte, b'\r' | b'\n'))
        .count()
        .min(2);
    if ends == 0 || !DELIMITERS.contains(&declared) {
        (mark, None)
    } else {
        (mark + 5 + ends, Some(declared))
    }
}

/// The delimiter with which the header names a column of numbers, then the one that cuts most of the first rows into
/// as many columns as the header, then the one that makes most columns.
fn likeliest(sample: &[u8], asked: &ImportMapping) -> u8 {
    let score = |delimiter: u8| {
        let mut records = Records::new(sample, delimiter, 0);
        let Ok(Some(header)) = records.next_record() else {
            return (false, 0, 0);
        };
        let rows = std::iter::from_fn(|| records.next_record().ok().flatten()).take(20);
        let alike = if header.len() > 1 {
            rows.filter(|row| row.len() == header.len()).count()
        } else {
            0
        };
        let phones = header.len() > 1 && Columns::find(&header, asked).is_ok();
        (phones, alike, header.len())
    };
    // What cuts nothing is no better than the comma.
    let mut best = (b',', score(b',').max((false, 0, 1)));
    for delimiter in DELIMITERS {
        let found = score(delimiter);
        if found > best.1 {
            best = (delimiter, found);
        }
    }
    best.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delimiter(text: &str) -> u8 {
        likeliest(text.as_bytes(), &ImportMapping::default())
    }

    #[test]
    fn the_delimiter_is_found_outside_quotes() {
        assert_eq!(delimiter("name,phone\n\"a;b;c;d\",+49\n"), b',');
        assert_eq!(
            delimiter("Name;Telefon;Land\nA, B;+49;DE\nC, D, E;+49;DE\n"),
            b';'
        );
        assert_eq!(delimiter("name\tphone\nx\ty\n"), b'\t');
        assert_eq!(delimiter("name|phone\nx|y\n"), b'|');
        assert_eq!(delimiter("\"name;with\",\"phone\"\n"), b',');
        assert_eq!(delimiter("phone\n+49\n"), b',');
        assert_eq!(delimiter("a;b;c\n1;2;3\n4;5;6\n"), b';');
    }

    #[test]
    fn the_preamble_is_no_row() {
        assert_eq!(preamble(b"sep=;\r\nphone"), (7, Some(b';')));
        assert_eq!(preamble(b"\xef\xbb\xbfSEP=|\nphone"), (9, Some(b'|')));
        assert_eq!(preamble(b"\xef\xbb\xbfphone"), (3, None));
        assert_eq!(preamble(b"sep=x\nphone"), (0, None));
        assert_eq!(preamble(b""), (0, None));
    }
}
