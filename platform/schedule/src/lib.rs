//! Schedules: work that is due by the calendar, done once across the fleet.
//!
//! Owns       in every service's schema: `schedules`, one row for each schedule
//! Offers     [`Schedule`] and [`Schedules`] (what is due when, and the work), [`Scheduler`] (runs it), [`Due`] (which
//!            firing a run is for, and the fence), [`Misfire`], [`state`]
//! Needs      `kernel`, `database`, `messaging` (`supervised`)
//!
//! A firing is claimed by one process, which holds and renews a lease while it works. A process that dies leaves the
//! firing to the next one, with the same [`Due::at`]: a firing is worked on at least once, by one process at a time.
//! Every time is the database's, so that the clocks of a fleet need not agree.
//!
//! Read `calendar.rs` first (when a schedule fires, and what summer time does to it), then `plan.rs` (what is done about
//! a row), `scheduler.rs` and `run.rs`.

mod calendar;
mod due;
mod error;
mod plan;
mod run;
mod schedule;
mod scheduler;
mod schedules;
mod schema;
mod settings;
mod state;
mod store;

pub use calendar::Calendar;
pub use due::Due;
pub use error::{NotASchedule, ScheduleError};
pub use schedule::{Misfire, Schedule};
pub use scheduler::Scheduler;
pub use schedules::Schedules;
pub use schema::migrations;
pub use settings::ScheduleSettings;
pub use state::{ScheduleState, state};
