//! What time leaves behind: mails that are over, removed every night, once across the fleet.

use std::time::Duration;

use chrono::TimeDelta;
use plaza_schedule::{Due, Misfire, Schedule, ScheduleError};
use tokio_util::sync::CancellationToken;

use super::store;
use crate::Notification;

/// How long a mail is kept after its end, to tell what became of it.
const KEPT: TimeDelta = TimeDelta::days(30);
/// How many rows one statement removes: short locks, and a stop is never far.
const BATCH: u64 = 1_000;

/// At night in Europe, when few mails are sent. Nothing depends on when it is done.
pub(crate) const TIDY: Schedule = Schedule {
    name: "notification.tidy_mails",
    cron: "41 2 * * *",
    zone: chrono_tz::UTC,
    misfire: Misfire::Once,
    deadline: Duration::from_secs(3_600),
};

impl Notification {
    /// Removes mails that are over. Told to stop it leaves the rest to whoever takes the firing up.
    pub(crate) async fn tidy_mails(self, due: Due) -> Result<(), ScheduleError> {
        let before = self.inner.clock.now() - KEPT;
        loop {
            goes_on(&due.stop)?;
            let tx = self.inner.database.begin_system();
            let removed = tx
                .execute_and_commit(&store::TIDY, (before, BATCH as i64))
                .await?;
            if removed < BATCH {
                return Ok(());
            }
        }
    }
}

fn goes_on(stop: &CancellationToken) -> Result<(), ScheduleError> {
    if stop.is_cancelled() {
        Err(ScheduleError::Stopped)
    } else {
        Ok(())
    }
}
