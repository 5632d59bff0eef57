//! `cargo xtask test`: all tests, on real servers that it finds, starts, or installs. Never skips.

use std::process::{Command, Stdio};

use anyhow::Context;
use plaza_database::embedded::{self, EmbeddedError};
use plaza_testkit::cluster;
use secrecy::{ExposeSecret, SecretString};

use crate::workspace::{cargo, must};

/// Runs all tests; further arguments go to the test runner.
///
/// # Errors
/// When a server is missing and cannot be installed (the error names it), or a test fails.
pub(crate) fn run(arguments: &[&str]) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let folder = cluster::usual_folder();
    let url = runtime
        .block_on(start(&folder))
        .context("the tests need PostgreSQL 15 or newer")?;
    let outcome = tests(&url, arguments);
    runtime.block_on(cluster::stop_shared(&folder))?;
    outcome
}

async fn start(folder: &std::path::Path) -> anyhow::Result<SecretString> {
    match cluster::start_shared(folder).await {
        Err(error) if programs_are_missing(&error) && embedded::can_install() => {
            println!("PostgreSQL is missing: installing it");
            embedded::install().await?;
            cluster::start_shared(folder).await
        }
        started => started,
    }
}

fn programs_are_missing(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<EmbeddedError>()
            .is_some_and(|e| e.install_command().is_some())
    })
}

fn tests(url: &SecretString, arguments: &[&str]) -> anyhow::Result<()> {
    let with_database = |mut command: Command| {
        command.env("PLAZA_TEST_DATABASE_URL", url.expose_secret());
        command
    };
    let runner: &[&str] = if has_nextest() {
        &["nextest", "run"]
    } else {
        &["test", "--lib", "--bins", "--tests"]
    };
    let all: &[&str] = if arguments.is_empty() {
        &["--workspace"]
    } else {
        arguments
    };
    must(&mut with_database(cargo(&[runner, all].concat())))?;
    if arguments.is_empty() {
        must(&mut with_database(cargo(&["test", "--workspace", "--doc"])))?;
    }
    Ok(())
}

fn has_nextest() -> bool {
    let mut command = cargo(&["nextest", "--version"]);
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
