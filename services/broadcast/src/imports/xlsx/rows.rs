//! The rows of a sheet, one at a time.

use quick_xml::events::{BytesStart, Event};

use super::strings::Strings;
use super::styles::Styles;
use super::xml::{Xml, append, attribute, attributes, begun, local};
use super::{MOST_COLUMNS, MOST_ROWS, SheetFault, number};

/// The most bytes of a cell that are kept: no more is ever used, and a text that many cells share would become as many
/// texts.
const MOST_CELL: usize = 4_000;

/// A row with at least one value.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Row {
    /// The number that the sheet shows beside it.
    pub(super) number: u32,
    /// Its values, empty ones between them; none after the last.
    pub(super) cells: Vec<String>,
}

/// What a cell's value is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Kind {
    #[default]
    Number,
    Shared,
    /// Written in the cell itself.
    Inline,
    Boolean,
    /// What a formula came to, a day as text, or what went wrong.
    Text,
}

/// The cell that is being read.
#[derive(Debug, Default)]
struct Cell {
    column: usize,
    kind: Kind,
    style: usize,
    value: String,
}

/// Reads rows.
pub(super) struct Rows<'a> {
    xml: Xml<'a>,
    strings: &'a Strings,
    styles: &'a Styles,
    row: Row,
    cell: Cell,
    /// Whether the text that comes is the cell's value.
    inside: bool,
    phonetic: bool,
}

impl<'a> Rows<'a> {
    /// Reads this sheet.
    pub(super) fn new(xml: Xml<'a>, strings: &'a Strings, styles: &'a Styles) -> Self {
        Self {
            xml,
            strings,
            styles,
            row: Row::default(),
            cell: Cell::default(),
            inside: false,
            phonetic: false,
        }
    }

    /// The next row that has a value; none at the end.
    pub(super) fn next_row(&mut self) -> Result<Option<&Row>, SheetFault> {
        while let Some(event) = self.xml.next()? {
            match &event {
                Event::Text(_) | Event::CData(_) | Event::GeneralRef(_) if self.inside => {
                    append(&event, &mut self.cell.value, MOST_CELL)?;
                }
                Event::End(tag) => match local(tag.name().0) {
                    "c" => finish(&mut self.row, &mut self.cell, self.strings, self.styles)?,
                    "row" if !self.row.cells.is_empty() => return Ok(Some(&self.row)),
                    "rPh" => self.phonetic = false,
                    "v" | "t" => self.inside = false,
                    _ => {}
                },
                _ => match begun(&event) {
                    Some((tag, "row")) => begin_row(&mut self.row, &mut self.cell, tag)?,
                    Some((tag, "c")) => begin_cell(&mut self.cell, tag)?,
                    // An element without content has no end, and no value.
                    _ if matches!(event, Event::Empty(_)) => {}
                    Some((_, "rPh")) => self.phonetic = true,
                    Some((_, "v")) => self.inside = self.cell.kind != Kind::Inline,
                    Some((_, "t")) => self.inside = self.cell.kind == Kind::Inline && !self.phonetic,
                    _ => {}
                },
            }
        }
        Ok(None)
    }
}

/// Rows are numbered in their order; what says otherwise is not believed.
fn begin_row(row: &mut Row, cell: &mut Cell, tag: &BytesStart<'_>) -> Result<(), SheetFault> {
    let said = attribute(tag, "r")?.and_then(|number| number.parse().ok());
    row.number = said.unwrap_or(0).max(row.number.saturating_add(1));
    row.cells.clear();
    *cell = Cell::default();
    Ok(())
}

fn begin_cell(cell: &mut Cell, tag: &BytesStart<'_>) -> Result<(), SheetFault> {
    (cell.column, cell.style, cell.kind) = (cell.column.saturating_add(1), 0, Kind::Number);
    cell.value.clear();
    for attribute in attributes(tag) {
        let (name, value) = attribute?;
        match name {
            "r" => cell.column = column(&value).unwrap_or(cell.column),
            "s" => cell.style = value.parse().unwrap_or_default(),
            "t" => cell.kind = kind(&value)?,
            _ => {}
        }
    }
    Ok(())
}

fn kind(name: &str) -> Result<Kind, SheetFault> {
    Ok(match name {
        "s" => Kind::Shared,
        "inlineStr" => Kind::Inline,
        "b" => Kind::Boolean,
        "n" => Kind::Number,
        "str" | "d" | "e" => Kind::Text,
        _ => return Err(SheetFault::Unreadable("a cell of an unknown kind")),
    })
}

/// Puts a cell in its place. Only a value counts: whole columns may be formatted.
fn finish(row: &mut Row, cell: &mut Cell, strings: &Strings, styles: &Styles) -> Result<(), SheetFault> {
    let value = shown(cell, strings, styles)?;
    cell.value.clear();
    if value.trim().is_empty() {
        return Ok(());
    }
    if cell.column > MOST_COLUMNS {
        return Err(SheetFault::TooManyColumns { row: row.number });
    }
    // The header is a row more.
    if row.number > MOST_ROWS + 1 {
        return Err(SheetFault::TooManyRows);
    }
    let at = cell.column.saturating_sub(1);
    if row.cells.len() <= at {
        row.cells.resize(at + 1, String::new());
    }
    row.cells[at] = value;
    Ok(())
}

fn shown(cell: &Cell, strings: &Strings, styles: &Styles) -> Result<String, SheetFault> {
    let raw = cell.value.as_str();
    Ok(match cell.kind {
        Kind::Number if styles.is_day(cell.style) => {
            number::day(raw, styles.since_1904).unwrap_or_else(|| number::plain(raw))
        }
        Kind::Number => number::plain(raw),
        Kind::Shared if raw.trim().is_empty() => String::new(),
        Kind::Shared => {
            let shared = raw.trim().parse().ok().and_then(|number| strings.get(number));
            shared
                .ok_or(SheetFault::Unreadable("a cell names a text that is not there"))?
                .to_owned()
        }
        Kind::Boolean if raw.trim() == "1" => "TRUE".to_owned(),
        Kind::Boolean if raw.trim() == "0" => "FALSE".to_owned(),
        Kind::Boolean | Kind::Inline | Kind::Text => raw.to_owned(),
    })
}

/// The column of a place such as `AB12`, from 1 on. One that is further right than any sheet has is as far as can be.
fn column(place: &str) -> Option<usize> {
    let letters = place.bytes().take_while(u8::is_ascii_alphabetic);
    let column = letters.fold(0_usize, |column, letter| {
        let letter = usize::from(letter.to_ascii_uppercase() - b'A') + 1;
        column.saturating_mul(26).saturating_add(letter)
    });
    (column > 0).then_some(column)
}
