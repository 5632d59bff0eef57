//! Programs in Python, as a client that shares no code with us.
//!
//! They run on Debian's own `python3`, whatever else comes first in `PATH`: that is the one that its packages are for
//! (`python3-pika`, a client of RabbitMQ).

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use crate::{programs, shared_folder};

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

/// A folder of programs that these requirements install: a virtual environment in `target/tools`, made by whoever needs it first.
///
/// # Panics
/// When it cannot be made: there is no Python, or no way to the registry of packages.
pub async fn environment(name: &str, requirements: &Path) -> PathBuf {
    match try_environment(name, requirements).await {
        Ok(bin) => bin,
        Err(error) => panic!("the Python programs of {name}: {error:#}"),
    }
}

async fn try_environment(name: &str, requirements: &Path) -> Result<PathBuf> {
    let wanted = std::fs::read(requirements).with_context(|| format!("{}", requirements.display()))?;
    // Other requirements are another environment.
    let digest = hex::encode(&plaza_crypto::sha256(&wanted)[..6]);
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools");
    let folder = tools.join(format!("{name}-{digest}"));
    let _turn = shared_folder::wait_for_turn(&folder).await?;
    let (bin, made) = (folder.join("bin"), folder.join("made"));
    if made.exists() {
        return Ok(bin);
    }
    let python = programs::find("python3", "python3", &["/usr/bin"])?;
    must(Command::new(python).args(["-I", "-m", "venv"]).arg(&folder)).await?;
    let quietly = [
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-input",
        "-r",
    ];
    must(Command::new(bin.join("pip")).args(quietly).arg(requirements)).await?;
    std::fs::write(made, "")?;
    Ok(bin)
}

async fn must(command: &mut Command) -> Result<()> {
    let done = command.stdin(Stdio::null()).kill_on_drop(true).output().await?;
    if !done.status.success() {
        bail!("{}\n{}", done.status, String::from_utf8_lossy(&done.stderr));
    }
    Ok(())
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
