//! When a schedule fires: a cron pattern read off a wall clock.
//!
//! Twice a year most wall clocks jump. A pattern that names hours means those hours, one that leaves the hour open means
//! the time that passes:
//!
//! * With named hours (`30 2 * * *`, `0 2,14 * * *`, `0 */6 * * *`) each time of the wall clock fires **once**. A time that
//!   does not exist, because the clock is put forward over it, fires at the first moment after the gap; several such times
//!   are one firing. A time that exists twice, because the clock is put back, fires the first time only.
//! * With every hour (`*/15 * * * *`, `* * * * *`) the pattern fires on every hour that passes: nothing is made up for the
//!   hour that is missing, and the hour that comes twice has its firings twice.

use std::fmt;

use chrono::{DateTime, MappedLocalTime, NaiveDateTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use croner::Cron;
use croner::errors::CronError;
use croner::parser::{CronParser, Seconds, Year};

use crate::NotASchedule;

/// A cron pattern and the time zone of the wall clock it reads.
///
/// Five fields: minute, hour, day of month, month, day of week; six: second first. Ranges, lists, steps, names (`MON`,
/// `JAN`), `L` (last), `W` (nearest weekday), `#` (`FRI#2`, the second Friday) and `@daily` and its like. A day of month
/// **and** a day of week mean either of them, as cron has it.
#[derive(Clone)]
pub struct Calendar {
    pattern: &'static str,
    zone: Tz,
    cron: Cron,
    every_hour: bool,
}

impl Calendar {
    /// Reads a pattern.
    pub fn new(pattern: &'static str, zone: Tz) -> Result<Self, NotASchedule> {
        let refused = |error: CronError| NotASchedule::Pattern {
            pattern: pattern.to_owned(),
            reason: error.to_string(),
        };
        let parser = CronParser::builder()
            .seconds(Seconds::Optional)
            .year(Year::Disallowed)
            .build();
        let cron = parser.parse(pattern).map_err(refused)?;
        let hours: Result<Vec<bool>, CronError> = (0..24).map(|hour| cron.pattern.hour_match(hour)).collect();
        let every_hour = hours.map_err(refused)?.iter().all(|named| *named);
        let calendar = Self {
            pattern,
            zone,
            cron,
            every_hour,
        };
        match calendar.next_after(DateTime::UNIX_EPOCH) {
            Some(_) => Ok(calendar),
            None => Err(NotASchedule::Never(pattern.to_owned())),
        }
    }

    /// The pattern as it was given.
    pub fn pattern(&self) -> &'static str {
        self.pattern
    }

    /// Whose wall clock it is.
    pub fn zone(&self) -> Tz {
        self.zone
    }

    /// The first firing after this moment. None if there is none in thousands of years.
    pub fn next_after(&self, moment: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let here = moment.with_timezone(&self.zone);
        if self.every_hour {
            let next = self.cron.find_next_occurrence(&here, false).ok()?;
            return Some(next.with_timezone(&Utc));
        }
        // On the wall clock alone, where each time exists once; then when each of them comes. That never goes backwards,
        // so the first one that comes after the moment is the next.
        let mut time = here.naive_local();
        loop {
            time = self.cron.find_next_occurrence(&time, false).ok()?;
            let comes = self.comes(time)?;
            if comes > moment {
                return Some(comes);
            }
        }
    }

    /// When the wall clock shows this time first, or jumps over it.
    fn comes(&self, time: NaiveDateTime) -> Option<DateTime<Utc>> {
        let shown = match self.zone.from_local_datetime(&time) {
            MappedLocalTime::Single(moment) => moment,
            MappedLocalTime::Ambiguous(first, _) => first,
            MappedLocalTime::None => self.after_gap(time)?,
        };
        Some(shown.with_timezone(&Utc))
    }

    /// The first moment after the gap that this time falls into, to the second. The longest gap so far was a day (Samoa
    /// left out the 30th of December 2011).
    fn after_gap(&self, time: NaiveDateTime) -> Option<DateTime<Tz>> {
        let exists = |seconds: i64| {
            let later = time.checked_add_signed(TimeDelta::seconds(seconds))?;
            self.zone.from_local_datetime(&later).earliest()
        };
        let (mut missing, mut there) = (0, 60 * 60 * 25);
        exists(there)?;
        while there - missing > 1 {
            let middle = i64::midpoint(missing, there);
            if exists(middle).is_some() {
                there = middle;
            } else {
                missing = middle;
            }
        }
        exists(there)
    }

    /// The last firings from `first`, itself one, to `until`: at most this many, in order. Looks back from `until`, so that
    /// a long outage of a schedule that fires every second costs no more than a short one.
    pub(crate) fn last_of(
        &self,
        first: DateTime<Utc>,
        until: DateTime<Utc>,
        most: usize,
    ) -> Vec<DateTime<Utc>> {
        let mut span = TimeDelta::seconds(1);
        loop {
            let from = until - span;
            let all: Vec<DateTime<Utc>> = if from <= first {
                std::iter::once(first).chain(self.between(first, until)).collect()
            } else {
                self.between(from, until).collect()
            };
            if from <= first || all.len() >= most {
                return all[all.len().saturating_sub(most)..].to_vec();
            }
            span = span * 2;
        }
    }

    /// The firings after `from`, up to and with `until`.
    pub(crate) fn between(
        &self,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> impl Iterator<Item = DateTime<Utc>> + '_ {
        std::iter::successors(self.next_after(from), |last| self.next_after(*last))
            .take_while(move |firing| *firing <= until)
    }
}

impl fmt::Debug for Calendar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.pattern, self.zone)
    }
}
