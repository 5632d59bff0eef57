//! Imports: a file of recipients, on its way into the table.
//!
//! `uploaded` (the file is durable) → `running` → `done`, `done_with_errors` (some rows made no recipient), `failed`
//! (the file cannot be read, or not further) or `cancelled` (somebody ended it). What was read until then stays. A dry run
//! goes the same way, and writes no recipient.

mod batch;
pub mod cancel;
pub(crate) mod classify;
mod encoding;
pub(crate) mod errors_csv;
mod files;
mod headers;
pub(crate) mod http;
mod importer;
mod kind;
pub mod mapping;
mod profile;
pub(crate) mod records;
pub(crate) mod store;
pub(crate) mod sweep;
pub mod upload;
mod write;
pub(crate) mod xlsx;

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use plaza_kernel::{Failure, Kind};
use postgres_types::Json;
use serde::Serialize;
use utoipa::ToSchema;

use crate::ImportId;
use crate::text_enum::text_enum;
use mapping::{Field, ImportMapping};
use profile::Layout;

text_enum! {
    /// How far an import is.
    pub enum ImportState {
        /// The file is here.
        Uploaded = "uploaded",
        /// Rows are being read.
        Running = "running",
        /// Every row made a recipient.
        Done = "done",
        /// Every row was read; some made no recipient.
        DoneWithErrors = "done_with_errors",
        /// The file cannot be read, or not further.
        Failed = "failed",
        /// Somebody ended it.
        Cancelled = "cancelled",
    }
}

text_enum! {
    /// What kind of file it is.
    #[derive(Default)]
    pub enum ImportFormat {
        /// Text, its columns separated by a character.
        #[default]
        Csv = "csv",
        /// The first visible sheet of a workbook.
        Xlsx = "xlsx",
    }
}

/// The code of an import that failed again and again on our side.
pub(crate) const ABANDONED: &str = "IMPORT_ABANDONED";

impl ImportState {
    /// Whether nothing more will happen.
    pub const fn is_final(self) -> bool {
        matches!(
            self,
            Self::Done | Self::DoneWithErrors | Self::Failed | Self::Cancelled
        )
    }
}

plaza_database::row! {
    /// An import as it is stored.
    #[derive(Debug, Clone)]
    pub(crate) struct StoredImport {
        pub(crate) id: ImportId,
        pub(crate) state: ImportState,
        pub(crate) requested: Json<ImportMapping>,
        pub(crate) dry_run: bool,
        pub(crate) layout: Option<Json<Layout>>,
        pub(crate) bytes_total: i64,
        pub(crate) bytes_done: i64,
        pub(crate) rows_done: i64,
        pub(crate) valid: i64,
        pub(crate) duplicate: i64,
        pub(crate) missing: i64,
        pub(crate) invalid: i64,
        pub(crate) damaged: i64,
        pub(crate) created: i64,
        pub(crate) updated: i64,
        pub(crate) error_code: Option<String>,
        pub(crate) error_row: Option<i64>,
        pub(crate) error_text: Option<String>,
        pub(crate) created_at: DateTime<Utc>,
        pub(crate) started_at: Option<DateTime<Utc>>,
        pub(crate) updated_at: DateTime<Utc>,
        pub(crate) finished_at: Option<DateTime<Utc>>,
        /// How often it was taken up since it last got on.
        pub(crate) attempts: i32,
    }
}

impl StoredImport {
    /// Whether its upload is still needed: as long as there is more to read, and for a day after the import was
    /// abandoned, for whoever looks into it.
    pub(crate) fn needs_upload(&self, now: DateTime<Utc>) -> bool {
        let abandoned = self.error_code.as_deref() == Some(ABANDONED);
        let lately = self.finished_at.is_some_and(|at| now - at < TimeDelta::days(1));
        !self.state.is_final() || (abandoned && lately)
    }

    /// Rows by what became of them.
    fn counts(&self) -> ImportCounts {
        ImportCounts {
            valid: self.valid,
            duplicate: self.duplicate,
            missing_phone: self.missing,
            invalid_phone: self.invalid,
            damaged_by_spreadsheet: self.damaged,
        }
    }

    /// Rows a second since reading began. The last row was read before `updated_at`, or `finished_at` if it is over.
    fn throughput(&self) -> Option<i64> {
        let until = self.finished_at.unwrap_or(self.updated_at);
        let milliseconds = (until - self.started_at?).num_milliseconds();
        (milliseconds > 0).then(|| self.rows_done.saturating_mul(1_000) / milliseconds)
    }
}

/// Rows of an import by what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct ImportCounts {
    /// Made or updated a recipient.
    pub valid: i64,
    /// An earlier row of the file has the same number.
    pub duplicate: i64,
    /// No number.
    pub missing_phone: i64,
    /// No number that exists.
    pub invalid_phone: i64,
    /// A number that a spreadsheet rounded (`4.91517E+11`).
    pub damaged_by_spreadsheet: i64,
}

impl ImportCounts {
    /// Rows that made no recipient.
    pub const fn errors(&self) -> i64 {
        self.duplicate + self.missing_phone + self.invalid_phone + self.damaged_by_spreadsheet
    }

    /// With these added.
    const fn and(self, more: Self) -> Self {
        Self {
            valid: self.valid + more.valid,
            duplicate: self.duplicate + more.duplicate,
            missing_phone: self.missing_phone + more.missing_phone,
            invalid_phone: self.invalid_phone + more.invalid_phone,
            damaged_by_spreadsheet: self.damaged_by_spreadsheet + more.damaged_by_spreadsheet,
        }
    }
}

/// Why an import failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ImportProblem {
    /// A stable code: `EMPTY_FILE`, `NOT_TEXT`, `NO_PHONE_COLUMN`, `COLUMN_NOT_FOUND`, `RECORD_TOO_LONG`,
    /// `TOO_MANY_COLUMNS`, `TOO_MANY_ROWS`, `UNCLOSED_QUOTE`, `TOO_LARGE`, `UNREADABLE_WORKBOOK`, `IMPORT_ABANDONED`.
    pub code: String,
    /// The row at which reading ended; the header is row 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row: Option<i64>,
    /// What is wrong, for a person.
    pub detail: String,
}

/// There is no such import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no such import")]
pub(crate) struct NoImport;

impl Failure for NoImport {
    fn kind(&self) -> Kind {
        Kind::NotFound
    }

    fn code(&self) -> &'static str {
        "IMPORT_NOT_FOUND"
    }
}

/// An import and how far it is.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Import {
    /// The id.
    pub id: ImportId,
    /// How far it is.
    pub state: ImportState,
    /// Whether only to find out what would become of each row: no recipient is written.
    pub dry_run: bool,
    /// Data rows that have been read.
    pub rows_done: i64,
    /// Rows a second since reading began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throughput: Option<i64>,
    /// Bytes that have been read.
    pub bytes_done: i64,
    /// Bytes of the file (as CSV in UTF-8, once it has been looked at).
    pub bytes_total: i64,
    /// Rows by what became of them.
    pub counts: ImportCounts,
    /// Of a dry run: how many recipients would be new.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub would_create: Option<i64>,
    /// Of a dry run: how many recipients that are known would be written again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub would_update: Option<i64>,
    /// What kind of file it is, once it has been looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<ImportFormat>,
    /// The column that each field is read from, once the header has been read.
    #[schema(value_type = BTreeMap<String, String>)]
    pub mapping: BTreeMap<Field, String>,
    /// The encoding of a text, by its name on the web.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    /// What separates the columns of a text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<String>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ImportProblem>,
    /// When the file came.
    pub created_at: DateTime<Utc>,
    /// When nothing more was to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<DateTime<Utc>>,
}

impl From<StoredImport> for Import {
    fn from(stored: StoredImport) -> Self {
        let (throughput, counts) = (stored.throughput(), stored.counts());
        let layout = stored.layout.map(|Json(layout)| layout);
        let text = layout
            .as_ref()
            .filter(|layout| layout.format == ImportFormat::Csv);
        let (row, detail) = (stored.error_row, stored.error_text.unwrap_or_default());
        Self {
            id: stored.id,
            state: stored.state,
            dry_run: stored.dry_run,
            rows_done: stored.rows_done,
            throughput,
            bytes_done: stored.bytes_done,
            bytes_total: stored.bytes_total,
            counts,
            would_create: stored.dry_run.then_some(stored.created),
            would_update: stored.dry_run.then_some(stored.updated),
            format: layout.as_ref().map(|layout| layout.format),
            mapping: layout
                .as_ref()
                .map(|layout| layout.columns.names())
                .unwrap_or_default(),
            encoding: text.map(|layout| layout.encoding.clone()),
            delimiter: text.map(|layout| char::from(layout.delimiter).to_string()),
            error: stored.error_code.map(|code| ImportProblem { code, row, detail }),
            created_at: stored.created_at,
            finished_at: stored.finished_at,
        }
    }
}
