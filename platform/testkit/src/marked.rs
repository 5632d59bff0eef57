//! The processes of a server, found by a mark in their environment.
//!
//! A process id alone says little: it may belong to another program by now, and a server is more than one process. The
//! environment is inherited by everything that a server starts, so the mark finds all of it, from any process of ours.
//! It is read from `/proc`: without Linux there is none, and such servers are not started.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

const FOLDER: &str = "PLAZA_TEST_SERVER";
const OWNER: &str = "PLAZA_TEST_OWNER";
const GONE_WITHIN: Duration = Duration::from_secs(30);

/// The mark of one server: its folder, and the process that it belongs to, if it must not outlive that.
#[derive(Debug, Clone)]
pub(crate) struct Mark {
    folder: PathBuf,
    owner: Option<String>,
}

impl Mark {
    /// Of a server that is left running for other processes.
    pub(crate) fn shared(folder: &Path) -> Result<Self> {
        Self::new(folder, None)
    }

    /// Of a server that belongs to this process.
    pub(crate) fn owned(folder: &Path) -> Result<Self> {
        let own = rustix::process::getpid().as_raw_nonzero().get();
        let began = began(own).context("servers for tests are started on Linux only: there is no /proc")?;
        Self::new(folder, Some(format!("{own}.{began}")))
    }

    fn new(folder: &Path, owner: Option<String>) -> Result<Self> {
        if !Path::new("/proc/self/environ").exists() {
            bail!("servers for tests are started on Linux only: there is no /proc");
        }
        let folder = std::fs::canonicalize(folder)
            .with_context(|| format!("{} cannot be entered", folder.display()))?;
        Ok(Self { folder, owner })
    }

    /// Gives the command this mark, a process group of its own (Ctrl-C is for us), and nothing else of our environment
    /// but the way to programs.
    pub(crate) fn put_on(&self, command: &mut Command) {
        use std::os::unix::process::CommandExt;
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders =
            std::env::split_paths(&path).chain(["/usr/sbin", "/usr/bin", "/sbin", "/bin"].map(PathBuf::from));
        command.process_group(0).env_clear().env(FOLDER, &self.folder);
        if let Ok(path) = std::env::join_paths(folders) {
            command.env("PATH", path);
        }
        if let Some(owner) = &self.owner {
            command.env(OWNER, owner);
        }
    }

    /// The server's folder, as an absolute path.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether any process of the server lives.
    pub(crate) fn lives(&self) -> bool {
        !self.processes().is_empty()
    }

    fn processes(&self) -> Vec<Pid> {
        let wanted = |marked: &Marked| marked.folder == self.folder;
        marked().filter(wanted).map(|marked| marked.pid).collect()
    }

    /// Ends every process of the server as a power cut would, and waits until they are gone.
    pub(crate) fn kill(&self) -> Result<()> {
        kill_while(|| self.processes())
    }
}

/// Ends the servers of processes that are gone, because their tests were killed before they could, and those whose folder
/// is gone, which nobody finds any more.
pub(crate) fn sweep() -> Result<()> {
    kill_while(|| {
        marked()
            .filter(|marked| marked.owner.as_deref().is_some_and(is_gone) || is_no_more(&marked.folder))
            .map(|marked| marked.pid)
            .collect()
    })
}

fn is_no_more(path: &Path) -> bool {
    path.try_exists().is_ok_and(|exists| !exists)
}

/// Again and again: one of them may start another while we look.
fn kill_while(processes: impl Fn() -> Vec<Pid>) -> Result<()> {
    let deadline = Instant::now() + GONE_WITHIN;
    let mut killed: BTreeMap<i32, String> = BTreeMap::new();
    loop {
        let alive = processes();
        for pid in &alive {
            let raw = pid.as_raw_nonzero().get();
            killed.extend(began(raw).map(|began| (raw, began)));
            // It may be gone by now.
            let _ = kill_process(*pid, Signal::KILL);
        }
        // One that is ending shows no environment any more, and its sockets still listen.
        killed.retain(|pid, began| is_ending(*pid, began));
        if alive.is_empty() && killed.is_empty() {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("processes {:?} of a test's server do not end", killed.keys());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether the process that began then still has a thread that has not ended: the last one closes the sockets.
fn is_ending(pid: i32, began: &str) -> bool {
    let process = PathBuf::from(format!("/proc/{pid}"));
    let tasks = std::fs::read_dir(process.join("task"))
        .into_iter()
        .flatten()
        .flatten();
    Stat::read(&process).is_some_and(|stat| stat.began == began)
        && tasks
            .filter_map(|task| Stat::read(&task.path()))
            .any(|thread| !thread.has_ended)
}

struct Marked {
    pid: Pid,
    folder: PathBuf,
    owner: Option<String>,
}

/// All marked processes. Those of other users, and those that ended and wait for their parents, show no environment.
fn marked() -> impl Iterator<Item = Marked> {
    std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|process| {
            let pid = Pid::from_raw(process.file_name().to_str()?.parse().ok()?)?;
            let environment = std::fs::read(process.path().join("environ")).ok()?;
            let value = |name: &str| {
                environment.split(|byte| *byte == 0).find_map(|entry| {
                    let value = entry.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
                    Some(String::from_utf8_lossy(value).into_owned())
                })
            };
            Some(Marked {
                pid,
                folder: value(FOLDER)?.into(),
                owner: value(OWNER),
            })
        })
}

/// `<process id>.<when it began>`. In doubt it lives.
fn is_gone(owner: &str) -> bool {
    let Some((pid, then)) = owner.split_once('.') else {
        return false;
    };
    let process = Path::new("/proc").join(pid);
    match Stat::read(&process) {
        Some(stat) => stat.has_ended || stat.began != then,
        None => is_no_more(&process),
    }
}

/// When a process began. None if it is gone or only waits for its parent.
fn began(pid: i32) -> Option<String> {
    let stat = Stat::read(Path::new(&format!("/proc/{pid}")))?;
    (!stat.has_ended).then_some(stat.began)
}

/// What proc_pid_stat(5) says of a process or a thread.
struct Stat {
    /// State `Z` or `X`.
    has_ended: bool,
    /// Field 22, the 20th after the name in parentheses: in ticks since the machine began.
    began: String,
}

impl Stat {
    fn read(task: &Path) -> Option<Self> {
        let stat = std::fs::read_to_string(task.join("stat")).ok()?;
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        Some(Self {
            has_ended: matches!(*fields.first()?, "Z" | "X"),
            began: (*fields.get(19)?).to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper(mark: &Mark) -> std::process::Child {
        let mut command = Command::new("sh");
        mark.put_on(&mut command);
        // A grandchild in a session of its own: no process group finds it.
        command
            .args(["-c", "setsid sleep 600 & sleep 600"])
            .spawn()
            .unwrap()
    }

    #[test]
    fn everything_that_a_server_started_ends_and_nothing_else() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (one, other) = (
            Mark::owned(one.path()).unwrap(),
            Mark::shared(other.path()).unwrap(),
        );
        let mut children = [sleeper(&one), sleeper(&other)];
        while one.processes().len() < 3 || other.processes().len() < 3 {
            std::thread::sleep(Duration::from_millis(5));
        }
        sweep().unwrap();
        assert!(one.lives(), "its owner lives");
        one.kill().unwrap();
        assert!(!one.lives());
        assert_eq!(other.processes().len(), 3);
        other.kill().unwrap();
        for child in &mut children {
            child.wait().unwrap();
        }
    }

    #[test]
    fn a_server_whose_folder_is_gone_is_swept_away() {
        let folder = tempfile::tempdir().unwrap();
        let mark = Mark::shared(folder.path()).unwrap();
        let mut child = sleeper(&mark);
        while mark.processes().len() < 3 {
            std::thread::sleep(Duration::from_millis(5));
        }
        drop(folder);
        sweep().unwrap();
        assert!(!mark.lives());
        child.wait().unwrap();
    }

    #[test]
    fn a_server_whose_owner_is_gone_is_swept_away() {
        let folder = tempfile::tempdir().unwrap();
        // Our own process id, but of a process that began at another time; and the id of one that has ended.
        let mut ended = Command::new("true").spawn().unwrap();
        ended.wait().unwrap();
        for owner in [std::process::id(), ended.id()] {
            let mut mark = Mark::owned(folder.path()).unwrap();
            mark.owner = Some(format!("{owner}.1"));
            let mut child = sleeper(&mark);
            // Another process of this test run may sweep it away first.
            while mark.processes().len() < 3 && child.try_wait().unwrap().is_none() {
                std::thread::sleep(Duration::from_millis(5));
            }
            sweep().unwrap();
            assert!(!mark.lives());
            child.wait().unwrap();
        }
    }
}
