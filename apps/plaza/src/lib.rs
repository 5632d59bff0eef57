//! Plaza: the composition root. The only place that knows which services there are and where they run.
//!
//! Offers     [`run`]: the command line, from arguments to exit code
//! Needs      every crate of the workspace
//!
//! Read `assembly.rs` first (what is built of what), then `process.rs` (how a process starts and stops).

mod addresses;
mod assembly;
mod cli;
mod commands;
mod config;
mod hosting;
mod local;
mod process;
mod secrets;
mod signals;
mod trust;

pub use cli::run;
