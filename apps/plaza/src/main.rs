//! The `plaza` program. See the library of this crate.

use std::process::ExitCode;

// Measured on the read path: the system allocator costs the /me endpoint several percent.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    plaza::run(std::env::args_os())
}
