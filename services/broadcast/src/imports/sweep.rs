//! Uploads that nobody will read: a crash between the disk and the database leaves a file without an import, and one
//! between the last row and the removal leaves a file whose import is over. So with the numbers that a dry run has seen.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::FutureExt as _;
use plaza_database::DatabaseError;
use plaza_kernel::TenantId;
use plaza_schedule::{Due, Misfire, Schedule, ScheduleError, Schedules};

use super::files::{ImportFiles, folder};
use super::store;
use crate::{Broadcast, ImportId};

/// Looking for uploads that nobody needs: a file with personal data outlives its import by no more than an hour. They lie
/// in the one folder of all processes.
const UPLOADS: Schedule = Schedule {
    name: "broadcast.uploads",
    cron: "41 * * * *",
    zone: chrono_tz::UTC,
    misfire: Misfire::Once,
    deadline: Duration::from_secs(30 * 60),
};

/// An upload that is still being sent may be this old.
const YOUNG: Duration = Duration::from_secs(24 * 60 * 60);

/// What broadcast does by the calendar.
pub(crate) fn schedules(broadcast: &Broadcast) -> Schedules {
    let broadcast = broadcast.clone();
    Schedules::new().with(UPLOADS, move |due: Due| {
        let broadcast = broadcast.clone();
        async move { broadcast.sweep_uploads(&due).await }.boxed()
    })
}

impl Broadcast {
    /// Removes uploads whose import is over, and those older than a day that have none; then what dry runs have left.
    async fn sweep_uploads(&self, due: &Due) -> Result<(), ScheduleError> {
        let objects = self.config.objects.clone();
        let found = tokio::task::spawn_blocking(move || uploads(&folder(&objects)));
        for ((tenant, id), young) in found.await.map_err(ScheduleError::failed)? {
            if due.stop.is_cancelled() {
                return Err(ScheduleError::Stopped);
            }
            let needed = match store::get(&self.database, tenant, id).await? {
                Some(import) => import.needs_upload(self.now()),
                None => young,
            };
            if !needed {
                ImportFiles::new(&self.config.objects, tenant, id).remove();
            }
        }
        let tx = self.database.begin_system();
        let remembered = store::remembered(&tx).await?;
        tx.commit().await?;
        for (tenant, id) in remembered {
            self.forget_numbers(tenant, id).await?;
        }
        Ok(())
    }

    /// Removes the numbers that a dry run has seen, some at a time.
    pub(super) async fn forget_numbers(&self, tenant: TenantId, id: ImportId) -> Result<(), DatabaseError> {
        loop {
            let tx = self.database.begin(tenant);
            let more = store::forget(&tx, id).await?;
            tx.commit().await?;
            if !more {
                return Ok(());
            }
        }
    }
}

/// All uploads, and whether something of them is young.
fn uploads(folder: &Path) -> HashMap<(TenantId, ImportId), bool> {
    let mut found = HashMap::new();
    for tenant_folder in entries(folder) {
        let Some(tenant) = named(&tenant_folder) else {
            continue;
        };
        for path in entries(&tenant_folder) {
            if let Some(id) = named(&path) {
                *found.entry((tenant, id)).or_default() |= is_young(&path);
            }
        }
    }
    found
}

/// What has no time that can be read is as good as young.
fn is_young(path: &Path) -> bool {
    let modified = path.metadata().and_then(|metadata| metadata.modified());
    modified
        .ok()
        .and_then(|at| at.elapsed().ok())
        .is_none_or(|age| age <= YOUNG)
}

fn named<T: std::str::FromStr>(path: &Path) -> Option<T> {
    path.file_stem()?.to_str()?.parse().ok()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    entries.flatten().map(|entry| entry.path()).collect()
}
