//! The CSV that a sheet becomes.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use super::SheetFault;
use super::rows::Row;
use crate::imports::files::{private, sync_folder};

/// The longest CSV: cells that share one long text become as many texts.
const MOST_WRITTEN: usize = 64 << 20;

/// A file that is being written.
pub(super) struct Output {
    file: BufWriter<File>,
    scratch: PathBuf,
    line: String,
    written: usize,
}

impl Output {
    /// Begins it.
    pub(super) fn create(scratch: &Path) -> std::io::Result<Self> {
        let file = private().create(true).truncate(true).open(scratch)?;
        Ok(Self {
            file: BufWriter::with_capacity(64 << 10, file),
            scratch: scratch.to_owned(),
            line: String::new(),
            written: 0,
        })
    }

    /// Writes a row: its number, then its cells.
    pub(super) fn write(&mut self, row: &Row) -> Result<(), SheetFault> {
        self.line.clear();
        self.line.push_str(&row.number.to_string());
        for cell in &row.cells {
            self.line.push(',');
            add(&mut self.line, cell);
        }
        self.line.push('\n');
        self.written += self.line.len();
        if self.written > MOST_WRITTEN {
            return Err(SheetFault::TooLarge("at most 64 MiB of text"));
        }
        Ok(self.file.write_all(self.line.as_bytes())?)
    }

    /// Makes it durable under its final name.
    pub(super) fn finish(mut self, target: &Path) -> std::io::Result<()> {
        self.file.flush()?;
        self.file.get_ref().sync_all()?;
        std::fs::rename(&self.scratch, target)?;
        sync_folder(target)
    }
}

fn add(line: &mut String, cell: &str) {
    if cell.contains([',', '"', '\r', '\n']) {
        line.push('"');
        line.push_str(&cell.replace('"', "\"\""));
        line.push('"');
    } else {
        line.push_str(cell);
    }
}
