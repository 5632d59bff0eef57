//! The schedules of one service, and their work.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::{Calendar, Due, Misfire, NotASchedule, Schedule, ScheduleError};

/// The work of a schedule.
type Work = Arc<dyn Fn(Due) -> BoxFuture<'static, Result<(), ScheduleError>> + Send + Sync>;

/// The schedules of one service.
#[derive(Clone, Default)]
pub struct Schedules {
    all: HashMap<&'static str, Declared>,
}

/// One schedule as it was declared.
#[derive(Clone)]
pub(crate) struct Declared {
    pub(crate) name: &'static str,
    pub(crate) calendar: Arc<Calendar>,
    pub(crate) misfire: Misfire,
    pub(crate) deadline: Duration,
    pub(crate) work: Work,
}

impl Schedules {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// One more, with its work. The work has to bear being done again for the same [`Due::at`].
    ///
    /// # Panics
    /// When the schedule is none ([`NotASchedule`]): at the start of the process, and in every test of the service.
    #[must_use]
    pub fn with(
        self,
        schedule: Schedule,
        work: impl Fn(Due) -> BoxFuture<'static, Result<(), ScheduleError>> + Send + Sync + 'static,
    ) -> Self {
        match self.try_with(schedule, work) {
            Ok(schedules) => schedules,
            Err(error) => panic!("{error}"),
        }
    }

    /// The same, for schedules that are not written in the program.
    pub fn try_with(
        mut self,
        schedule: Schedule,
        work: impl Fn(Due) -> BoxFuture<'static, Result<(), ScheduleError>> + Send + Sync + 'static,
    ) -> Result<Self, NotASchedule> {
        let Schedule {
            name,
            cron,
            zone,
            misfire,
            deadline,
        } = schedule;
        if !is_name(name) {
            return Err(NotASchedule::Name(name.to_owned()));
        }
        if self.all.contains_key(name) {
            return Err(NotASchedule::Repeated(name.to_owned()));
        }
        if deadline.is_zero() {
            return Err(NotASchedule::Deadline(name.to_owned()));
        }
        let declared = Declared {
            name,
            calendar: Arc::new(Calendar::new(cron, zone)?),
            misfire,
            deadline,
            work: Arc::new(work),
        };
        self.all.insert(name, declared);
        Ok(self)
    }

    /// Each schedule's name and calendar, by name.
    pub fn names(&self) -> Vec<(&'static str, &Calendar)> {
        let mut all: Vec<_> = self.all.values().map(|one| (one.name, &*one.calendar)).collect();
        all.sort_by_key(|(name, _)| *name);
        all
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Declared> {
        self.all.get(name)
    }
}

impl fmt::Debug for Schedules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.names()).finish()
    }
}

fn is_name(name: &str) -> bool {
    (1..=200).contains(&name.len())
        && name
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.'))
}
