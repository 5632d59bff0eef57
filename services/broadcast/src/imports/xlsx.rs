//! Spreadsheets: the first visible sheet of a workbook (`.xlsx`), written again as CSV, so that all that follows (the
//! place that is reached, duplicates, errors) is the same for both.
//!
//! A workbook is an archive of XML. Both can be made to grow a thousandfold, so nothing is held but the strings that
//! cells share, everything is counted while it inflates, and what is too large is refused as soon as that is known.
//! Written by hand instead of by a library that holds the sheet: `docs/decisions/0024-spreadsheets-are-streamed.md`.

mod container;
#[cfg(test)]
mod forge;
#[cfg(test)]
mod hostile;
mod number;
mod output;
mod rows;
mod strings;
mod styles;
#[cfg(test)]
mod tests;
mod workbook;
mod xml;

use std::path::Path;

use container::Container;
use output::Output;
use rows::Rows;
use strings::Strings;
use styles::Styles;

/// The most data rows.
const MOST_ROWS: u32 = 100_000;
/// The most columns.
const MOST_COLUMNS: usize = 50;

/// Why a spreadsheet cannot be imported.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SheetFault {
    /// An archive or something else, but no workbook.
    #[error("this is neither text nor a workbook (.xlsx)")]
    NoWorkbook,
    /// It is larger than accepted, or would become so.
    #[error("the workbook is larger than accepted: {0}")]
    TooLarge(&'static str),
    /// A value stands further down than accepted.
    #[error("the sheet has more than 100,000 rows")]
    TooManyRows,
    /// A value stands further right than accepted.
    #[error("a row of the sheet has more than 50 columns")]
    TooManyColumns {
        /// The row.
        row: u32,
    },
    /// It is not made as a workbook has to be.
    #[error("the workbook cannot be read: {0}")]
    Unreadable(&'static str),
    /// The disk failed.
    #[error("the workbook cannot be read now")]
    Io(#[from] std::io::Error),
}

impl SheetFault {
    /// The stable code.
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::NoWorkbook => "NOT_TEXT",
            Self::TooLarge(_) => "TOO_LARGE",
            Self::TooManyRows => "TOO_MANY_ROWS",
            Self::TooManyColumns { .. } => "TOO_MANY_COLUMNS",
            Self::Unreadable(_) => "UNREADABLE_WORKBOOK",
            Self::Io(_) => "STORAGE_UNAVAILABLE",
        }
    }

    /// The row of the sheet, where one is to blame.
    pub(crate) fn row(&self) -> Option<i64> {
        match self {
            Self::TooManyColumns { row } => Some((*row).into()),
            Self::TooManyRows => Some(i64::from(MOST_ROWS) + 2),
            _ => None,
        }
    }
}

/// Writes the first visible sheet as CSV with commas, durably and under its final name only when whole. Before the cells
/// of a row stands the number that the sheet gives it; rows without a value are left out.
pub(crate) fn write_as_csv(workbook: &Path, target: &Path, scratch: &Path) -> Result<(), SheetFault> {
    let mut container = Container::open(workbook)?;
    let places = workbook::places(&mut container)?;
    let strings = match &places.strings {
        Some(name) => Strings::read(container.required(name)?)?,
        None => Strings::default(),
    };
    let styles = match &places.styles {
        Some(name) => Styles::read(container.required(name)?, places.since_1904)?,
        None => Styles::default(),
    };
    let mut rows = Rows::new(container.required(&places.sheet)?, &strings, &styles);
    let mut output = Output::create(scratch)?;
    while let Some(row) = rows.next_row()? {
        output.write(row)?;
    }
    Ok(output.finish(target)?)
}
