//! Writing a batch: recipients, rows that made none, the place in the file and, at the end, the end, in one transaction.

use std::collections::{BTreeMap, HashSet};

use plaza_contracts::events::ImportCompleted;
use plaza_database::TenantTx;
use plaza_messaging::outbox;

use super::batch::{After, Batch, Place};
use super::classify::{ErrorClass, Incoming};
use super::importer::unsigned;
use super::store::{self, Advance};
use super::{ImportCounts, ImportProblem, ImportState};
use crate::recipients::store as recipients;
use crate::work::{Fault, Lease};
use crate::{Broadcast, ImportId, RecipientId};

impl Broadcast {
    /// Writes a batch and the place it reaches; whether the import has come to its end.
    pub(super) async fn write_batch(&self, lease: Lease<ImportId>, batch: Batch) -> Result<bool, Fault> {
        let tx = self.database.begin(lease.tenant);
        let Some(import) = store::lock(&tx, lease.id, lease.token).await? else {
            return Err(Fault::Lost);
        };
        let (next, after) = (batch.next, batch.after);
        let (incoming, mut errors) = parted(batch);
        let numbers: Vec<(i64, String, String)> = incoming
            .iter()
            .map(|(row, value, r)| (*row, value.clone(), r.phone.as_str().to_owned()))
            .collect();
        let rows = incoming
            .into_iter()
            .map(|(row, _, r)| (RecipientId::generate(&self.clock), row, *r))
            .collect();
        let written: HashSet<String> = recipients::import(&tx, lease.id, self.now(), rows)
            .await?
            .into_iter()
            .collect();
        let known = numbers
            .into_iter()
            .filter(|(_, _, phone)| !written.contains(phone));
        errors.extend(known.map(|(row, value, _)| (row, ErrorClass::Duplicate, value)));
        let counts = counted(written.len(), &errors);
        store::add_errors(&tx, lease.id, errors).await?;

        let advance = Advance {
            bytes_done: next.offset,
            rows_done: next.rows,
            counts,
        };
        if !store::advance(&tx, lease.id, lease.token, &advance, self.config.lease()).await? {
            return Err(Fault::Lost);
        }
        let before = super::Import::from(import).counts;
        let ended = self
            .end_import(&tx, lease, added(before, counts), next, after)
            .await?;
        tx.commit().await?;
        metrics::counter!("plaza_broadcast_import_rows_total")
            .increment(u64::try_from(counts.valid + counts.errors()).unwrap_or_default());
        if ended {
            self.import_files(lease).remove();
        }
        Ok(ended)
    }

    async fn end_import(
        &self,
        tx: &TenantTx,
        lease: Lease<ImportId>,
        counts: ImportCounts,
        next: Place,
        after: After,
    ) -> Result<bool, Fault> {
        let (state, problem) = match after {
            After::More => return Ok(false),
            After::End if counts.errors() == 0 => (ImportState::Done, None),
            After::End => (ImportState::DoneWithErrors, None),
            After::Broken(broken) => {
                let row = i64::try_from(next.rows).unwrap_or(i64::MAX).checked_add(2);
                let problem = ImportProblem {
                    code: broken.code().to_owned(),
                    row,
                    detail: broken.to_string(),
                };
                (ImportState::Failed, Some(problem))
            }
        };
        store::end(tx, lease.id, lease.token, state, self.now(), problem).await?;
        outbox::append(tx, &self.clock, &completed(lease.id, counts)).await?;
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
        let counts = super::Import::from(import).counts;
        outbox::append(&tx, &self.clock, &completed(lease.id, counts)).await?;
        Ok(tx.commit().await?)
    }
}

type Rows = Vec<(i64, String, Box<Incoming>)>;

/// The rows that may become recipients, and those that cannot.
fn parted(batch: Batch) -> (Rows, Vec<(i64, ErrorClass, String)>) {
    let (mut incoming, mut errors) = (Vec::new(), Vec::new());
    for row in batch.rows {
        let number = i64::try_from(row.row).unwrap_or(i64::MAX);
        match row.verdict {
            Ok(recipient) => incoming.push((number, row.value, recipient)),
            Err(class) => errors.push((number, class, row.value)),
        }
    }
    (incoming, errors)
}

fn counted(valid: usize, errors: &[(i64, ErrorClass, String)]) -> ImportCounts {
    let count = |wanted| {
        errors
            .iter()
            .filter(|(_, class, _)| *class == wanted)
            .map(|_| 1)
            .sum()
    };
    ImportCounts {
        valid: i64::try_from(valid).unwrap_or(i64::MAX),
        duplicate: count(ErrorClass::Duplicate),
        missing_phone: count(ErrorClass::MissingPhone),
        invalid_phone: count(ErrorClass::InvalidPhone),
        damaged_by_spreadsheet: count(ErrorClass::DamagedBySpreadsheet),
    }
}

const fn added(a: ImportCounts, b: ImportCounts) -> ImportCounts {
    ImportCounts {
        valid: a.valid + b.valid,
        duplicate: a.duplicate + b.duplicate,
        missing_phone: a.missing_phone + b.missing_phone,
        invalid_phone: a.invalid_phone + b.invalid_phone,
        damaged_by_spreadsheet: a.damaged_by_spreadsheet + b.damaged_by_spreadsheet,
    }
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
