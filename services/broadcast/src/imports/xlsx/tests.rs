//! What becomes of the cells of a workbook.

use proptest::prelude::*;

use super::forge::{Entry, archive, around, escaped, row, sheet, strings, workbook};
use super::{SheetFault, write_as_csv};

/// The CSV that a workbook becomes.
fn csv(workbook: &[u8]) -> Result<String, SheetFault> {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("in"), workbook).unwrap();
    write_as_csv(&at("in"), &at("out"), &at("scratch"))?;
    assert!(!at("scratch").exists());
    Ok(std::fs::read_to_string(at("out")).unwrap())
}

#[test]
fn every_kind_of_cell_is_what_it_shows() {
    let rows = r#"
        <row r="1" spans="1:9"><c r="A1" t="s"><v>0</v></c><c r="C1" t="str"><f>A1&amp;"x"</f><v>shared x</v></c></row>
        <row r="2"><c r="A2"><v>31633223090</v></c><c r="B2" t="n"><v>4.91511740412E12</v></c><c r="C2"><v>4.91517E+11</v></c>
            <c r="D2" t="b"><v>1</v></c><c r="E2" t="b"><v>0</v></c><c r="F2" t="e"><v>#N/A</v></c>
            <c r="G2" s="1"><v>46347</v></c><c r="H2" s="2"><v>46347.395833333336</v></c><c r="I2" s="3"><v>46347</v></c>
            <c r="J2" t="d"><v>2026-11-21</v></c></row>
        <row r="3"><c r="B3" t="inlineStr"><is><r><t>in </t></r><r><t>pieces</t></r><rPh sb="0" eb="1"><t>spoken</t></rPh></is></c>
            <c r="C3" t="s"><v>1</v></c><c r="D3" s="2"/><c r="E3" t="inlineStr"/><c r="F3"><v></v></c></row>
    "#;
    let styles = r#"<styleSheet><numFmts><numFmt numFmtId="164" formatCode="d.m.yyyy hh:mm"/></numFmts>
        <cellStyleXfs><xf numFmtId="14"/></cellStyleXfs>
        <cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="164"/><xf numFmtId="1"/></cellXfs></styleSheet>"#;
    let shared = r#"<x:sst xmlns:x="x"><x:si><x:t>shared</x:t></x:si>
        <x:si><x:r><x:t>a, "b"</x:t></x:r><x:r><x:t>&#10;&lt;c&gt;</x:t></x:r><x:rPh><x:t>spoken</x:t></x:rPh></x:si></x:sst>"#;
    let mut entries = around(sheet(rows), Entry::new("xl/SharedStrings.xml", shared.as_bytes()));
    entries[3] = Entry::new("xl/styles.xml", styles.as_bytes());
    let expected = "1,shared,,shared x\n\
        2,31633223090,4915117404120,4.91517E+11,TRUE,FALSE,#N/A,2026-11-21,2026-11-21 09:30:00,46347,2026-11-21\n\
        3,,in pieces,\"a, \"\"b\"\"\n<c>\"\n";
    assert_eq!(csv(&archive(&entries)).unwrap(), expected);
}

#[test]
fn rows_keep_the_numbers_that_the_sheet_gives_them() {
    let rows = [
        row(2, &["phone"]),
        "<row r=\"3\"/><row r=\"4\"><c r=\"A4\" s=\"7\"/></row>".to_owned(),
        row(7, &["  ", "x"]),
        // Not believed: it would be before the last one.
        row(5, &["y"]),
        "<row><c t=\"inlineStr\"><is><t>z</t></is></c></row>".to_owned(),
    ];
    assert_eq!(
        csv(&workbook(&rows.concat())).unwrap(),
        "2,phone\n7,,x\n8,y\n9,z\n"
    );
    assert_eq!(csv(&workbook("")).unwrap(), "");
}

#[test]
fn the_first_visible_sheet_is_read() {
    let book = r#"<workbook xmlns:r="r"><workbookPr date1904="1"/><sheets>
        <sheet name="Hidden" sheetId="1" state="hidden" r:id="a"/><sheet name="Chart" sheetId="2" r:id="b"/>
        <sheet name="Kunden" sheetId="3" state="visible" r:id="c"/><sheet name="Later" sheetId="4" r:id="d"/></sheets></workbook>"#;
    let relations = r#"<Relationships><Relationship Id="a" Type="t/worksheet" Target="worksheets/a.xml"/>
        <Relationship Id="b" Type="t/chartsheet" Target="worksheets/b.xml"/>
        <Relationship Id="c" Type="t/worksheet" Target="/xl/worksheets/c.xml"/>
        <Relationship Id="d" Type="t/worksheet" Target="worksheets/d.xml"/>
        <Relationship Id="e" Type="t/worksheet" Target="http://example.org/e.xml" TargetMode="External"/></Relationships>"#;
    let one = |name: &str| {
        let text = format!(
            "<worksheet><sheetData>{}</sheetData></worksheet>",
            row(1, &[name])
        );
        Entry::new(&format!("xl/worksheets/{name}.xml"), text.as_bytes())
    };
    let mut entries = around(one("a"), one("c"));
    entries[1] = Entry::new("xl/workbook.xml", book.as_bytes());
    entries[2] = Entry::new("xl/_rels/workbook.xml.rels", relations.as_bytes());
    entries.extend([one("b"), one("d")]);
    assert_eq!(csv(&archive(&entries)).unwrap(), "1,c\n");
}

#[test]
fn what_is_no_workbook_says_so() {
    let text = Entry::new("word/document.xml", b"<document/>");
    let main = br#"<Relationships><Relationship Id="1" Type="t/officeDocument" Target="word/document.xml"/></Relationships>"#;
    let whole = workbook(&row(1, &["phone"]));
    let cases: [Vec<u8>; 5] = [
        b"PK\x03\x04 a spreadsheet".to_vec(),
        archive(&[Entry::new("a.txt", b"x")]),
        archive(&[Entry::new("_rels/.rels", main), text]),
        whole[..whole.len() - 30].to_vec(),
        // Something else before it, as in a program that is an archive too.
        [b"MZ".as_slice(), &whole].concat(),
    ];
    for case in cases {
        assert_eq!(csv(&case).unwrap_err().code(), "NOT_TEXT");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    // Whatever stands in the cells stands in the fields of the CSV, read as this service reads it.
    #[test]
    fn cells_become_fields(rows in prop::collection::vec(prop::collection::vec("[ -~äß\r\n\t,;\"']{0,12}", 0..6), 0..8)) {
        let text: String = rows
            .iter()
            .enumerate()
            .map(|(at, cells)| {
                let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
                row(at + 1, &cells)
            })
            .collect();
        let read = csv(&workbook(&text)).unwrap();
        let mut records = crate::imports::records::Records::new(read.as_bytes(), b',', 0);
        for (at, cells) in rows.iter().enumerate() {
            let Some(last) = cells.iter().rposition(|cell| !cell.trim().is_empty()) else { continue };
            let record = records.next_record().unwrap().unwrap();
            let number = (at + 1).to_string();
            let shown = |cell: &String| if cell.trim().is_empty() { String::new() } else { cell.clone() };
            let expected: Vec<String> = std::iter::once(number).chain(cells[..=last].iter().map(shown)).collect();
            prop_assert_eq!(record, expected);
        }
        prop_assert_eq!(records.next_record().unwrap(), None);
    }

    // Nothing that is done to the bytes of a workbook makes it more than a workbook that cannot be read.
    #[test]
    fn damage_is_refused_or_harmless(at in 0_usize..2_000, with in any::<u8>()) {
        let mut bytes = archive(&around(sheet(&row(1, &["phone", &escaped("<x>")])), strings(&["a"])));
        let at = at % bytes.len();
        bytes[at] = with;
        let _ = csv(&bytes);
    }
}
