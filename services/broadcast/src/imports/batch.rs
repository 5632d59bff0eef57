//! The next rows of a file, read and classified away from the runtime's threads.

use std::collections::HashSet;
use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::path::Path;

use super::classify::{ErrorClass, ReadRow, classify};
use super::profile::Layout;
use super::records::{Broken, ReadFault, Records};

/// The most bytes of the file that one batch reads: with rows of a mebibyte, fewer rows fit.
const MOST_BYTES: u64 = 4 << 20;
/// About the most that the rows of one batch take in memory.
const MOST_WEIGHT: usize = 8 << 20;

/// How far a file has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Bytes before the next row.
    pub(crate) offset: u64,
    /// Data rows before the next row.
    pub(crate) rows: u64,
}

/// What comes after a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    /// More rows.
    More,
    /// Nothing: the file has been read.
    End,
    /// A row that cannot be read.
    Broken(Broken),
}

/// Some rows.
#[derive(Debug)]
pub(crate) struct Batch {
    /// The rows; a number occurs as valid once, later ones are duplicates already.
    pub(crate) rows: Vec<ReadRow>,
    /// Where the next batch begins.
    pub(crate) next: Place,
    /// What comes after it.
    pub(crate) after: After,
}

/// How much is read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Rows of one batch.
    pub(crate) batch_rows: u64,
    /// Rows of the file.
    pub(crate) most_rows: u64,
}

/// Reads the rows from this place on.
pub(crate) fn read(path: &Path, layout: &Layout, from: Place, bounds: Bounds) -> std::io::Result<Batch> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from.offset))?;
    let mut records = Records::new(file, layout.delimiter, from.offset);
    let (mut rows, mut next, mut seen) = (Vec::new(), from, HashSet::new());
    let mut weight = 0;
    let after = loop {
        let is_full = next.offset - from.offset >= MOST_BYTES || weight >= MOST_WEIGHT;
        if is_full || next.rows - from.rows >= bounds.batch_rows {
            break After::More;
        }
        let cells = match records.next_record() {
            Ok(Some(cells)) => cells,
            Ok(None) => break After::End,
            Err(ReadFault::Broken(broken)) => break After::Broken(broken),
            Err(ReadFault::Io(error)) => return Err(error),
        };
        if next.rows >= bounds.most_rows {
            break After::Broken(Broken::TooManyRows);
        }
        let mut row = classify(layout, layout.number(&cells, next.rows), &cells);
        if let Ok(incoming) = &row.verdict
            && !seen.insert(incoming.phone.clone())
        {
            row.verdict = Err(ErrorClass::Duplicate);
        }
        weight += row.weight();
        rows.push(row);
        next = Place {
            offset: records.offset(),
            rows: next.rows + 1,
        };
    };
    next.offset = records.offset().max(next.offset);
    Ok(Batch { rows, next, after })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::path::PathBuf;

    use proptest::prelude::*;

    use super::super::ImportFormat;
    use super::super::files::ImportFiles;
    use super::super::mapping::ImportMapping;
    use super::super::profile::{Profile, profile};
    use super::*;
    use crate::ImportId;
    use crate::recipients::consent::Consent;

    fn testdata(name: &str) -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("../../testdata")
            .join(name)
    }

    /// Looks at a file as if it had been uploaded, and reads it in batches of this many rows.
    fn whole(content: &[u8], batch_rows: u64) -> (Profile, Vec<ReadRow>, After) {
        let clock = plaza_kernel::Clock::system();
        let objects = tempfile::tempdir().unwrap();
        let (tenant, id) = (
            plaza_kernel::TenantId::generate(&clock),
            ImportId::generate(&clock),
        );
        let files = ImportFiles::new(objects.path(), tenant, id);
        std::fs::create_dir_all(files.upload().parent().unwrap()).unwrap();
        std::fs::write(files.upload(), content).unwrap();
        let found = profile(&files, &ImportMapping::default()).unwrap();
        let path = files.readable(found.layout.rewritten);
        let (mut place, mut rows) = (
            Place {
                offset: found.start,
                rows: 0,
            },
            Vec::new(),
        );
        loop {
            let bounds = Bounds {
                batch_rows,
                most_rows: 20_000,
            };
            let batch = read(&path, &found.layout, place, bounds).unwrap();
            rows.extend(batch.rows);
            place = batch.next;
            if batch.after != After::More {
                assert!(batch.after != After::End || place.offset == found.bytes);
                return (found, rows, batch.after);
            }
        }
    }

    #[test]
    fn every_row_of_the_export_is_what_the_truth_says() {
        let (found, rows, after) = whole(&std::fs::read(testdata("recipients-10k.csv")).unwrap(), 333);
        assert_eq!(
            (found.layout.encoding.as_str(), found.layout.delimiter),
            ("utf-8", b',')
        );
        assert_eq!((rows.len(), after), (10_000, After::End));
        assert_eq!(opted_in_as_in(&rows, "recipients-10k.truth.csv"), 7_143);
    }

    #[test]
    fn every_row_of_the_workbook_is_what_the_truth_says() {
        let (found, rows, after) = whole(&std::fs::read(testdata("recipients-2k.xlsx")).unwrap(), 333);
        assert_eq!(
            (found.layout.format, found.layout.rewritten),
            (ImportFormat::Xlsx, true)
        );
        assert_eq!((rows.len(), after), (2_000, After::End));
        assert_eq!(opted_in_as_in(&rows, "recipients-2k.truth.csv"), 1_429);
    }

    /// Holds every row against the truth; how many valid ones are opted in.
    fn opted_in_as_in(rows: &[ReadRow], truth: &str) -> usize {
        let truth = std::fs::read_to_string(testdata(truth)).unwrap();
        let truth: Vec<Vec<&str>> = truth
            .lines()
            .skip(1)
            .map(|line| line.split(',').collect())
            .collect();
        assert_eq!(rows.len(), truth.len());
        // The database does this in the service: it knows the numbers of earlier batches.
        let mut seen: HashMap<String, String> = HashMap::new();
        let mut opted_in = 0;
        for (row, truth) in rows.iter().zip(truth) {
            let (number, id, class, e164) = (truth[0], truth[1], truth[2], truth[3]);
            assert_eq!(row.row.to_string(), number);
            match &row.verdict {
                Ok(incoming) => {
                    assert_eq!(incoming.phone.as_str(), e164, "row {number}: {}", row.value);
                    assert_eq!(incoming.external_id.as_deref(), Some(id));
                    let first = seen.insert(e164.to_owned(), id.to_owned()).is_none();
                    assert_eq!(class, if first { "valid" } else { "duplicate" }, "row {number}");
                    opted_in += usize::from(first && incoming.consent == Consent::Granted);
                }
                Err(error) => assert_eq!(error.as_str(), class, "row {number}: {}", row.value),
            }
        }
        opted_in
    }

    #[test]
    fn a_latin_file_with_semicolons_and_german_headers_is_read() {
        let (found, rows, after) = whole(
            &std::fs::read(testdata("recipients-semicolon-latin1.csv")).unwrap(),
            7,
        );
        assert_eq!(
            (found.layout.encoding.as_str(), found.layout.delimiter),
            ("windows-1252", b';')
        );
        assert_eq!((rows.len(), after), (200, After::End));
        let names: Vec<String> = rows
            .into_iter()
            .filter_map(|row| row.verdict.ok()?.name)
            .collect();
        assert_eq!(names.len(), 200, "every number is valid");
        assert!(names.contains(&"Elenore Fröhlich B.Sc.".to_owned()));
    }

    #[test]
    fn a_file_of_several_encodings_reads_the_same() {
        let text = "sep=;\r\nName;Telefon;Land\r\nJürgen;01513 7299319;Österreich\r\nZoë;01513 7299319;Deutschland\r\n";
        let wide: Vec<u8> = [0xfeff_u16]
            .into_iter()
            .chain(text.encode_utf16())
            .flat_map(u16::to_le_bytes)
            .collect();
        let (narrow, _, _) = encoding_rs::WINDOWS_1252.encode(text);
        let (_, expected, _) = whole(text.as_bytes(), 10);
        assert_eq!(
            expected[1].verdict.as_ref().unwrap().phone.as_str(),
            "+4915137299319"
        );
        for bytes in [&wide[..], &narrow, &[b"\xef\xbb\xbf", text.as_bytes()].concat()] {
            assert_eq!(whole(bytes, 1).1, expected);
        }
    }

    #[test]
    fn a_broken_row_ends_the_reading_after_the_rows_before_it() {
        let (_, rows, after) = whole(b"name,phone\na,+4915117404120\nb,\"+49", 10);
        assert_eq!((rows.len(), after), (1, After::Broken(Broken::UnclosedQuote)));
        let many = format!("phone\n{}", "+4915117404120\n".repeat(20_001));
        let (_, rows, after) = whole(many.as_bytes(), 1_000);
        assert_eq!((rows.len(), after), (20_000, After::Broken(Broken::TooManyRows)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        // However a file is cut into batches, its rows are the same, and so is its end.
        #[test]
        fn rows_do_not_depend_on_batches(text in "[a+0-9,\"\r\n]{0,120}", rows in 1_u64..5) {
            let file = format!("phone,name\n{text}");
            let told = |rows: &[ReadRow]| -> Vec<(u64, String)> {
                rows.iter().map(|row| (row.row, row.value.clone())).collect()
            };
            let (_, one, end) = whole(file.as_bytes(), 1_000);
            let (_, some, other_end) = whole(file.as_bytes(), rows);
            prop_assert_eq!((told(&one), end), (told(&some), other_end));
        }
    }

    #[test]
    fn a_batch_of_wide_rows_is_short() {
        let header: Vec<String> = (0..50).map(|at| format!("{at:0>60}")).collect();
        let cells = ",x".repeat(50);
        let rows: String = (0..9_000)
            .map(|number| format!("+4915117{number:06}{cells}\n"))
            .collect();
        let file = format!("phone,{}\n{rows}", header.join(","));
        let objects = tempfile::tempdir().unwrap();
        let clock = plaza_kernel::Clock::system();
        let ids = (
            plaza_kernel::TenantId::generate(&clock),
            ImportId::generate(&clock),
        );
        let files = ImportFiles::new(objects.path(), ids.0, ids.1);
        std::fs::create_dir_all(files.upload().parent().unwrap()).unwrap();
        std::fs::write(files.upload(), file).unwrap();
        let found = profile(&files, &ImportMapping::default()).unwrap();
        let from = Place {
            offset: found.start,
            rows: 0,
        };
        let bounds = Bounds {
            batch_rows: 10_000,
            most_rows: 10_000,
        };
        let batch = read(files.upload(), &found.layout, from, bounds).unwrap();
        let weight: usize = batch.rows.iter().map(ReadRow::weight).sum();
        assert_eq!(batch.after, After::More, "{} rows", batch.rows.len());
        assert!(
            (MOST_WEIGHT..MOST_WEIGHT + (64 << 10)).contains(&weight),
            "{weight}"
        );
    }

    #[test]
    fn a_zero_byte_spoils_its_cell_only() {
        let (_, rows, _) = whole(b"phone,name\n+4915\x0017404120,x\n+4915117404120,A\0da\n", 10);
        assert_eq!(rows[0].verdict, Err(ErrorClass::InvalidPhone));
        assert_eq!(rows[1].verdict.as_ref().unwrap().name.as_deref(), Some("Ada"));
    }
}
