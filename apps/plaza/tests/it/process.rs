//! Processes of the operating system: the few facts and signals that tests need. Only ever by process id.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group, test_kill_process};

/// Sends a signal; a process that is gone takes none.
pub(crate) fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        kill_process(pid, signal).ok();
    }
}

/// Sends a signal to a whole process group.
pub(crate) fn signal_group(leader: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(leader).ok().and_then(Pid::from_raw) {
        kill_process_group(pid, signal).ok();
    }
}

/// Whether there is such a process; one that ended and nobody waited for does not count.
pub(crate) fn is_alive(pid: u32) -> bool {
    let exists = i32::try_from(pid)
        .ok()
        .and_then(Pid::from_raw)
        .is_some_and(|pid| test_kill_process(pid).is_ok());
    exists && state(pid).is_none_or(|state| state != 'Z')
}

/// Waits for the end of a process; says whether it came in time.
pub(crate) fn ended_within(pid: u32, patience: Duration) -> bool {
    let deadline = Instant::now() + patience;
    while is_alive(pid) {
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    true
}

/// The processes whose parent this one is.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let name = entry.ok()?.file_name();
        name.to_str()?.parse::<u32>().ok()
    });
    processes
        .filter(|candidate| parent(*candidate) == Some(pid))
        .collect()
}

/// The state letter and the parent are behind the name, which may hold anything.
fn stat(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(stat.rsplit_once(") ")?.1.to_owned())
}

fn state(pid: u32) -> Option<char> {
    stat(pid)?.chars().next()
}

fn parent(pid: u32) -> Option<u32> {
    stat(pid)?.split(' ').nth(1)?.parse().ok()
}

/// What `postmaster.pid` says.
#[derive(Debug, Clone)]
pub(crate) struct Postmaster {
    pub(crate) pid: u32,
    /// The folder of its socket.
    pub(crate) socket: PathBuf,
    pub(crate) port: u16,
}

impl Postmaster {
    /// The postmaster of the cluster that belongs to this data folder, if it runs.
    pub(crate) fn of(data: &Path) -> Option<Self> {
        let cluster = place(data).join("postgres");
        let text = std::fs::read_to_string(cluster.join("postmaster.pid")).ok()?;
        let lines: Vec<&str> = text.lines().collect();
        let pid = lines.first()?.trim().parse().ok()?;
        // The file outlives a crash, and numbers are given again: never signal a stranger.
        let command = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let ours = String::from_utf8_lossy(&command).contains(&*cluster.to_string_lossy());
        let running = Self {
            pid,
            port: lines.get(3)?.trim().parse().ok()?,
            socket: PathBuf::from(lines.get(4)?.trim()),
        };
        (ours && is_alive(pid)).then_some(running)
    }
}

/// Where the cluster of a data folder is: in it, unless its user cannot reach it.
pub(crate) fn place(data: &Path) -> PathBuf {
    match std::fs::read_to_string(data.join("postgres.moved")) {
        Ok(moved) => PathBuf::from(moved.trim()),
        Err(_) => data.to_path_buf(),
    }
}
