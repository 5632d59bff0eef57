//! The importer: leases an import, reads batches of its file, and has each written (`write.rs`) together with the place
//! it reaches, while the next one is read.

use std::io::ErrorKind;

use plaza_database::violated;
use postgres_types::Json;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;
use uuid::Uuid;

use super::batch::{self, After, Batch, Bounds, Place};
use super::files::ImportFiles;
use super::profile::{self, Layout, ProfileFault};
use super::{ABANDONED, ImportProblem, StoredImport, store};
use crate::work::{Fault, Lease};
use crate::{Broadcast, ImportId};

/// A thread that reads a batch.
type Reading = tokio::task::JoinHandle<std::io::Result<Batch>>;

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
            Err(fault) => {
                self.attempt_does_not_count(lease).await;
                Err(fault)
            }
        }
    }

    /// What passes is waited for as long as it takes. If this cannot be written either, one attempt was counted too many.
    async fn attempt_does_not_count(&self, lease: Lease<ImportId>) {
        let tx = self.database.begin(lease.tenant);
        let uncounted = async {
            store::uncounted(&tx, lease.id, lease.token).await?;
            tx.commit().await
        };
        if let Err(error) = uncounted.await {
            tracing::warn!(error = &error as &dyn std::error::Error, import.id = %lease.id, "an attempt stays counted");
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

    /// After a failure that is likely to repeat itself: abandons the import after too many of them.
    async fn import_failed(&self, lease: Lease<ImportId>, fault: Fault) -> Result<bool, Fault> {
        let import = store::get(&self.database, lease.tenant, lease.id).await?;
        if import.is_none_or(|import| import.attempts < self.attempts()) {
            return Err(fault);
        }
        tracing::error!(error = &fault as &dyn std::error::Error, import.id = %lease.id, "import abandoned");
        self.abandon_import(lease).await?;
        Ok(true)
    }

    /// Its upload stays for a day, for whoever looks into it.
    async fn abandon_import(&self, lease: Lease<ImportId>) -> Result<(), Fault> {
        let problem = ImportProblem {
            code: ABANDONED.to_owned(),
            row: None,
            detail: "it failed again and again on our side".to_owned(),
        };
        self.fail_import(lease, problem).await
    }

    async fn work_on_import(&self, lease: Lease<ImportId>, stop: &CancellationToken) -> Result<(), Fault> {
        let Some(mut import) = store::get(&self.database, lease.tenant, lease.id).await? else {
            return Err(Fault::Lost);
        };
        // All of them began and none said how it ended: whatever is in this file ends the process.
        if import.attempts > self.attempts() {
            tracing::error!(import.id = %lease.id, "import abandoned: whoever works on it is never heard of again");
            return self.abandon_import(lease).await;
        }
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
        // The next batch is read while the last one is written: two are in memory at the most.
        let mut reading = self.reading(lease, &layout, place);
        for left in (0..self.config.turn_batches.max(1)).rev() {
            let batch = self.read(lease, reading).await?;
            place = batch.next;
            let more = left > 0 && batch.after == After::More;
            let next = more.then(|| self.reading(lease, &layout, place));
            if self.write_batch(lease, batch).await? {
                return Ok(());
            }
            match next {
                Some(next) if !stop.is_cancelled() => reading = next,
                _ => break,
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
                let (code, row) = fault.blame().unwrap_or((ABANDONED, None));
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
        if !store::profiled(
            &tx,
            lease.id,
            lease.token,
            &found,
            self.config.lease(),
            self.now(),
        )
        .await?
        {
            return Err(Fault::Lost);
        }
        tx.commit().await?;
        import.bytes_done = i64::try_from(found.start).unwrap_or(i64::MAX);
        import.layout = Some(Json(found.layout));
        Ok(true)
    }

    /// A thread that reads the next batch.
    fn reading(&self, lease: Lease<ImportId>, layout: &Layout, from: Place) -> Reading {
        let path = self.import_files(lease).readable(layout.rewritten);
        let bounds = Bounds {
            batch_rows: u64::from(self.config.import_batch_rows.clamp(1, 10_000)),
            most_rows: self.config.import_most_rows,
        };
        let layout = layout.clone();
        tokio::task::spawn_blocking(move || batch::read(&path, &layout, from, bounds))
    }

    async fn read(&self, lease: Lease<ImportId>, reading: Reading) -> Result<Batch, Fault> {
        match self.holding(lease, reading).await? {
            Ok(batch) => Ok(batch),
            // Whoever ends an import removes its file.
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.renew_import(lease).await?;
                Err(error.into())
            }
            Err(error) => Err(error.into()),
        }
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
                Err(_) => self.renew_import(lease).await?,
            }
        }
    }

    async fn renew_import(&self, lease: Lease<ImportId>) -> Result<(), Fault> {
        let tx = self.database.begin(lease.tenant);
        if !store::renew(&tx, lease.id, lease.token, self.config.lease()).await? {
            return Err(Fault::Lost);
        }
        Ok(tx.commit().await?)
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
