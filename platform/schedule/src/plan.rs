//! What is done about a schedule that has something due: pure, so that every case can be told in a test.

use chrono::{DateTime, Utc};

use crate::store::Found;
use crate::{Calendar, Misfire, ScheduleSettings};

/// Missed firings are counted up to here.
const COUNTED: usize = 1_000;

/// What is done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// The firing to begin or to take up again; none if all that was due is left out.
    pub(crate) begin: Option<Begin>,
    /// The first firing after all that.
    pub(crate) next: DateTime<Utc>,
    /// How many firings are left out or stood for.
    pub(crate) missed: u32,
    /// Whether one that failed is given up, because the next one is due.
    pub(crate) given_up: bool,
}

/// A firing to work on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Begin {
    /// When it was due.
    pub(crate) at: DateTime<Utc>,
    /// The how manieth time it is taken up, from 1.
    pub(crate) attempt: i32,
}

/// Decides about a row that has something due and no holder, or one whose lease is over.
///
/// None when the calendar has no next firing, which its declaration rules out.
pub(crate) fn plan(
    row: &Found,
    calendar: &Calendar,
    misfire: Misfire,
    settings: &ScheduleSettings,
) -> Option<Plan> {
    match row.firing_at {
        Some(at) if !is_given_up(row, settings) => Some(Plan {
            begin: Some(Begin {
                at,
                attempt: row.attempts.saturating_add(1),
            }),
            next: row.next_at,
            missed: 0,
            given_up: false,
        }),
        begun => Some(Plan {
            given_up: begun.is_some(),
            ..next_firing(row, calendar, misfire, settings)?
        }),
    }
}

/// A firing that failed makes room for the next one. One whose process died does so only after several deaths: it may have
/// been a deploy.
fn is_given_up(row: &Found, settings: &ScheduleSettings) -> bool {
    let takings = u32::try_from(row.attempts).unwrap_or_default();
    let failed = !row.held && takings > 0;
    row.next_at <= row.now && (failed || takings >= settings.takings)
}

fn next_firing(
    row: &Found,
    calendar: &Calendar,
    misfire: Misfire,
    settings: &ScheduleSettings,
) -> Option<Plan> {
    let most = match misfire {
        Misfire::Skip | Misfire::Once => 1,
        Misfire::Each { most } => usize::try_from(most).unwrap_or(usize::MAX).max(1),
    };
    let at = *calendar.last_of(row.next_at, row.now, most).first()?;
    let before = if at > row.next_at {
        1 + calendar
            .between(row.next_at, at)
            .take(COUNTED - 1)
            .take_while(|firing| *firing < at)
            .count()
    } else {
        0
    };
    let late = (row.now - at).to_std().unwrap_or_default();
    let begin = misfire != Misfire::Skip || late <= settings.grace;
    Some(Plan {
        begin: begin.then_some(Begin { at, attempt: 1 }),
        next: calendar.next_after(at)?,
        missed: u32::try_from(before + usize::from(!begin)).unwrap_or(u32::MAX),
        given_up: false,
    })
}
