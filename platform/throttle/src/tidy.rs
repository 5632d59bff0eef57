//! Rows that say nothing any more are removed every hour.

use std::time::Duration;

use plaza_database::{Database, DatabaseError, statements};
use plaza_schedule::{Due, Misfire, Schedule, ScheduleError, Schedules};

/// How many rows one statement removes. The table has no index on their age, which every permit would have to keep.
const BATCH: u16 = 10_000;

const TIDY: Schedule = Schedule {
    name: "throttle.tidy",
    cron: "41 * * * *",
    zone: chrono_tz::UTC,
    misfire: Misfire::Once,
    deadline: Duration::from_secs(1800),
};

statements! {
    /// Waits for nobody: who takes permits holds rows in the order of their keys, and this one meets them in none. What is held
    /// is in use.
    static OLD: (i64,) => () =
        "DELETE FROM throttle
          WHERE key IN (SELECT key FROM throttle WHERE forgotten_at < now() LIMIT $1 FOR UPDATE SKIP LOCKED)";
}

/// These schedules, and the one that removes what is forgotten.
#[must_use]
pub fn with_tidying(schedules: Schedules, database: &Database) -> Schedules {
    let database = database.clone();
    schedules.with(TIDY, move |due: Due| {
        let database = database.clone();
        Box::pin(async move { run(&database, &due).await })
    })
}

async fn run(database: &Database, due: &Due) -> Result<(), ScheduleError> {
    while tidy(database).await? == u64::from(BATCH) {
        if due.stop.is_cancelled() {
            return Err(ScheduleError::Stopped);
        }
    }
    Ok(())
}

/// Removes a batch of the rows that say nothing any more; says how many. One that is held at the moment is left for the next time.
///
/// # Errors
/// When the database fails.
pub async fn tidy(database: &Database) -> Result<u64, DatabaseError> {
    let tx = database.begin_platform();
    tx.execute_and_commit(&OLD, (i64::from(BATCH),)).await
}
