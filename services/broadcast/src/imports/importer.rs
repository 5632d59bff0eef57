//! The importer: leases an import, reads batches of its file, and has each written (`write.rs`) together with the place
//! it reaches.

use plaza_database::violated;
use postgres_types::Json;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;
use uuid::Uuid;

use super::batch::{self, Batch, Bounds, Place};
use super::files::ImportFiles;
use super::profile::{self, Layout, ProfileFault};
use super::{ABANDONED, ImportProblem, StoredImport, store};
use crate::work::{Fault, Lease};
use crate::{Broadcast, ImportId};

impl Broadcast {
    /// One turn at one import; whether there may be more to do.
    pub(crate) async fn import_turn(&self, stop: &CancellationToken) -> Result<bool, Fault> {
        let Some(lease) = self.claim_import().await? else {
            return Ok(false);
        };
        let span = tracing::info_span!(parent: None, "import turn", import.id = %lease.id);
        let work = self.work_on_import(lease, stop).instrument(lease.follow(span));
        match work.await {
            Ok(()) | Err(Fault::Lost) => Ok(true),
            Err(fault) if fault.is_stubborn() => self.import_failed(lease, fault).await,
            // The lease runs out by itself, which is the pause before the next attempt.
            Err(fault) => Err(fault),
        }
    }

    async fn claim_import(&self) -> Result<Option<Lease<ImportId>>, Fault> {
        let (token, lease) = (self.clock.uuid(), self.config.lease());
        let round = &self.rotations.imports;
        let after = round.after();
        let tx = self.database.begin_system();
        let claimed = match store::claim(&tx, token, lease, after).await {
            // The end of the round: from the beginning.
            Ok(None) if !after.is_nil() => store::claim(&tx, token, lease, Uuid::nil()).await,
            claimed => claimed,
        };
        let claimed = match claimed {
            // Another importer was quicker with another import of the same tenant.
            Err(error) if violated(&error) == Some("imports_one_running") => return Ok(None),
            claimed => claimed?,
        };
        tx.commit().await?;
        let leased = claimed.map(|claimed| Lease::of(claimed, token));
        round.had(leased.map(|lease| lease.tenant));
        Ok(leased)
    }

    /// Counts a failure that is likely to repeat itself, and abandons the import after too many of them. Its upload
    /// stays for a day, for whoever looks into it.
    async fn import_failed(&self, lease: Lease<ImportId>, fault: Fault) -> Result<bool, Fault> {
        let tx = self.database.begin(lease.tenant);
        let failures = store::failed(&tx, lease.id, lease.token).await?;
        tx.commit().await?;
        if failures.is_none_or(|failures| failures < self.attempts()) {
            return Err(fault);
        }
        tracing::error!(error = &fault as &dyn std::error::Error, import.id = %lease.id, "import abandoned");
        let problem = ImportProblem {
            code: ABANDONED.to_owned(),
            row: None,
            detail: "it failed again and again on our side".to_owned(),
        };
        self.fail_import(lease, problem).await?;
        Ok(true)
    }

    async fn work_on_import(&self, lease: Lease<ImportId>, stop: &CancellationToken) -> Result<(), Fault> {
        let Some(mut import) = store::get(&self.database, lease.tenant, lease.id).await? else {
            return Err(Fault::Lost);
        };
        if import.layout.is_none() && !self.look_at_file(lease, &mut import).await? {
            return Ok(());
        }
        let Some(Json(layout)) = import.layout else {
            return Err(Fault::Lost);
        };
        let mut place = Place {
            offset: unsigned(import.bytes_done),
            rows: unsigned(import.rows_done),
        };
        for _ in 0..self.config.turn_batches.max(1) {
            if stop.is_cancelled() {
                break;
            }
            let batch = self.read_batch(lease, &layout, place).await?;
            place = batch.next;
            if self.write_batch(lease, batch).await? {
                return Ok(());
            }
        }
        let tx = self.database.begin(lease.tenant);
        store::release(&tx, lease.id, lease.token).await?;
        Ok(tx.commit().await?)
    }

    /// The first look; whether the import goes on.
    async fn look_at_file(&self, lease: Lease<ImportId>, import: &mut StoredImport) -> Result<bool, Fault> {
        let (files, asked) = (self.import_files(lease), import.requested.0.clone());
        let look = tokio::task::spawn_blocking(move || profile::profile(&files, &asked));
        let found = match self.holding(lease, look).await? {
            Ok(found) => found,
            Err(ProfileFault::Io(error)) => return Err(error.into()),
            Err(fault) => {
                let (code, row) = match &fault {
                    ProfileFault::Empty => ("EMPTY_FILE", None),
                    ProfileFault::NotText => ("NOT_TEXT", None),
                    ProfileFault::NoColumn(missing) => (missing.code(), Some(1)),
                    ProfileFault::Broken(broken) => (broken.code(), Some(1)),
                    ProfileFault::Io(_) => (ABANDONED, None),
                };
                let problem = ImportProblem {
                    code: code.to_owned(),
                    row,
                    detail: fault.to_string(),
                };
                self.fail_import(lease, problem).await?;
                self.import_files(lease).remove();
                return Ok(false);
            }
        };
        let tx = self.database.begin(lease.tenant);
        if !store::profiled(&tx, lease.id, lease.token, &found, self.config.lease()).await? {
            return Err(Fault::Lost);
        }
        tx.commit().await?;
        import.bytes_done = i64::try_from(found.start).unwrap_or(i64::MAX);
        import.layout = Some(Json(found.layout));
        Ok(true)
    }

    async fn read_batch(&self, lease: Lease<ImportId>, layout: &Layout, from: Place) -> Result<Batch, Fault> {
        let path = self.import_files(lease).readable(layout.rewritten);
        let bounds = Bounds {
            batch_rows: u64::from(self.config.import_batch_rows.clamp(1, 10_000)),
            most_rows: self.config.import_most_rows,
        };
        let layout = layout.clone();
        let read = tokio::task::spawn_blocking(move || batch::read(&path, &layout, from, bounds));
        Ok(self.holding(lease, read).await??)
    }

    /// Waits for a thread and keeps the lease meanwhile: a large file takes longer than a lease lasts.
    async fn holding<T>(
        &self,
        lease: Lease<ImportId>,
        thread: tokio::task::JoinHandle<T>,
    ) -> Result<T, Fault> {
        let mut thread = thread;
        loop {
            match tokio::time::timeout(self.config.lease() / 3, &mut thread).await {
                Ok(finished) => return Ok(finished?),
                Err(_) => {
                    let tx = self.database.begin(lease.tenant);
                    if !store::renew(&tx, lease.id, lease.token, self.config.lease()).await? {
                        return Err(Fault::Lost);
                    }
                    tx.commit().await?;
                }
            }
        }
    }

    pub(super) fn import_files(&self, lease: Lease<ImportId>) -> ImportFiles {
        ImportFiles::new(&self.config.objects, lease.tenant, lease.id)
    }

    /// After how many attempts work is given up.
    pub(crate) fn attempts(&self) -> i32 {
        i32::try_from(self.config.attempts).unwrap_or(i32::MAX)
    }
}

/// Counts of the database are never negative.
pub(super) fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or_default()
}
