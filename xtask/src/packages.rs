//! The Debian packages that tests need: installed where that is possible, without a service of theirs that runs.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use plaza_database::embedded;
use plaza_testkit::packages::missing;

use crate::workspace::must;

const ENDED_WITHIN: Duration = Duration::from_secs(60);

/// Sees to it that everything is here.
///
/// # Errors
/// When something is missing and cannot be installed; the error names it.
pub(crate) fn ensure() -> Result<()> {
    let wanted = missing();
    if wanted.is_empty() {
        return Ok(());
    }
    let command = format!("apt-get install -y --no-install-recommends {}", wanted.join(" "));
    if !embedded::can_install() {
        bail!(
            "the tests need packages that are missing; as root on Debian or Ubuntu this installs them:\n  {command}"
        );
    }
    println!("missing, installing: {}", wanted.join(" "));
    let before = processes();
    {
        let _quiet = NoServices::declare(Path::new(POLICY))?;
        for step in ["apt-get update", &command] {
            must(
                shell(step)
                    .env("DEBIAN_FRONTEND", "noninteractive")
                    .stdin(Stdio::null()),
            )?;
        }
    }
    for package in &wanted {
        stop_services_of(package, &before)?;
    }
    let still = missing();
    if !still.is_empty() {
        bail!("still missing after `{command}`: {}", still.join(" "));
    }
    Ok(())
}

fn shell(line: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-ec", line]);
    command
}

/// While this lives, packages do not start the services that they bring: they would listen on every address of the
/// machine. Debian's policy layer for that is a script that answers 101 (invoke-rc.d(8)). One that is there is left alone.
struct NoServices<'a> {
    policy: &'a Path,
    ours: bool,
}

const POLICY: &str = "/usr/sbin/policy-rc.d";

impl<'a> NoServices<'a> {
    fn declare(policy: &'a Path) -> Result<Self> {
        let made = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o755)
            .open(policy);
        match made {
            Ok(mut file) => {
                file.write_all(b"#!/bin/sh\nexit 101\n")?;
                Ok(Self { policy, ours: true })
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(Self { policy, ours: false }),
            Err(error) => Err(error).with_context(|| format!("{} cannot be written", policy.display())),
        }
    }
}

impl Drop for NoServices<'_> {
    fn drop(&mut self) {
        if self.ours
            && let Err(error) = std::fs::remove_file(self.policy)
        {
            eprintln!("{} has to be removed by hand: {error}", self.policy.display());
        }
    }
}

/// Service and processes of a package.
fn service(package: &str) -> Option<(&'static str, &'static [&'static str])> {
    match package {
        "rabbitmq-server" => Some(("rabbitmq-server", &["beam.smp", "epmd"])),
        "haproxy" => Some(("haproxy", &["haproxy"])),
        "nginx-light" => Some(("nginx", &["nginx"])),
        _ => None,
    }
}

/// Ends what the installation started all the same, and keeps it from starting with the machine. Its programs were not
/// here before, so every new process of theirs comes from the installation.
fn stop_services_of(package: &str, before: &BTreeSet<Process>) -> Result<()> {
    let Some((service, names)) = service(package) else {
        return Ok(());
    };
    if Path::new("/run/systemd/system").exists() {
        must(&mut shell(&format!("systemctl disable --now {service}")))?;
    }
    let began = Instant::now();
    loop {
        let left: Vec<Process> = processes()
            .into_iter()
            .filter(|process| names.contains(&process.name.as_str()) && !before.contains(process))
            .collect();
        if left.is_empty() {
            return Ok(());
        }
        if began.elapsed() > ENDED_WITHIN {
            bail!("installing {package} started {left:?}, which does not end");
        }
        for process in left {
            println!("installing {package} started {process:?}: ending it");
            // It may be gone by now.
            let _ = shell(&format!("kill {}", process.id)).status();
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Process {
    id: u32,
    name: String,
}

/// All processes that have not ended.
fn processes() -> BTreeSet<Process> {
    let found = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    found
        .filter_map(|entry| {
            let id = entry.file_name().to_str()?.parse().ok()?;
            // One that has ended, and waits for its parent, has no program any more.
            entry.path().join("exe").read_link().ok()?;
            let name = std::fs::read_to_string(entry.path().join("comm")).ok()?;
            Some(Process {
                id,
                name: name.trim().to_owned(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_against_services_ends_with_the_installation_and_one_that_is_there_stays() {
        let folder = scratch("policy");
        let policy = folder.join("policy-rc.d");
        let declared = NoServices::declare(&policy).unwrap();
        assert_eq!(Command::new(&policy).status().unwrap().code(), Some(101));
        drop(NoServices::declare(&policy).unwrap());
        assert!(policy.exists(), "it was there before");
        drop(declared);
        assert!(!policy.exists());
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_a_package_started_is_ended_and_nothing_that_was_there() {
        // Two programs with the name of a service's.
        let folder = scratch("services");
        let daemon = folder.join("nginx");
        std::fs::copy("/bin/sleep", &daemon).unwrap();
        let start = || Command::new(&daemon).arg("600").spawn().unwrap();
        let mut old = start();
        let before = processes();
        assert!(before.iter().any(|process| process.id == old.id()));
        let mut new = start();
        stop_services_of("nginx-light", &before).unwrap();
        assert!(!new.wait().unwrap().success());
        assert!(old.try_wait().unwrap().is_none(), "it was there before");
        old.kill().unwrap();
        old.wait().unwrap();
        std::fs::remove_dir_all(folder).unwrap();
    }

    fn scratch(name: &str) -> std::path::PathBuf {
        let folder = crate::workspace::root().join(format!("target/xtask-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }
}
