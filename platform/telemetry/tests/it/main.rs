//! The global parts. They can be set up once in a process, so each story is a process of its own.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod collector;
mod export;
mod process;
mod whole;
