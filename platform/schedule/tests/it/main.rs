//! The promises of schedules, on a real PostgreSQL.

mod calendar;
mod catalogue;
mod crash;
mod declare;
mod fleet;
mod misfire;
mod office;
