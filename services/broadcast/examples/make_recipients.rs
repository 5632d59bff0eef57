//! Writes a file of recipients that nobody is: `make_recipients ROWS [clean]`, CSV on standard output.
//!
//! As exports are: one row in twenty makes no recipient, and numbers are written in several ways. With `clean` every row
//! is a person who said yes. The same rows each time. What has to become of them is told on standard error.

use std::io::{BufWriter, Write};

/// Names and towns, to be put together.
const FIRST: [&str; 12] = [
    "Ada", "Björn", "Chidi", "Dörte", "Eun-ji", "Fatima", "Giulia", "Håkon", "Inés", "Józef", "Kwame",
    "Łucja",
];
const LAST: [&str; 12] = [
    "Lovelace",
    "Åkesson",
    "Okafor",
    "Größmann",
    "Kim",
    "al-Fihri",
    "Rossi",
    "Nordmann",
    "García",
    "Wiśniewski",
    "Mensah",
    "\"Lu\" Nowak",
];
const TOWNS: [&str; 8] = [
    "Kehl",
    "Bonn",
    "Łódź",
    "São Paulo",
    "Köln",
    "Leeds, UK",
    "Nairobi",
    "Zürich",
];

/// How many rows of a file make no recipient, by class.
#[derive(Default)]
struct Told {
    valid: u64,
    duplicate: u64,
    missing: u64,
    invalid: u64,
    damaged: u64,
}

fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let rows: u64 = arguments
        .next()
        .and_then(|rows| rows.parse().ok())
        .unwrap_or(1_000);
    let clean = arguments.next().is_some_and(|word| word == "clean");
    let mut output = BufWriter::with_capacity(1 << 20, std::io::stdout().lock());
    writeln!(
        output,
        "customer_id,full_name,mobile,country,timezone,opted_in,city,tier"
    )?;
    let mut told = Told::default();
    for row in 0..rows {
        let mobile = mobile(row, clean, &mut told);
        let (first, last) = (pick(&FIRST, row), pick(&LAST, row / 7));
        let name = format!("{first} {last}").replace('"', "\"\"");
        let opted_in = if clean || row % 4 > 0 { "yes" } else { "no" };
        let (country, zone) = if row % 2 == 0 {
            ("DE", "Europe/Berlin")
        } else {
            ("GB", "Europe/London")
        };
        let (town, tier) = (pick(&TOWNS, row / 3), pick(&["gold", "silver", ""], row));
        writeln!(
            output,
            "C{row:07},\"{name}\",{mobile},{country},{zone},{opted_in},\"{town}\",{tier}"
        )?;
    }
    output.flush()?;
    let Told {
        valid,
        duplicate,
        missing,
        invalid,
        damaged,
    } = told;
    eprintln!(
        "valid {valid}, duplicate {duplicate}, missing {missing}, invalid {invalid}, damaged {damaged}"
    );
    Ok(())
}

/// The number of a row as somebody wrote it, or what stands in its place.
fn mobile(row: u64, clean: bool, told: &mut Told) -> String {
    if clean {
        told.valid += 1;
        return number(row, 0);
    }
    let (class, mobile) = match row % 200 {
        // Of twenty rows before: another way to write it is the same number.
        3..=6 if row > 200 => (&mut told.duplicate, number(row - 200 + 10, 1)),
        77 | 78 => (&mut told.missing, String::new()),
        111..=113 => (&mut told.invalid, "call the office".to_owned()),
        150 => (&mut told.damaged, "4.91517E+11".to_owned()),
        way => (&mut told.valid, number(row, way)),
    };
    *class += 1;
    mobile
}

/// A mobile number of Germany or Great Britain that no other row has, in one of several ways to write it.
fn number(row: u64, way: u64) -> String {
    // A step that shares no factor with a hundred million, so that they come in no order.
    let digits = (row / 2).wrapping_mul(48_271) % 100_000_000;
    let (code, national) = match row % 2 {
        0 => ("49", format!("151{digits:08}")),
        _ => ("44", format!("71{digits:08}")),
    };
    match way % 5 {
        0 | 4 => format!("+{code}{national}"),
        1 => format!("+{code} {} {}", &national[..3], &national[3..]),
        2 => format!("00{code}{national}"),
        _ => format!("0{national}"),
    }
}

fn pick<'a>(from: &[&'a str], row: u64) -> &'a str {
    usize::try_from(row).map_or("", |row| from[row % from.len()])
}
