//! End to end: the real binary, started as a process, driven over HTTP.
//!
//! Read `plaza.rs` (a running Plaza), `client.rs` (HTTP) and `story.rs` (the steps that most tests begin with) first.

mod client;
mod commands;
mod kill;
mod lifecycle;
mod matrix;
mod me;
mod plaza;
mod process;
mod shell;
mod simulator;
mod story;
mod superuser;
mod walk;
