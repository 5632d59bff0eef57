//! Tests of broadcast through HTTP on a real PostgreSQL, logged in as its own roles.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test may fail the test as the test itself may"
)]

mod audit;
mod campaigns;
mod cancelled_imports;
mod catalogue;
mod changing;
mod doors;
mod dry_runs;
mod events;
mod fairness;
mod hostile_files;
mod imports;
mod lifecycle;
mod logs;
mod pausing;
mod planning;
mod plans;
mod previews;
mod progress;
mod recipients;
mod repeated_uploads;
mod repeating;
mod reports;
mod retrying;
mod scheduling;
mod staging;
mod template_verbs;
mod templates;
mod town;
mod traces;
mod workbooks;
