//! How a schedule can be wrong, and how a run can fail.

use std::error::Error;

use plaza_database::DatabaseError;
use plaza_kernel::{Failure, Kind};

/// Something that was declared as a schedule is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotASchedule {
    /// The name is empty, too long, or not made of lower-case letters, digits, `_` and `.`.
    #[error("`{0}` is no name of a schedule")]
    Name(String),
    /// The name is taken.
    #[error("two schedules are named `{0}`")]
    Repeated(String),
    /// The cron pattern cannot be read.
    #[error("`{pattern}` is no cron pattern: {reason}")]
    Pattern {
        /// As it was given.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The cron pattern can be read, but names no time that ever comes.
    #[error("`{0}` never fires")]
    Never(String),
    /// The deadline is zero.
    #[error("the schedule `{0}` leaves its work no time")]
    Deadline(String),
}

/// Why a run came to no good end.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    /// The work failed. It is tried again after a pause, until the next firing is due.
    #[error("the work failed")]
    Failed(#[source] Box<dyn Error + Send + Sync>),
    /// The work ended early because it was told to stop. Another process takes the firing up at once.
    #[error("the work was stopped before its end")]
    Stopped,
    /// Another process has the firing.
    #[error("another process has the firing")]
    Lost,
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] DatabaseError),
}

impl ScheduleError {
    /// The work failed for this reason.
    pub fn failed(reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Failed(reason.into())
    }
}

impl Failure for ScheduleError {
    fn kind(&self) -> Kind {
        match self {
            Self::Failed(_) => Kind::Internal,
            Self::Stopped => Kind::Unavailable,
            Self::Lost => Kind::Conflict,
            Self::Database(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Failed(_) => "INTERNAL",
            Self::Stopped => "SCHEDULE_STOPPED",
            Self::Lost => "SCHEDULE_LOST",
            Self::Database(error) => error.code(),
        }
    }
}
