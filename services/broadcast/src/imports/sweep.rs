//! Uploads that nobody will read: a crash between the disk and the database leaves a file without an import, and one
//! between the last row and the removal leaves a file whose import is done.

use std::path::{Path, PathBuf};
use std::time::Duration;

use plaza_kernel::TenantId;

use super::files::{ImportFiles, folder};
use super::store;
use crate::{Broadcast, ImportId};

/// An upload that is still being sent may be this old.
const YOUNG: Duration = Duration::from_secs(24 * 60 * 60);

impl Broadcast {
    /// Removes uploads older than a day that no import waits for.
    pub(crate) async fn sweep_uploads(&self) {
        let objects = self.config.objects.clone();
        let Ok(found) = tokio::task::spawn_blocking(move || old_uploads(&folder(&objects))).await else {
            return;
        };
        for (tenant, id) in found {
            match store::get(&self.database, tenant, id).await {
                Ok(Some(import)) if !import.state.is_final() => {}
                Ok(_) => ImportFiles::new(&self.config.objects, tenant, id).remove(),
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "old uploads were not swept"
                    );
                    return;
                }
            }
        }
    }
}

fn old_uploads(folder: &Path) -> Vec<(TenantId, ImportId)> {
    let old = |path: &PathBuf| {
        let modified = path.metadata().and_then(|metadata| metadata.modified());
        modified
            .ok()
            .and_then(|at| at.elapsed().ok())
            .is_some_and(|age| age > YOUNG)
    };
    let mut found = Vec::new();
    for tenant_folder in entries(folder) {
        let Some(tenant) = named(&tenant_folder) else {
            continue;
        };
        let ids = entries(&tenant_folder)
            .into_iter()
            .filter(old)
            .filter_map(|path| Some((tenant, named(&path)?)));
        found.extend(ids);
    }
    found
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
