//! Programs in Python, as a client that shares no code with us.
//!
//! They run on Debian's own `python3`, whatever else comes first in `PATH`: that is the one that its packages are for
//! (`python3-pika`, a client of RabbitMQ).

use std::process::{Output, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use crate::programs;

/// Runs a program to its end and returns what it printed.
///
/// Arguments are its `sys.argv[1:]`. It is killed if it is not awaited any more.
///
/// # Panics
/// When there is no Python, the program fails (with what it said), or is not done in time.
pub async fn run(program: &str, arguments: &[&str], within: Duration) -> String {
    match try_run(program, arguments, within).await {
        Ok(printed) => printed,
        Err(error) => panic!("the Python program: {error:#}"),
    }
}

async fn try_run(program: &str, arguments: &[&str], within: Duration) -> Result<String> {
    let python = programs::find("python3", "python3", &["/usr/bin"])?;
    let running = Command::new(python)
        // -I: neither the environment nor the current folder changes what is imported.
        .args(["-I", "-c", program])
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let Output {
        status,
        stdout,
        stderr,
    } = tokio::time::timeout(within, running)
        .await
        .with_context(|| format!("not done within {within:?}"))??;
    if !status.success() {
        bail!("{status}\n{}", String::from_utf8_lossy(&stderr));
    }
    Ok(String::from_utf8(stdout)?)
}
