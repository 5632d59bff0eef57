//! Services in other processes.

mod addresses;
mod answers;
mod bodies;
mod event_streams;
mod failures;
mod trust;
