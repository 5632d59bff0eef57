//! Writing a batch: recipients, rows that made none, the place in the file and, at the end, the end, in one transaction.

use std::collections::BTreeMap;

use plaza_contracts::events::ImportCompleted;
use plaza_database::{DatabaseError, TenantTx};
use plaza_messaging::outbox;

use super::batch::{After, Batch, Place};
use super::classify::ErrorClass;
use super::importer::unsigned;
use super::store::{self, Advance};
use super::{ImportCounts, ImportProblem, ImportState, StoredImport};
use crate::recipients::store::{self as recipients, Arrival, Staging, Written};
use crate::work::{Fault, Lease};
use crate::{Broadcast, ImportId, RecipientId, audit};

impl Broadcast {
    /// Writes a batch and the place it reaches; whether the import has come to its end.
    pub(super) async fn write_batch(&self, lease: Lease<ImportId>, batch: Batch) -> Result<bool, Fault> {
        let staging = self.staging().await?;
        let tx = self.database.begin(lease.tenant);
        let Some(import) = store::lock(&tx, lease.id, lease.token).await? else {
            return Err(Fault::Lost);
        };
        let (next, after) = (batch.next, batch.after);
        let mut rows = self.parted(batch);
        let (now, arrivals) = (self.now(), std::mem::take(&mut rows.arrivals));
        let written = match import.dry_run {
            false => recipients::import(&tx, lease.id, now, arrivals, staging).await?,
            true => recipients::check(&tx, lease.id, arrivals, staging).await?,
        };
        let advance = rows.outcome(&written, next);
        store::add_errors(&tx, lease.id, rows.errors).await?;
        if !store::advance(&tx, lease.id, lease.token, &advance, self.config.lease()).await? {
            return Err(Fault::Lost);
        }
        let ended = self.end_import(&tx, lease, &import, &advance, after).await?;
        tx.commit().await?;
        plaza_telemetry::crash::point("broadcast.import.committed");
        let read = advance.counts.valid + advance.counts.errors();
        metrics::counter!("plaza_broadcast_import_rows_total").increment(unsigned(read));
        if ended {
            self.import_files(lease).remove();
            if import.dry_run {
                self.forget_numbers(lease.tenant, lease.id).await?;
            }
        }
        Ok(ended)
    }

    /// How rows get to the database: through a temporary table, where the login may make one.
    async fn staging(&self) -> Result<Staging, Fault> {
        let ask = || async {
            if self.database.may_stage().await? {
                return Ok(Staging::Table);
            }
            tracing::warn!("imports are slower: the login of broadcast may make no temporary tables");
            Ok(Staging::Parameters)
        };
        self.staging.get_or_try_init(ask).await.copied()
    }

    /// The rows that may become recipients, and those that cannot.
    fn parted(&self, batch: Batch) -> Rows {
        let mut rows = Rows::default();
        for read in batch.rows {
            let row = i64::try_from(read.row).unwrap_or(i64::MAX);
            match read.verdict {
                Ok(incoming) => {
                    let id = RecipientId::generate(&self.clock);
                    rows.values.push((row, read.value));
                    rows.arrivals.push(Arrival {
                        id,
                        row,
                        incoming: *incoming,
                    });
                }
                Err(class) => rows.errors.push((row, class, read.value)),
            }
        }
        rows
    }

    async fn end_import(
        &self,
        tx: &TenantTx,
        lease: Lease<ImportId>,
        import: &StoredImport,
        advance: &Advance,
        after: After,
    ) -> Result<bool, Fault> {
        let counts = import.counts().and(advance.counts);
        let (state, problem) = match after {
            After::More => return Ok(false),
            After::End if counts.errors() == 0 => (ImportState::Done, None),
            After::End => (ImportState::DoneWithErrors, None),
            After::Broken(broken) => {
                let row = i64::try_from(advance.rows_done)
                    .unwrap_or(i64::MAX)
                    .checked_add(2);
                let problem = ImportProblem {
                    code: broken.code().to_owned(),
                    row,
                    detail: broken.to_string(),
                };
                (ImportState::Failed, Some(problem))
            }
        };
        store::end(tx, lease.id, lease.token, state, self.now(), problem).await?;
        audit::import_ended(tx, &self.clock, import, state, counts).await?;
        self.tell_end(tx, import, counts).await?;
        Ok(true)
    }

    /// Ends an import that cannot go on. What becomes of its upload is the caller's to decide.
    pub(super) async fn fail_import(
        &self,
        lease: Lease<ImportId>,
        problem: ImportProblem,
    ) -> Result<(), Fault> {
        let tx = self.database.begin(lease.tenant);
        let Some(import) = store::lock(&tx, lease.id, lease.token).await? else {
            return Err(Fault::Lost);
        };
        let now = self.now();
        store::end(
            &tx,
            lease.id,
            lease.token,
            ImportState::Failed,
            now,
            Some(problem),
        )
        .await?;
        let (state, counts) = (ImportState::Failed, import.counts());
        audit::import_ended(&tx, &self.clock, &import, state, counts).await?;
        self.tell_end(&tx, &import, counts).await?;
        Ok(tx.commit().await?)
    }

    /// Says that an import is over. Of a dry run there is nothing to say: it changed nothing.
    pub(super) async fn tell_end(
        &self,
        tx: &TenantTx,
        import: &StoredImport,
        counts: ImportCounts,
    ) -> Result<(), DatabaseError> {
        if import.dry_run {
            return Ok(());
        }
        outbox::append(tx, &self.clock, &completed(import.id, counts))
            .await
            .map(drop)
    }
}

/// The rows of a batch on their way.
#[derive(Default)]
struct Rows {
    arrivals: Vec<Arrival>,
    /// What stands in the column of numbers of each arrival, in the order of the rows.
    values: Vec<(i64, String)>,
    errors: Vec<(i64, ErrorClass, String)>,
}

impl Rows {
    /// Takes down which of them were duplicates; how far the import is with them.
    fn outcome(&mut self, written: &Written, next: Place) -> Advance {
        for duplicate in &written.duplicates {
            if let Ok(at) = self.values.binary_search_by_key(duplicate, |(row, _)| *row) {
                let value = std::mem::take(&mut self.values[at].1);
                self.errors.push((*duplicate, ErrorClass::Duplicate, value));
            }
        }
        let valid = signed(self.values.len() - written.duplicates.len());
        let count = |wanted| {
            signed(
                self.errors
                    .iter()
                    .filter(|(_, class, _)| *class == wanted)
                    .count(),
            )
        };
        Advance {
            bytes_done: next.offset,
            rows_done: next.rows,
            counts: ImportCounts {
                valid,
                duplicate: count(ErrorClass::Duplicate),
                missing_phone: count(ErrorClass::MissingPhone),
                invalid_phone: count(ErrorClass::InvalidPhone),
                damaged_by_spreadsheet: count(ErrorClass::DamagedBySpreadsheet),
            },
            created: written.created,
            updated: valid - written.created,
        }
    }
}

fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn completed(id: ImportId, counts: ImportCounts) -> ImportCompleted {
    let classes = [
        ("valid", counts.valid),
        ("duplicate", counts.duplicate),
        ("missing_phone", counts.missing_phone),
        ("invalid_phone", counts.invalid_phone),
        ("damaged_by_spreadsheet", counts.damaged_by_spreadsheet),
    ];
    let counts = classes.map(|(class, count)| (class.to_owned(), unsigned(count)));
    ImportCompleted {
        import_id: id.as_uuid(),
        counts: BTreeMap::from(counts),
    }
}
