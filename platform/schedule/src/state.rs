//! What the table says about the schedules of a service.

use chrono::{DateTime, Utc};
use plaza_database::{Database, DatabaseError, row, statements};

row! {
    /// One schedule as it stands.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct ScheduleState {
        /// Its name.
        pub name: String,
        /// The cron pattern that `next_at` was found with.
        pub cron: String,
        /// The time zone, by its name in the IANA database.
        pub zone: String,
        /// The next firing that nobody has begun.
        pub next_at: DateTime<Utc>,
        /// The firing that was begun and has not come to its end.
        pub firing_at: Option<DateTime<Utc>>,
        /// How often that one was taken up.
        pub attempts: i32,
        /// Rises with every taking.
        pub fence: i64,
        /// Whether a process holds it now.
        pub running: bool,
        /// Runs that ended well.
        pub runs: i64,
        /// Runs that failed.
        pub failures: i64,
        /// Firings for which nothing was done.
        pub missed: i64,
        /// The firing of the last run that came to an end.
        pub last_firing_at: Option<DateTime<Utc>>,
        /// When the last run began.
        pub last_began_at: Option<DateTime<Utc>>,
        /// When the last run that came to an end did so.
        pub last_ended_at: Option<DateTime<Utc>>,
        /// `done` or `failed`.
        pub last_outcome: Option<String>,
        /// Of the latest failure, also after a later success.
        pub last_error: Option<String>,
    }
}

statements! {
    /// All of them.
    system static STATE: () => ScheduleState =
        "SELECT name, cron, zone, next_at, firing_at, attempts, fence,
                holder IS NOT NULL AND until > now() AS running,
                runs, failures, missed, last_firing_at, last_began_at, last_ended_at, last_outcome, last_error
           FROM schedules
          ORDER BY name";
}

/// The schedules of a service, also those that no process here has.
pub async fn state(database: &Database) -> Result<Vec<ScheduleState>, DatabaseError> {
    let tx = database.begin_system();
    let all = tx.all(&STATE, ()).await?;
    tx.commit().await?;
    Ok(all)
}
