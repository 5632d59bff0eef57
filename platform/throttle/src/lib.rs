//! Throttle: how often something may be done, counted for the whole fleet.
//!
//! Owns       the table `throttle` in the schema of every service that throttles
//! Offers     [`Throttle::take`] (buckets, all or none), [`Throttle::attempt`] (with a ladder of growing pauses),
//!            [`Throttle::forget`], [`with_tidying`]
//! Needs      `kernel`, `crypto`, `database`, `schedule`
//!
//! A permit is taken before the work, in one statement: of a thousand at once exactly as many pass as may. Without a
//! database each process counts for itself, with the same numbers; nothing is ever unlimited.
//!
//! Read `rule.rs` first, then `throttle.rs`.

mod counted;
mod local;
mod rule;
mod schema;
mod throttle;
mod throttled;
mod tidy;

pub use rule::{Ladder, Rule};
pub use schema::migrations;
pub use throttle::Throttle;
pub use throttled::Throttled;
pub use tidy::{tidy, with_tidying};
