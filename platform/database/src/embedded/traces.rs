//! What servers leave in the file system and in the table of processes, and whether they are still alive.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use super::EmbeddedError;
use super::postmaster::PORT;

/// `postmaster.pid`: process id, data folder, start time, port, socket folder, address, shared memory, status.
pub(super) struct PidFile {
    pub(super) pid: Pid,
    pub(super) port: Option<u16>,
    pub(super) socket: Option<PathBuf>,
    pub(super) status: String,
}

impl PidFile {
    pub(super) fn read(data: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(data.join("postmaster.pid")).ok()?;
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let line = |at: usize| lines.get(at).filter(|line| !line.is_empty());
        Some(Self {
            pid: Pid::from_raw(line(0)?.parse().ok()?)?,
            port: line(3).and_then(|port| port.parse().ok()),
            socket: line(4).map(PathBuf::from),
            status: line(7).map(|status| (*status).to_owned()).unwrap_or_default(),
        })
    }
}

/// Removes the traces of a postmaster that is dead: a process id in them may belong to another program by now, and
/// PostgreSQL would then refuse to start. Called only when no process works in the data folder.
pub(super) fn forget_the_dead(data: &Path, socket: &Path) -> Result<(), EmbeddedError> {
    let file = data.join("postmaster.pid");
    // A dead id is left to PostgreSQL, which checks the shared memory too.
    if PidFile::read(data)
        .is_some_and(|found| test_kill_process(found.pid).is_ok() && !is_postgres_of(found.pid, data))
    {
        std::fs::remove_file(&file).map_err(EmbeddedError::io("remove", &file))?;
    }
    for name in [format!(".s.PGSQL.{PORT}"), format!(".s.PGSQL.{PORT}.lock")] {
        let path = socket.join(name);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(EmbeddedError::io("remove", &path)(error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Every process of a server works in its data folder. Without `/proc` (macOS), a living process is believed.
pub(super) fn is_postgres_of(pid: Pid, data: &Path) -> bool {
    if !Path::new("/proc/self").exists() {
        return test_kill_process(pid).is_ok();
    }
    folder_of_postgres(pid).is_some_and(|folder| folder == data)
}

/// The folder in which a process works, if the process is PostgreSQL.
fn folder_of_postgres(pid: Pid) -> Option<PathBuf> {
    let process = PathBuf::from(format!("/proc/{}", pid.as_raw_nonzero()));
    let folder = std::fs::read_link(process.join("cwd")).ok()?;
    let name = std::fs::read_to_string(process.join("comm")).ok()?;
    (name.trim() == "postgres").then_some(folder)
}

struct Orphan {
    pid: Pid,
    deleted: bool,
}

fn postgres_processes_of(data: &Path) -> Vec<Orphan> {
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    // How Linux shows a folder that was deleted: proc_pid_cwd(5).
    let mut gone = data.as_os_str().to_owned();
    gone.push(" (deleted)");
    processes
        .flatten()
        .filter_map(|process| Pid::from_raw(process.file_name().to_str()?.parse().ok()?))
        .filter_map(|pid| {
            let folder = folder_of_postgres(pid)?;
            let deleted = folder == Path::new(&gone);
            (deleted || folder == data).then_some(Orphan { pid, deleted })
        })
        .collect()
}

/// Waits for the processes that a killed postmaster left: they notice its death and end, unless they are busy.
///
/// A whole server whose folder was deleted does not notice. It would end within a minute, and take the socket of the
/// new one with it: it has to end first.
pub(super) async fn orphans_gone(data: &Path) -> Result<(), EmbeddedError> {
    let began = Instant::now();
    let mut asked = Vec::new();
    loop {
        let orphans = postgres_processes_of(data);
        let Some(first) = orphans.first() else {
            return Ok(());
        };
        if began.elapsed() > Duration::from_secs(20) {
            return Err(EmbeddedError::DoesNotEnd {
                pid: first.pid.as_raw_nonzero().get().unsigned_abs(),
            });
        }
        for orphan in &orphans {
            let late = orphan.deleted || began.elapsed() > Duration::from_secs(2);
            if late && !asked.contains(&orphan.pid) {
                asked.push(orphan.pid);
                let _ = kill_process(orphan.pid, Signal::QUIT);
            }
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
