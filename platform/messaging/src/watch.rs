//! The watch: the poll fallback of relay and runner in one cheap statement, and the measuring and cleaning that
//! happens now and then.
//!
//! Signals wake relay and runner at once; the watch finds what nobody signals: retries that fall due, rows written by
//! other processes, claims of crashed runners.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use plaza_database::{Database, DatabaseError, statements};
use plaza_kernel::Clock;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{MessagingSettings, outbox, runner};

/// How often the lag is measured.
const MEASURE: Duration = Duration::from_secs(15);
/// How often old rows are deleted.
const CLEAN: Duration = Duration::from_secs(3600);
/// How long after its start a process cleans first.
const FIRST_CLEAN: Duration = Duration::from_secs(60);
/// How many rows are deleted at once.
const CLEAN_BATCH: i64 = 5_000;

statements! {
    /// Whether the relay and the runner have something to do.
    system static DUE: () => (bool, bool) =
        "SELECT EXISTS (SELECT FROM outbox WHERE parked_at IS NULL AND (next_at IS NULL OR next_at <= now())),
                EXISTS (SELECT FROM deliveries WHERE next_at IS NULL OR next_at <= now())";

    /// How many events wait, counted up to 10000, and since when.
    system static LAG: () => (i64, Option<DateTime<Utc>>) =
        "SELECT count(*), min(created_at)
           FROM (SELECT created_at FROM outbox WHERE parked_at IS NULL ORDER BY id LIMIT 10000) waiting";

    /// Forgets consumed events.
    system static FORGET: (DateTime<Utc>, i64) => () =
        "DELETE FROM inbox
          WHERE ctid = ANY (ARRAY(SELECT ctid FROM inbox WHERE done_at < $1 ORDER BY done_at LIMIT $2))";

    /// Forgets dead letters that were replayed.
    system static FORGET_REPLAYED: (DateTime<Utc>,) => () =
        "DELETE FROM dead_letters WHERE state = 'replayed' AND died_at < $1";

    /// Forgets what left a broker's retry queue unseen and was followed by nothing of its key.
    system static FORGET_WAITING: (DateTime<Utc>,) => () =
        "DELETE FROM waiting WHERE due_at < $1";

    /// Forgets the tries of what left its queue unseen.
    system static FORGET_TRIES: (DateTime<Utc>,) => () =
        "DELETE FROM tries WHERE noted_at < $1";
}

/// Watches over one service.
pub(crate) struct Watch {
    database: Database,
    settings: Arc<MessagingSettings>,
    clock: Clock,
}

impl Watch {
    pub(crate) fn new(database: Database, settings: Arc<MessagingSettings>, clock: Clock) -> Self {
        Self {
            database,
            settings,
            clock,
        }
    }

    /// Watches until told to stop.
    pub(crate) async fn run(&self, stop: &CancellationToken) {
        let mut measure_at = Instant::now();
        let mut clean_at = Instant::now() + FIRST_CLEAN;
        while !stop.is_cancelled() {
            self.said("looking for due work failed", self.look().await);
            if Instant::now() >= measure_at {
                measure_at = Instant::now() + MEASURE;
                self.said("measuring the outbox failed", self.measure().await);
            }
            if Instant::now() >= clean_at {
                clean_at = Instant::now() + CLEAN;
                self.said("cleaning the inbox failed", self.clean().await);
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(self.settings.poll) => {}
            }
        }
    }

    fn said(&self, message: &'static str, result: Result<(), DatabaseError>) {
        if let Err(error) = result {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(service = %self.database.service(), error, "{message}");
        }
    }

    async fn look(&self) -> Result<(), DatabaseError> {
        let tx = self.database.begin_system();
        let (outbox_due, deliveries_due) = tx.one(&DUE, ()).await?;
        tx.commit().await?;
        if outbox_due {
            self.database.signal(outbox::SIGNAL).notify_waiters();
        }
        if deliveries_due {
            self.database.signal(runner::SIGNAL).notify_waiters();
        }
        Ok(())
    }

    async fn measure(&self) -> Result<(), DatabaseError> {
        let tx = self.database.begin_system();
        let (rows, oldest) = tx.one(&LAG, ()).await?;
        tx.commit().await?;
        let lag = oldest
            .map_or(TimeDelta::zero(), |oldest| self.clock.now() - oldest)
            .max(TimeDelta::zero());
        let service = self.database.service().as_str();
        #[expect(clippy::cast_precision_loss, reason = "a gauge of at most 10000 rows")]
        metrics::gauge!("plaza_outbox_lag_rows", "service" => service).set(rows as f64);
        metrics::gauge!("plaza_outbox_lag_seconds", "service" => service).set(lag.as_seconds_f64());
        Ok(())
    }

    /// Deletes what is older than the memory of the inbox.
    pub(crate) async fn clean(&self) -> Result<(), DatabaseError> {
        // A memory longer than time itself keeps everything.
        let Ok(memory) = TimeDelta::from_std(self.settings.memory) else {
            return Ok(());
        };
        let before = self.clock.now() - memory;
        loop {
            let tx = self.database.begin_system();
            let deleted = tx.execute(&FORGET, (before, CLEAN_BATCH)).await?;
            tx.execute(&FORGET_REPLAYED, (before,)).await?;
            tx.execute(&FORGET_WAITING, (before,)).await?;
            tx.execute(&FORGET_TRIES, (before,)).await?;
            tx.commit().await?;
            if deleted < CLEAN_BATCH.unsigned_abs() {
                return Ok(());
            }
        }
    }
}
