//! What a schedule is.

use std::time::Duration;

use chrono_tz::Tz;

/// Work that is due by the calendar. Declared by the service that owns the work.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// Its name: `broadcast.orphans`. The row is found by it, so a renamed schedule is a new one.
    pub name: &'static str,
    /// When: five fields (minute, hour, day of month, month, day of week) or six (second first). See
    /// [`Calendar`](crate::Calendar).
    pub cron: &'static str,
    /// Whose wall clock `cron` reads.
    pub zone: Tz,
    /// What becomes of firings for whose time nobody was there.
    pub misfire: Misfire,
    /// How long a run may take. Then it is broken off and counts as failed.
    pub deadline: Duration,
}

/// What becomes of the firings that were due while nobody could begin them: no process ran, the database was away, or the
/// run before took too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misfire {
    /// They are left out; only one that is late by no more than the grace is begun, the latest.
    Skip,
    /// One run stands for all of them, with the time of the latest.
    Once,
    /// Each gets its run, in order, but no more than this many: the oldest are left out.
    Each {
        /// How many at most; at least one.
        most: u32,
    },
}
