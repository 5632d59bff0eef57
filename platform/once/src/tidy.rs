//! Keys of yesterday are removed every hour.

use std::time::Duration;

use plaza_database::{Database, DatabaseError, statements};
use plaza_schedule::{Due, Misfire, Schedule, ScheduleError, Schedules};

/// How many rows one statement removes: short locks, and a stop is never far.
const BATCH: u16 = 1_000;

const TIDY: Schedule = Schedule {
    name: "once.tidy",
    cron: "23 * * * *",
    zone: chrono_tz::UTC,
    misfire: Misfire::Once,
    deadline: Duration::from_secs(1800),
};

statements! {
    // The age is asked of the row that is removed too: who waited for a request that has just taken an old key anew
    // would remove what that request left.
    system static OLD: (i64,) => () =
        "DELETE FROM once
          WHERE (tenant_id, actor, route, key_hash) IN
                (SELECT tenant_id, actor, route, key_hash FROM once
                  WHERE created_at < now() - interval '24 hours' LIMIT $1)
            AND created_at < now() - interval '24 hours'";

    static OLD_PLATFORM: (i64,) => () =
        "DELETE FROM once_platform
          WHERE (actor, route, key_hash) IN
                (SELECT actor, route, key_hash FROM once_platform
                  WHERE created_at < now() - interval '24 hours' LIMIT $1)
            AND created_at < now() - interval '24 hours'";
}

/// These schedules, and the one that removes keys after a day.
#[must_use]
pub fn with_tidying(schedules: Schedules, database: &Database) -> Schedules {
    let database = database.clone();
    schedules.with(TIDY, move |due: Due| {
        let database = database.clone();
        Box::pin(async move { run(&database, &due).await })
    })
}

async fn run(database: &Database, due: &Due) -> Result<(), ScheduleError> {
    // A full batch of either kind says that there may be more.
    while tidy(database).await? >= u64::from(BATCH) {
        if due.stop.is_cancelled() {
            return Err(ScheduleError::Stopped);
        }
    }
    Ok(())
}

/// Removes a batch of the keys that are older than a day, of tenants and of the platform; says how many.
///
/// # Errors
/// When the database fails.
pub async fn tidy(database: &Database) -> Result<u64, DatabaseError> {
    let most = (i64::from(BATCH),);
    let tenants = database.begin_system().execute_and_commit(&OLD, most).await?;
    let platform = database
        .begin_platform()
        .execute_and_commit(&OLD_PLATFORM, most)
        .await?;
    Ok(tenants + platform)
}
