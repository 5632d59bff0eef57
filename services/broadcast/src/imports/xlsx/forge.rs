//! Workbooks for tests, packed by hand: right ones, and such as no program writes.

use std::fmt::Write as _;
use std::io::Write as _;

use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};

const WORKBOOK: &str =
    r#"<workbook xmlns:r="r"><sheets><sheet name="A" sheetId="1" r:id="rId1"/></sheets></workbook>"#;
const MAIN: &str = r#"<Relationships><Relationship Id="rId1" Type="x/officeDocument" Target="xl/workbook.xml"/></Relationships>"#;
const RELATIONS: &str = r#"<Relationships><Relationship Id="rId1" Type="x/worksheet" Target="worksheets/sheet1.xml"/>
    <Relationship Id="rId2" Type="x/sharedStrings" Target="sharedStrings.xml"/>
    <Relationship Id="rId3" Type="x/styles" Target="/xl/styles.xml"/></Relationships>"#;

/// One file of an archive, and what the archive says about it.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) packed: Vec<u8>,
    pub(crate) size: u32,
    pub(crate) crc: u32,
    pub(crate) flags: u16,
}

impl Entry {
    /// A file.
    pub(crate) fn new(name: &str, content: &[u8]) -> Self {
        let mut crc = Crc::new();
        crc.update(content);
        Self {
            name: name.to_owned(),
            packed: packed(content, true),
            size: u32::try_from(content.len()).unwrap(),
            crc: crc.sum(),
            flags: 0,
        }
    }

    /// A file in which something is repeated: as long as one likes, and packed in no time.
    pub(crate) fn bomb(name: &str, head: &str, filler: &str, times: usize) -> Self {
        let mut bytes = packed(head.as_bytes(), false);
        bytes.extend(packed(filler.as_bytes(), false).repeat(times));
        // An empty last block.
        bytes.extend([3, 0]);
        Self {
            name: name.to_owned(),
            packed: bytes,
            size: u32::try_from(head.len() + filler.len() * times).unwrap(),
            crc: 0,
            flags: 0,
        }
    }
}

/// Deflated; one that does not end can be followed by others.
fn packed(content: &[u8], ends: bool) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).unwrap();
    if ends {
        return encoder.finish().unwrap();
    }
    encoder.flush().unwrap();
    encoder.get_ref().clone()
}

/// The archive of these files.
pub(crate) fn archive(entries: &[Entry]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for entry in entries {
        let offset = u32::try_from(bytes.len()).unwrap();
        let mut common = Vec::new();
        for number in [20, entry.flags, 8, 0, 33] {
            common.extend(u16::to_le_bytes(number));
        }
        for number in [entry.crc, u32::try_from(entry.packed.len()).unwrap(), entry.size] {
            common.extend(u32::to_le_bytes(number));
        }
        common.extend(u16::try_from(entry.name.len()).unwrap().to_le_bytes());
        common.extend([0, 0]);

        bytes.extend(b"PK\x03\x04");
        bytes.extend(&common);
        bytes.extend(entry.name.as_bytes());
        bytes.extend(&entry.packed);

        directory.extend(b"PK\x01\x02\x14\0");
        directory.extend(&common);
        directory.extend([0; 10]);
        directory.extend(offset.to_le_bytes());
        directory.extend(entry.name.as_bytes());
    }
    let offset = u32::try_from(bytes.len()).unwrap();
    // The number of entries has 16 bits; more are told by a length that does not fit.
    let count = u16::try_from(entries.len()).unwrap_or(u16::MAX).to_le_bytes();
    bytes.extend(&directory);
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend([count, count].concat());
    bytes.extend(u32::try_from(directory.len()).unwrap().to_le_bytes());
    bytes.extend(offset.to_le_bytes());
    bytes.extend([0, 0]);
    bytes
}

/// The files of a workbook with one sheet, which is this entry, and these strings.
pub(crate) fn around(sheet: Entry, strings: Entry) -> Vec<Entry> {
    vec![
        Entry::new("_rels/.rels", MAIN.as_bytes()),
        Entry::new("xl/workbook.xml", WORKBOOK.as_bytes()),
        Entry::new("xl/_rels/workbook.xml.rels", RELATIONS.as_bytes()),
        Entry::new("xl/styles.xml", b"<styleSheet/>"),
        strings,
        sheet,
    ]
}

/// The entry of the sheet with these rows.
pub(crate) fn sheet(rows: &str) -> Entry {
    let text = format!("<worksheet><sheetData>{rows}</sheetData></worksheet>");
    Entry::new("xl/worksheets/sheet1.xml", text.as_bytes())
}

/// The entry of these strings.
pub(crate) fn strings(strings: &[&str]) -> Entry {
    let mut text = "<sst>".to_owned();
    for string in strings {
        write!(text, "<si><t>{}</t></si>", escaped(string)).unwrap();
    }
    Entry::new("xl/sharedStrings.xml", (text + "</sst>").as_bytes())
}

/// A workbook with these rows.
pub(crate) fn workbook(rows: &str) -> Vec<u8> {
    archive(&around(sheet(rows), strings(&[])))
}

/// A text within XML.
pub(crate) fn escaped(text: &str) -> String {
    let escaped = text
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    // Or it would be read as a line feed.
    escaped.replace('\r', "&#13;")
}

/// A row with these cells, each written into itself.
pub(crate) fn row(number: usize, cells: &[&str]) -> String {
    let mut text = format!("<row r=\"{number}\">");
    for cell in cells {
        let cell = escaped(cell);
        write!(
            text,
            "<c t=\"inlineStr\"><is><t xml:space=\"preserve\">{cell}</t></is></c>"
        )
        .unwrap();
    }
    text + "</row>"
}
