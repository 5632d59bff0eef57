//! What strangers can hand us, as functions of bytes: each feeds one parser and asserts what has to hold whatever the bytes
//! are. A panic is a find.
//!
//! The tests of this package run each on the files of `testdata/fuzz` and on what becomes of them when they are damaged, a
//! bounded number of times. `cargo xtask fuzz` lets libFuzzer look for longer, with the same functions and the same files.

mod cut;
mod targets;

/// A target: its name, which is that of its folder of `testdata/fuzz`, and what it does with some bytes.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// The name.
    pub name: &'static str,
    /// Panics when something does not hold that has to.
    pub bears: fn(&[u8]),
    /// How often a test runs it, unless told: for about a second, in an unoptimised build.
    pub runs: u32,
}

/// All of them.
pub const TARGETS: &[Target] = &[
    target("csv", targets::csv::bears, 2_000),
    target("cursor", targets::cursor::bears, 50_000),
    target("email", targets::email::bears, 50_000),
    target("internal_token", targets::internal_token::bears, 2_000),
    target("meta", targets::meta::bears, 10_000),
    target("phone", targets::phone::bears, 2_000),
    target("request", targets::request::bears, 20_000),
    target("request_target", targets::request_target::bears, 50_000),
    target("sealed", targets::sealed::bears, 10_000),
    target("sms", targets::sms::bears, 5_000),
    target("twilio", targets::twilio::bears, 2_000),
    target("workbook", targets::workbook::bears, 300),
];

const fn target(name: &'static str, bears: fn(&[u8]), runs: u32) -> Target {
    Target { name, bears, runs }
}

/// The target of this name.
pub fn named(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
