//! The settings of this service.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

/// How recipients are imported and campaigns are planned.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BroadcastConfig {
    /// The folder that uploaded files are kept in until their import is done.
    pub objects: PathBuf,
    /// The longest file that is accepted, in bytes.
    pub import_most_bytes: u64,
    /// How many data rows a file may have.
    pub import_most_rows: u64,
    /// How many rows are written in one transaction.
    pub import_batch_rows: u32,
    /// How long an upload may take.
    pub upload_seconds: u64,
    /// How many imports are worked on at once, each of another tenant.
    pub import_workers: u32,
    /// How many recipients of a campaign are planned in one transaction: 1 to 500.
    pub planner_batch: u32,
    /// After how many batches the work on one import or campaign lets others have their turn.
    pub turn_batches: u32,
    /// How long a worker owns an import or a campaign when nothing more is heard of it.
    pub lease_seconds: u32,
    /// How long a worker waits when nobody wakes it.
    pub poll_milliseconds: u64,
    /// How often a running campaign is compared with notification's counts.
    pub reconcile_milliseconds: u64,
    /// How long a page may wait for notification's counts before it answers without them.
    pub counts_milliseconds: u64,
    /// How long somebody is told how far a campaign is before they have to ask again.
    pub progress_seconds: u64,
    /// After how many failed attempts in a row, all of them our own fault, a piece of work is given up.
    pub attempts: u32,
}

impl Default for BroadcastConfig {
    fn default() -> Self {
        Self {
            objects: PathBuf::from(".plaza/objects"),
            import_most_bytes: 512 << 20,
            import_most_rows: 5_000_000,
            import_batch_rows: 10_000,
            upload_seconds: 900,
            import_workers: 2,
            planner_batch: 500,
            turn_batches: 20,
            lease_seconds: 10,
            poll_milliseconds: 500,
            reconcile_milliseconds: 3_000,
            counts_milliseconds: 2_000,
            progress_seconds: 300,
            attempts: 10,
        }
    }
}

impl BroadcastConfig {
    /// How long a lease lasts.
    pub fn lease(&self) -> Duration {
        Duration::from_secs(u64::from(self.lease_seconds.max(1)))
    }

    /// How long a worker waits when nobody wakes it.
    pub fn poll(&self) -> Duration {
        Duration::from_millis(self.poll_milliseconds.max(1))
    }

    /// How often running campaigns are looked at.
    pub fn reconcile(&self) -> Duration {
        Duration::from_millis(self.reconcile_milliseconds.max(1))
    }

    /// How many recipients are planned at once: an event carries at most 500 messages.
    pub fn planner_rows(&self) -> i64 {
        i64::from(self.planner_batch.clamp(1, 500))
    }
}
