//! A running Plaza: the real binary on a folder of its own.
//!
//! ```text
//! let mut plaza = Plaza::start().await;                       // ports 0, simulator on
//! let admin = story::administrator(&plaza).await;
//! plaza.kill();                                               // SIGKILL; the postmaster stays
//! plaza.restart().await;                                      // same folder; ports may be others
//! plaza.stop().await;                                         // SIGTERM; exit 0, no postmaster left
//! ```
//! Dropped, it ends whatever it started, the postmaster too, and removes the folder (`PLAZA_TEST_KEEP=1` keeps it).

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::client::Api;
use crate::process::{self, Postmaster};

/// Generous: a debug build on a loaded machine. Promises about time are asserted where they are made.
const PATIENCE: Duration = Duration::from_secs(90);

/// A folder in which PostgreSQL's user can reach `.plaza`, because it may pass through.
pub(crate) fn folder() -> TempDir {
    let folder = tempfile::Builder::new().prefix("plaza-e2e-").tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o711)).unwrap();
    folder
}

/// An address nobody listens on at the moment.
pub(crate) fn free_address() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

/// How a Plaza is to be started.
pub(crate) struct Builder {
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
}

impl Builder {
    /// Another value for a variable, or one more. Later ones win.
    pub(crate) fn env(mut self, name: &str, value: impl ToString) -> Self {
        self.variables.push((name.to_owned(), value.to_string()));
        self
    }

    /// One more argument; without any, `plaza` alone is run.
    pub(crate) fn arg(mut self, argument: impl ToString) -> Self {
        self.arguments.push(argument.to_string());
        self
    }

    /// Starts it in a folder of its own and waits until it is ready.
    pub(crate) async fn start(self) -> Plaza {
        self.start_in(folder()).await
    }

    /// Starts it in this folder and waits until it is ready.
    pub(crate) async fn start_in(self, root: TempDir) -> Plaza {
        let mut plaza = self.prepare(root);
        plaza.restart().await;
        plaza
    }

    /// Everything but the start.
    pub(crate) fn prepare(self, root: TempDir) -> Plaza {
        Plaza {
            root: Some(root),
            how: self,
            child: None,
            starts: 0,
            socket: None,
            took: Duration::ZERO,
        }
    }
}

/// A Plaza process, its folder, and how it was started.
pub(crate) struct Plaza {
    root: Option<TempDir>,
    how: Builder,
    child: Option<Child>,
    starts: u32,
    /// The folder of PostgreSQL's socket, outside of `root`.
    socket: Option<PathBuf>,
    /// From the start of the process to its word that it is ready.
    took: Duration,
}

impl Plaza {
    /// `plaza`, with every port 0 and the simulator on.
    pub(crate) fn builder() -> Builder {
        let variables = ["PLAZA_LISTEN", "PLAZA_INTERNAL_LISTEN", "PLAZA_SIMULATOR_LISTEN"];
        let variables = variables.map(|name| (name.to_owned(), "127.0.0.1:0".to_owned()));
        Builder {
            arguments: Vec::new(),
            variables: variables.into(),
        }
    }

    /// `plaza` with nothing told to it: the usual ports.
    pub(crate) fn bare() -> Builder {
        Builder {
            arguments: Vec::new(),
            variables: Vec::new(),
        }
    }

    /// Starts one with the defaults.
    pub(crate) async fn start() -> Self {
        Self::builder().start().await
    }

    /// The working directory of the process.
    pub(crate) fn root(&self) -> &Path {
        self.root.as_ref().unwrap().path()
    }

    /// The data folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.root().join(".plaza")
    }

    /// `plaza ARGUMENTS…` in the same folder and environment.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = bare(arguments);
        command
            .current_dir(self.root())
            .envs(self.how.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs such a command to its end.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Output {
        output(self.command(arguments)).await
    }

    /// Starts the process and does not wait for anything.
    pub(crate) fn spawn(&mut self) {
        assert!(self.child.is_none(), "it runs already");
        self.starts += 1;
        let arguments: Vec<&str> = self.how.arguments.iter().map(String::as_str).collect();
        let mut command = self.command(&arguments);
        command.stdin(Stdio::null());
        command.stdout(File::create(self.log("stdout")).unwrap());
        command.stderr(File::create(self.log("stderr")).unwrap());
        self.child = Some(command.spawn().unwrap());
    }

    /// Gives a variable another value from the next start on, or takes it away.
    pub(crate) fn set(&mut self, name: &str, value: Option<&str>) {
        self.how.variables.retain(|(known, _)| known != name);
        let value = value.map(|value| (name.to_owned(), value.to_owned()));
        self.how.variables.extend(value);
    }

    /// Whether the process has ended by itself; then it can be started again.
    pub(crate) fn has_ended(&mut self) -> bool {
        let child = self.child.as_mut();
        let ended = child.is_none_or(|child| child.try_wait().unwrap().is_some());
        if ended {
            self.child = None;
        }
        ended
    }

    /// Starts the process on the same folder and waits until it says that it is ready.
    pub(crate) async fn restart(&mut self) {
        let begun = Instant::now();
        self.spawn();
        while !self.stdout().contains(" is ready in ") {
            let ended = self.child.as_mut().unwrap().try_wait().unwrap();
            assert!(
                ended.is_none(),
                "plaza ended before it was ready ({ended:?})\n{}",
                self.output()
            );
            assert!(
                begun.elapsed() < PATIENCE,
                "plaza is not ready after {PATIENCE:?}\n{}",
                self.output()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.took = begun.elapsed();
        self.socket = self
            .postmaster()
            .map(|postmaster| postmaster.socket)
            .or(self.socket.take());
    }

    /// From the start of the process to its word that it is ready.
    pub(crate) fn took(&self) -> Duration {
        self.took
    }

    /// The process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// The postmaster of its cluster, if it runs.
    pub(crate) fn postmaster(&self) -> Option<Postmaster> {
        Postmaster::of(&self.data())
    }

    /// What it printed since its last start.
    pub(crate) fn stdout(&self) -> String {
        fs::read_to_string(self.log("stdout")).unwrap_or_default()
    }

    /// What it logged since its last start.
    pub(crate) fn stderr(&self) -> String {
        fs::read_to_string(self.log("stderr")).unwrap_or_default()
    }

    fn output(&self) -> String {
        format!("--- stdout\n{}\n--- stderr\n{}", self.stdout(), self.stderr())
    }

    fn log(&self, stream: &str) -> PathBuf {
        self.root().join(format!("{stream}-{}.log", self.starts))
    }

    /// `addresses.json`.
    pub(crate) fn addresses(&self) -> Value {
        let text = fs::read_to_string(self.data().join("addresses.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    fn address(&self, name: &str) -> String {
        self.addresses()[name]
            .as_str()
            .unwrap_or_else(|| panic!("no {name} in addresses.json"))
            .to_owned()
    }

    /// At the public listener.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.address("public_url"))
    }

    /// At the internal listener.
    pub(crate) fn internal_url(&self, path: &str) -> String {
        format!("{}{path}", self.address("internal_url"))
    }

    /// At the simulator inside.
    pub(crate) fn simulator_url(&self, path: &str) -> String {
        format!("{}{path}", self.address("simulator_url"))
    }

    /// Somebody who has not logged in, at the public listener.
    pub(crate) fn api(&self) -> Api {
        Api::at(&self.address("public_url"))
    }

    /// What stands behind `token=` in the setup link.
    pub(crate) fn setup_token(&self) -> String {
        let link = fs::read_to_string(self.data().join("setup-link")).unwrap();
        link.trim().split_once("token=").unwrap().1.to_owned()
    }

    /// Sends a signal and waits for the end of the process.
    pub(crate) async fn end_by(&mut self, signal: Signal) -> ExitStatus {
        let mut child = self.child.take().unwrap();
        process::signal(child.id(), signal);
        let begun = Instant::now();
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return status;
            }
            if begun.elapsed() > PATIENCE {
                self.child = Some(child);
                panic!(
                    "plaza does not end {PATIENCE:?} after {signal:?}\n{}",
                    self.output()
                );
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Asks it to end; it does so in order and leaves no postmaster behind.
    pub(crate) async fn stop(&mut self) {
        let postmaster = self.postmaster();
        let status = self.end_by(Signal::TERM).await;
        assert!(
            status.success(),
            "plaza did not end in order ({status})\n{}",
            self.output()
        );
        if let Some(Postmaster { pid, .. }) = postmaster {
            assert!(
                !process::is_alive(pid),
                "the postmaster {pid} was left behind\n{}",
                self.output()
            );
        }
    }

    /// `kill -9`. The postmaster runs on, as it would for anybody.
    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

impl Drop for Plaza {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().ok();
            child.wait().ok();
        }
        if std::thread::panicking() {
            eprintln!("{}", self.output());
        }
        if let Some(Postmaster { pid, socket, .. }) = self.postmaster() {
            // Immediate shutdown: nobody wants these data again.
            process::signal(pid, Signal::QUIT);
            if !process::ended_within(pid, Duration::from_secs(20)) {
                eprintln!("the postmaster {pid} does not end");
            }
            self.socket = Some(socket);
        }
        if let Some(socket) = self.socket.take() {
            fs::remove_dir_all(socket).ok();
        }
        self.remove_folder();
    }
}

impl Plaza {
    fn remove_folder(&mut self) {
        let moved = process::place(&self.data());
        let Some(root) = self.root.take() else { return };
        if std::env::var_os("PLAZA_TEST_KEEP").is_some() {
            eprintln!("kept: {}", root.keep().display());
            return;
        }
        if moved.starts_with("/var/lib/plaza/") {
            fs::remove_dir_all(moved).ok();
        }
    }
}

/// The binary with nothing of this process' environment but the search path.
pub(crate) fn bare(arguments: &[&str]) -> Command {
    bare_of(Path::new(env!("CARGO_BIN_EXE_plaza")), arguments)
}

/// Another program, the same.
pub(crate) fn bare_of(program: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).env_clear().stdin(Stdio::null());
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command
}

/// Runs a command to its end without holding the test's runtime up.
pub(crate) async fn output(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

/// What a command printed; it has to have succeeded.
pub(crate) fn printed(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{}\n{text}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    text
}

/// What a command complained about; it has to have failed.
pub(crate) fn complaint(output: &Output) -> String {
    assert!(
        !output.status.success(),
        "succeeded:\n{}",
        String::from_utf8_lossy(&output.stdout)
    );
    String::from_utf8_lossy(&output.stderr).into_owned()
}
