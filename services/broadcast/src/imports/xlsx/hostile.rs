//! Workbooks that nobody makes by accident: each is refused within two seconds and 64 MiB, in a process of its own that
//! does nothing else.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::forge::{Entry, archive, around, row, sheet, strings, workbook};
use super::write_as_csv;

const VARIABLE: &str = "PLAZA_TEST_WORKBOOK";
const BEGIN: &str = "<worksheet><sheetData>";
const SHEET: &str = "xl/worksheets/sheet1.xml";
const MEBIBYTE: usize = 1 << 20;
/// What is promised is promised of the program as it is released.
const SOON: Duration = Duration::from_secs(if cfg!(debug_assertions) { 30 } else { 2 });

/// The name of each, its code (none if it is read), and itself.
fn workbooks() -> Vec<(&'static str, Option<&'static str>, Vec<u8>)> {
    let with = |sheet: Entry| archive(&around(sheet, strings(&[])));
    let with_strings = |entry: Entry| archive(&around(sheet(&row(1, &["phone"])), entry));
    let right = || around(sheet(&row(1, &["phone"])), strings(&[]));
    let spaces = " ".repeat(MEBIBYTE);
    let lying = |entry: Entry| Entry { size: 1_000, ..entry };
    let large = Some("TOO_LARGE");
    let unreadable = Some("UNREADABLE_WORKBOOK");
    let doctype = |body: &str| {
        let text = format!(
            "<!DOCTYPE x [{body}]><worksheet><sheetData><row><c t=\"str\"><v>&e;</v></c></row></sheetData></worksheet>"
        );
        with(Entry::new(SHEET, text.as_bytes()))
    };
    let mut many = right();
    many.extend((0..95).map(|at| Entry::new(&format!("xl/media/{at}"), b"")));
    let mut thousands = right();
    thousands.extend((0..40_000).map(|at| Entry::new(&format!("{at}"), b"")));
    let mut nested = right();
    let inner = archive(&[Entry::bomb("a", "", &spaces, 500)]);
    nested.push(Entry::new("xl/embeddings/inner.zip", &inner));
    let mut outside = right();
    outside.push(Entry::new("xl/../../../etc/cron.d/x", b"x"));
    let mut twice = right();
    twice.push(sheet(&row(1, &["other"])));
    let mut locked = right();
    locked[5].flags = 1;
    let mut spoilt = right();
    spoilt[5].crc ^= 1;
    let mut elsewhere = right();
    let relations = r#"<Relationships><Relationship Id="rId1" Type="x/worksheet" Target="../../../etc/passwd"/></Relationships>"#;
    elsewhere[2] = Entry::new("xl/_rels/workbook.xml.rels", relations.as_bytes());
    let cells = "<c t=\"s\"><v>0</v></c>".repeat(50);
    let long = Entry::new(
        "xl/sharedStrings.xml",
        format!("<sst><si><t>{}</t></si></sst>", "x".repeat(MEBIBYTE)).as_bytes(),
    );
    let mut distinct = "<sst>".to_owned();
    for number in 0..1_000_000 {
        write!(distinct, "<si><t>{number:020}</t></si>").unwrap();
    }
    let column = |place: &str| workbook(&format!("<row><c r=\"{place}\"><v>1</v></c></row>"));
    let rows = row(1, &["x"]).replace(" r=\"1\"", "");
    let shared = archive(&around(
        Entry::bomb(SHEET, BEGIN, &format!("<row>{cells}</row>"), 20_000),
        long,
    ));
    vec![
        (
            "a sheet of 512 MiB",
            large,
            with(Entry::bomb(SHEET, BEGIN, &spaces, 512)),
        ),
        (
            "a sheet of 512 MiB that says 1 KB",
            unreadable,
            with(lying(Entry::bomb(SHEET, BEGIN, &spaces, 512))),
        ),
        (
            "a sheet of 49 MiB of cells",
            large,
            with(Entry::bomb(SHEET, BEGIN, &"<c/>".repeat(MEBIBYTE / 4), 49)),
        ),
        (
            "200,000 rows",
            Some("TOO_MANY_ROWS"),
            with(Entry::bomb(SHEET, BEGIN, &rows.repeat(1_000), 200)),
        ),
        (
            "a value in the last row",
            Some("TOO_MANY_ROWS"),
            workbook("<row r=\"1048576\"><c><v>1</v></c></row>"),
        ),
        (
            "a value in the last cell",
            Some("TOO_MANY_COLUMNS"),
            column("XFD1048576"),
        ),
        (
            "a value in no column",
            Some("TOO_MANY_COLUMNS"),
            column("ZZZZZZZZZZZZZZZZZZZZZZZZ1"),
        ),
        (
            "a million shared strings",
            large,
            with_strings(Entry::new("xl/sharedStrings.xml", distinct.as_bytes())),
        ),
        (
            "ten million empty strings",
            large,
            with_strings(Entry::bomb(
                "xl/sharedStrings.xml",
                "<sst>",
                &"<si/>".repeat(100_000),
                100,
            )),
        ),
        ("one long string in a million cells", large, shared),
        ("an archive in it that is a bomb", None, archive(&nested)),
        ("101 files", large, archive(&many)),
        ("40,000 files", large, archive(&thousands)),
        (
            "more than 5 MiB",
            large,
            [workbook(""), vec![0; 5 * MEBIBYTE]].concat(),
        ),
        (
            "an external entity",
            unreadable,
            doctype("<!ENTITY e SYSTEM \"file:///etc/passwd\">"),
        ),
        (
            "entities of entities",
            unreadable,
            doctype("<!ENTITY a \"xxxxxxxxxx\"><!ENTITY e \"&a;&a;&a;&a;&a;&a;\">"),
        ),
        (
            "an entity that is not declared",
            unreadable,
            workbook("<row><c t=\"str\"><v>&e;</v></c></row>"),
        ),
        (
            "ten million elements in each other",
            large,
            with(Entry::bomb(SHEET, BEGIN, &"<a>".repeat(100_000), 100)),
        ),
        (
            "sixty elements in each other, each with a name of 700 KiB",
            large,
            with(Entry::new(
                SHEET,
                format!("<{}>", "x".repeat(700 << 10)).repeat(60).as_bytes(),
            )),
        ),
        (
            "one tag of 40 MiB",
            large,
            with(Entry::bomb(SHEET, "<worksheet x=\"", &spaces, 40)),
        ),
        (
            "one text of 40 MiB",
            large,
            with(Entry::bomb(SHEET, BEGIN, &"x".repeat(MEBIBYTE), 40)),
        ),
        (
            "one comment of 40 MiB",
            large,
            with(Entry::bomb(SHEET, "<worksheet><!--", &"x".repeat(MEBIBYTE), 40)),
        ),
        ("a name that leads outside", unreadable, archive(&outside)),
        ("a part twice", unreadable, archive(&twice)),
        ("a password", unreadable, archive(&locked)),
        ("another content than was packed", unreadable, archive(&spoilt)),
        ("a sheet that is elsewhere", unreadable, archive(&elsewhere)),
        (
            "a shared string that is not there",
            unreadable,
            workbook("<row><c t=\"s\"><v>9</v></c></row>"),
        ),
        (
            "a cell of an unknown kind",
            unreadable,
            workbook("<row><c t=\"x\"><v>9</v></c></row>"),
        ),
        (
            "a sheet that ends early",
            unreadable,
            with(Entry::new(SHEET, b"<worksheet><sheetData><row>")),
        ),
        (
            "a sheet that is no XML",
            unreadable,
            with(Entry::new(SHEET, b"<worksheet></sheet>")),
        ),
        (
            "a sheet in another encoding",
            unreadable,
            with(Entry::new(SHEET, b"<worksheet>\xff\xfe</worksheet>")),
        ),
    ]
}

#[test]
fn hostile_workbooks_are_refused_soon_and_in_little_memory() {
    let folder = tempfile::tempdir().unwrap();
    for (name, code, bytes) in workbooks() {
        let path = folder.path().join("workbook");
        std::fs::write(&path, &bytes).unwrap();
        let told = in_its_own_process(&path);
        let (found, milliseconds, kilobytes) = (told.0.as_str(), told.1, told.2);
        eprintln!("{name}: {found}, {milliseconds} ms, {kilobytes} KiB more");
        assert_eq!(found, code.unwrap_or("read"), "{name}");
        assert!(
            Duration::from_millis(milliseconds) < SOON,
            "{name}: {milliseconds} ms"
        );
        assert!(kilobytes < 64 << 10, "{name}: {kilobytes} KiB");
    }
}

/// The code, milliseconds, and how many kilobytes more than before were held at the most.
fn in_its_own_process(path: &Path) -> (String, u64, u64) {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args([
        "--exact",
        "imports::xlsx::hostile::one_workbook",
        "--ignored",
        "--nocapture",
    ]);
    let output = child.env(VARIABLE, path).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text
        .lines()
        .find_map(|line| line.split_once("told: "))
        .map(|(_, told)| told);
    let mut words = line.unwrap_or_else(|| panic!("{text}")).split(' ');
    let mut word = || words.next().unwrap();
    (
        word().to_owned(),
        word().parse().unwrap(),
        word().parse().unwrap(),
    )
}

/// Not a test: what the test above starts.
#[test]
#[ignore = "is started by the test of hostile workbooks"]
fn one_workbook() {
    #[expect(clippy::disallowed_methods, reason = "tests have no configuration file")]
    let path = std::env::var(VARIABLE).unwrap();
    let path = Path::new(&path);
    let folder = tempfile::tempdir().unwrap();
    let before = kilobytes("VmRSS:");
    let begun = Instant::now();
    let end = write_as_csv(path, &folder.path().join("out"), &folder.path().join("scratch"));
    let milliseconds = begun.elapsed().as_millis();
    let code = end.map_or_else(|fault| fault.code(), |()| "read");
    println!(
        "told: {code} {milliseconds} {}",
        kilobytes("VmHWM:").saturating_sub(before)
    );
}

fn kilobytes(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
