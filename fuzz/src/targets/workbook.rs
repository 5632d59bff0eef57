//! Whatever a workbook is made of, it becomes a CSV that is read or is refused. The first line says which part of it the rest
//! is; the other parts are as they should be. `archive`: the rest is the whole file.

use std::io::{Cursor, Write};
use std::path::Path;

use plaza_broadcast::fuzzing::{records, workbook_as_csv};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::cut::line;

const PARTS: [(&str, &str, &str); 6] = [
    (
        "main",
        "_rels/.rels",
        r#"<Relationships><Relationship Id="1" Type="t/officeDocument" Target="xl/workbook.xml"/></Relationships>"#,
    ),
    (
        "book",
        "xl/workbook.xml",
        r#"<workbook xmlns:r="r"><sheets><sheet name="A" sheetId="1" r:id="a"/></sheets></workbook>"#,
    ),
    (
        "relations",
        "xl/_rels/workbook.xml.rels",
        r#"<Relationships><Relationship Id="a" Type="t/worksheet" Target="worksheets/a.xml"/>
           <Relationship Id="s" Type="t/sharedStrings" Target="sharedStrings.xml"/>
           <Relationship Id="y" Type="t/styles" Target="styles.xml"/></Relationships>"#,
    ),
    (
        "styles",
        "xl/styles.xml",
        r#"<styleSheet><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></styleSheet>"#,
    ),
    (
        "strings",
        "xl/sharedStrings.xml",
        "<sst><si><t>phone</t></si><si><t>a, \"b\"</t></si></sst>",
    ),
    (
        "sheet",
        "xl/worksheets/a.xml",
        r#"<worksheet><sheetData><row r="1"><c t="s"><v>0</v></c><c t="s"><v>1</v></c><c s="1"><v>46347</v></c></row></sheetData></worksheet>"#,
    ),
];

pub(crate) fn bears(bytes: &[u8]) {
    let (part, rest) = line(bytes);
    let file = match part {
        b"archive" => Ok(rest.to_vec()),
        part => archive(part, rest),
    };
    // A place on the disk is nothing that a workbook decides about.
    let (Ok(file), Ok(folder)) = (file, tempfile::tempdir()) else {
        return;
    };
    let at = |name: &str| folder.path().join(name);
    if std::fs::write(at("in"), file).is_err() {
        return;
    }
    match workbook_as_csv(&at("in"), &at("out"), &at("scratch")) {
        Ok(()) => is_read(&at("out")),
        Err(code) => {
            assert!(!code.is_empty());
            assert!(!at("out").exists(), "refused with {code}, and written");
        }
    }
}

/// What a workbook became is a CSV of lines that begin with rising numbers.
fn is_read(file: &Path) {
    let text = std::fs::read(file).unwrap_or_default();
    let read = match records(&text, b',') {
        Ok(read) => read,
        Err(code) => panic!("written, and cannot be read: {code}"),
    };
    let numbers = read.iter().map(|record| record.fields[0].parse::<u32>().ok());
    let numbers: Vec<Option<u32>> = numbers.collect();
    assert!(
        numbers.iter().all(Option::is_some) && numbers.is_sorted(),
        "{numbers:?}"
    );
    let widest = read
        .iter()
        .map(|record| record.fields.len())
        .max()
        .unwrap_or_default();
    assert!(
        widest <= 51 && read.len() <= 100_001,
        "{widest} columns, {} rows",
        read.len()
    );
}

/// The archive with this part in place of the right one.
fn archive(part: &[u8], content: &[u8]) -> zip::result::ZipResult<Vec<u8>> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, path, right) in PARTS {
        archive.start_file(path, options)?;
        let content = if name.as_bytes() == part {
            content
        } else {
            right.as_bytes()
        };
        archive.write_all(content)?;
    }
    archive.finish().map(Cursor::into_inner)
}
