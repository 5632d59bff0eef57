//! `cargo xtask fuzz`: lets libFuzzer look for input that a parser of ours does not bear. The targets are in `fuzz/`, whose tests
//! run them too, for a moment. Our own compiler does: counting where a program comes by is a pass of LLVM, and only the sanitizers
//! of memory, which code without `unsafe` hardly needs, would take a nightly one.

use std::process::Command;

use anyhow::{Context, bail};

use crate::workspace::{cargo, must, output, root};

/// Whatever a branch depends on is counted, and what is compared is told to the fuzzer.
const COUNTED: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Cdebug-assertions -Ccodegen-units=1";

/// Runs one target, or each in turn, for so many seconds.
///
/// # Errors
/// When there is no such target, it cannot be built, or it found something (the input is then in `target/fuzz/found`).
pub(crate) fn run(target: Option<&str>, seconds: &str) -> anyhow::Result<()> {
    let seconds: u32 = seconds.parse().context("a number of seconds")?;
    let all = targets()?;
    let targets = match target {
        None => all,
        Some(one) if all.iter().any(|known| known == one) => vec![one.to_owned()],
        Some(other) => bail!("`{other}` is no target; there are {}", all.join(", ")),
    };
    let host = host()?;
    build(&host)?;
    // All of them, also after one that found something.
    let mut outcome = Ok(());
    for target in targets {
        println!("{target}:");
        outcome = outcome.and(look(&host, &target, seconds));
    }
    outcome
}

/// In a folder of its own: every crate is built in another way.
fn build(host: &str) -> anyhow::Result<()> {
    let asked = [
        "build",
        "--locked",
        "--release",
        "--package=plaza-fuzz",
        "--bin=fuzz",
        "--features=libfuzzer",
        "--target-dir=target/fuzz",
        // Or what builds the program would be counted too.
        "--target",
        host,
    ];
    must(cargo(&asked).env("RUSTFLAGS", COUNTED))
}

fn look(host: &str, target: &str, seconds: u32) -> anyhow::Result<()> {
    let folder = root().join("target/fuzz");
    let (kept, found) = (folder.join("corpus").join(target), folder.join("found"));
    std::fs::create_dir_all(&kept)?;
    std::fs::create_dir_all(&found)?;
    let mut command = Command::new(folder.join(host).join("release/fuzz"));
    command
        .env("PLAZA_FUZZ_TARGET", target)
        // What it learns is kept in the first folder; the second one is only read.
        .args([kept, root().join("testdata/fuzz").join(target)])
        .arg(format!("-artifact_prefix={}/{target}-", found.display()))
        .arg(format!("-max_total_time={seconds}"))
        .args(["-timeout=10", "-rss_limit_mb=1024", "-print_final_stats=1"]);
    must(&mut command)
}

/// What this machine is: `x86_64-unknown-linux-gnu`.
fn host() -> anyhow::Result<String> {
    let told = String::from_utf8(output(Command::new("rustc").arg("-vV").current_dir(root()))?)?;
    let host = told.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned)
        .context("rustc does not say what this machine is")
}

/// Each has a folder of inputs to begin with.
fn targets() -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(root().join("testdata/fuzz"))? {
        names.extend(entry?.file_name().into_string());
    }
    names.sort();
    Ok(names)
}
