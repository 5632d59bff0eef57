//! Uploads that nobody will read: a crash between the disk and the database leaves a file without an import, and one
//! between the last row and the removal leaves a file whose import is over.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use plaza_kernel::TenantId;
use tokio_util::sync::CancellationToken;

use super::files::{ImportFiles, folder};
use super::store;
use crate::{Broadcast, ImportId};

/// How often.
const PAUSE: Duration = Duration::from_secs(60 * 60);

/// An upload that is still being sent may be this old.
const YOUNG: Duration = Duration::from_secs(24 * 60 * 60);

impl Broadcast {
    /// Sweeps uploads every hour until told to stop.
    pub(crate) async fn sweep_uploads(&self, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            self.sweep_uploads_once().await;
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }

    /// Removes uploads whose import is over, and those older than a day that have none.
    async fn sweep_uploads_once(&self) {
        let objects = self.config.objects.clone();
        let Ok(found) = tokio::task::spawn_blocking(move || uploads(&folder(&objects))).await else {
            return;
        };
        for ((tenant, id), young) in found {
            let needed = match store::get(&self.database, tenant, id).await {
                Ok(Some(import)) => import.needs_upload(self.now()),
                Ok(None) => young,
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "old uploads were not swept"
                    );
                    return;
                }
            };
            if !needed {
                ImportFiles::new(&self.config.objects, tenant, id).remove();
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
