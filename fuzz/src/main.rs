//! What libFuzzer drives: one program for all targets. `PLAZA_FUZZ_TARGET` names the one.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use plaza_fuzz::{Target, named};

static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is no part of Plaza, and its arguments are libFuzzer's"
    )]
    let name = std::env::var("PLAZA_FUZZ_TARGET").unwrap_or_default();
    match named(&name) {
        Some(target) => target,
        None => panic!("PLAZA_FUZZ_TARGET={name} is no target"),
    }
});

fuzz_target!(|bytes: &[u8]| (TARGET.bears)(bytes));
