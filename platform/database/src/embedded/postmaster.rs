//! The server's first process: starting it, finding one that still runs, waiting for it, ending it.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::account::Account;
use super::place::Place;
use super::programs::Programs;
use super::traces::{PidFile, forget_the_dead, is_postgres_of};
use super::{Durability, EmbeddedError};

/// Crash recovery replays at most `max_wal_size`; this is far more than it takes.
const READY_WITHIN: Duration = Duration::from_secs(120);
const ENDED_WITHIN: Duration = Duration::from_secs(60);
const LOG_KEPT: u64 = 8 << 20;

/// A running postmaster. Asked to end when dropped, unless released.
pub(super) struct Postmaster {
    pid: Pid,
    data: PathBuf,
    log: PathBuf,
    socket: PathBuf,
    port: u16,
    // None if an earlier Plaza started it.
    child: Option<Child>,
    released: bool,
}

impl Postmaster {
    /// Starts one. It does not answer yet.
    pub(super) fn spawn(
        place: &Place,
        programs: &Programs,
        account: Account,
        durability: Durability,
    ) -> Result<Self, EmbeddedError> {
        let (data, log) = (place.data(), place.log());
        let socket = place.socket_folder(account)?;
        forget_the_dead(&data, &socket)?;
        let output = open_log(&log)?;
        let errors = output.try_clone().map_err(EmbeddedError::io("open", &log))?;
        let mut command = Command::new(programs.postgres());
        command.arg("-D").arg(&data);
        for setting in settings(&socket, durability) {
            command.arg("-c").arg(setting);
        }
        account.prepare(&mut command);
        command.stdin(Stdio::null()).stdout(output).stderr(errors);
        let child = command
            .spawn()
            .map_err(EmbeddedError::io("run", &programs.postgres()))?;
        let pid = Pid::from_child(&child);
        Ok(Self {
            pid,
            data,
            log,
            socket,
            port: PORT,
            child: Some(child),
            released: false,
        })
    }

    /// The one that an earlier Plaza left, if it still runs.
    pub(super) fn left_behind(place: &Place) -> Option<Self> {
        let data = place.data();
        let file = PidFile::read(&data)?;
        if !is_postgres_of(file.pid, &data) {
            return None;
        }
        let (socket, port) = (file.socket?, file.port?);
        Some(Self {
            pid: file.pid,
            data,
            log: place.log(),
            socket,
            port,
            child: None,
            released: false,
        })
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    pub(super) fn data(&self) -> &Path {
        &self.data
    }

    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Lets it run on when this value is dropped.
    pub(super) fn release(mut self) {
        self.released = true;
    }

    /// Whether it is on its way out.
    pub(super) fn is_stopping(&self) -> bool {
        PidFile::read(&self.data).is_some_and(|file| file.pid == self.pid && file.status == "stopping")
    }

    /// Waits until it takes connections.
    pub(super) async fn ready(&mut self) -> Result<(), EmbeddedError> {
        let began = Instant::now();
        loop {
            if PidFile::read(&self.data).is_some_and(|file| file.pid == self.pid && file.status == "ready") {
                return Ok(());
            }
            if self.ended() {
                return Err(EmbeddedError::ProgramFailed {
                    program: "postgres".to_owned(),
                    output: tail(&self.log),
                });
            }
            if began.elapsed() > READY_WITHIN {
                let seconds = READY_WITHIN.as_secs();
                return Err(EmbeddedError::NotReady {
                    pid: self.pid(),
                    seconds,
                    log: self.log.clone(),
                });
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Fast shutdown: sessions are ended, everything is written. If that takes too long, immediate shutdown, after
    /// which the next start recovers from the log.
    pub(super) async fn stop(mut self) -> Result<(), EmbeddedError> {
        for signal in [Signal::INT, Signal::QUIT] {
            self.signal(signal);
            if self.gone().await {
                self.released = true;
                // Empty after a shutdown. Whatever else is in it is not ours to remove.
                let _ = std::fs::remove_dir(&self.socket);
                return Ok(());
            }
        }
        Err(EmbeddedError::DoesNotEnd { pid: self.pid() })
    }

    /// Waits for its end.
    pub(super) async fn gone(&mut self) -> bool {
        let began = Instant::now();
        while !self.ended() {
            if began.elapsed() > ENDED_WITHIN {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        true
    }

    /// Whether it is gone.
    pub(super) fn ended(&mut self) -> bool {
        match &mut self.child {
            Some(child) => !matches!(child.try_wait(), Ok(None)),
            None => !is_postgres_of(self.pid, &self.data),
        }
    }

    fn signal(&mut self, signal: Signal) {
        // An id that is not ours any more must never be signalled.
        if !self.ended() {
            let _ = kill_process(self.pid, signal);
        }
    }
}

impl Drop for Postmaster {
    fn drop(&mut self) {
        if !self.released {
            self.signal(Signal::INT);
        }
    }
}

/// It listens on no network; the port is only part of the socket's name.
pub(super) const PORT: u16 = 5432;

fn settings(socket: &Path, durability: Durability) -> Vec<String> {
    let durable = match durability {
        Durability::Full => "on",
        Durability::Disposable => "off",
    };
    let mut settings: Vec<String> = [
        "cluster_name=plaza",
        "listen_addresses=",
        "unix_socket_permissions=0700",
        "max_connections=300",
        "shared_buffers=64MB",
        "maintenance_work_mem=32MB",
        "max_wal_size=512MB",
        "max_parallel_workers_per_gather=0",
        "jit=off",
        "timezone=UTC",
        "log_timezone=UTC",
        "logging_collector=off",
        "log_destination=stderr",
        // The log carries neither values (DETAIL) nor statements: they may be personal or secret.
        "log_error_verbosity=terse",
        "log_min_error_statement=panic",
        "password_encryption=scram-sha-256",
    ]
    .map(str::to_owned)
    .to_vec();
    settings.push(format!("port={PORT}"));
    settings.push(format!("unix_socket_directories={}", socket.display()));
    // A test that ends while it connects leaves a server process that waits for a password. Until that is given up, every
    // DROP DATABASE waits for it, that of the test too.
    if durability == Durability::Disposable {
        settings.push("authentication_timeout=5s".to_owned());
    }
    // Said aloud, so that no configuration file can turn it off.
    for setting in ["fsync", "synchronous_commit", "full_page_writes"] {
        settings.push(format!("{setting}={durable}"));
    }
    settings
}

/// Opens the log for appending; a long one becomes `postgres.log.old` first.
fn open_log(path: &Path) -> Result<File, EmbeddedError> {
    if std::fs::metadata(path).is_ok_and(|log| log.len() > LOG_KEPT) {
        let old = path.with_added_extension("old");
        std::fs::rename(path, &old).map_err(EmbeddedError::io("rename", path))?;
    }
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
        .map_err(EmbeddedError::io("open", path))
}

fn tail(log: &Path) -> String {
    let text = std::fs::read(log)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}
