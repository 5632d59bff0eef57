//! The provider simulator as a process of its own, for tests that kill Plaza.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::client::Api;
use crate::plaza::{bare, folder};
use crate::process;

/// A running `plaza simulator`. Dropped, it is killed.
///
/// Plaza finds it by `PLAZA_DEVELOPMENT__SIMULATOR_URL`, and both need the same secret:
/// `PLAZA_NOTIFICATION__WHATSAPP__APP_SECRET`. Callbacks need Plaza's address before it is started: see
/// [`crate::plaza::free_address`].
pub(crate) struct SimulatorProcess {
    folder: TempDir,
    child: Child,
}

impl SimulatorProcess {
    /// Starts it on a port of its own and waits until it listens. `settings` are more variables for it, such as
    /// `PLAZA_SIMULATOR__READ_RATE`.
    pub(crate) async fn start(
        callback_url: &str,
        app_secret: &str,
        seed: u64,
        settings: &[(&str, &str)],
    ) -> Self {
        Self::start_at("127.0.0.1:0", callback_url, app_secret, seed, settings).await
    }

    /// The same at an address that is known.
    pub(crate) async fn start_at(
        listen: &str,
        callback_url: &str,
        app_secret: &str,
        seed: u64,
        settings: &[(&str, &str)],
    ) -> Self {
        let folder = folder();
        let seed = seed.to_string();
        let arguments = [
            "simulator",
            "--listen",
            listen,
            "--state",
            "simulator.jsonl",
            "--seed",
            &seed,
        ];
        let mut command = bare(&arguments);
        command.args(["--callback-url", callback_url, "--app-secret", app_secret]);
        command
            .envs(settings.iter().copied())
            .current_dir(folder.path())
            .stdin(Stdio::null());
        command.stdout(File::create(folder.path().join("stdout.log")).unwrap());
        command.stderr(File::create(folder.path().join("stderr.log")).unwrap());
        let simulator = Self {
            child: command.spawn().unwrap(),
            folder,
        };
        let begun = Instant::now();
        while simulator.address().is_none() {
            assert!(begun.elapsed() < Duration::from_secs(30), "{}", simulator.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        simulator
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.file("stderr.log")).unwrap_or_default()
    }

    fn address(&self) -> Option<String> {
        let printed = fs::read_to_string(self.file("stdout.log")).unwrap_or_default();
        let (line, _) = printed.strip_prefix("simulator: ")?.split_once('\n')?;
        Some(line.to_owned())
    }

    /// `http://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> String {
        self.address().unwrap()
    }

    /// Its own API.
    pub(crate) fn api(&self) -> Api {
        Api::at(&self.url())
    }

    /// What it accepted, in numbers.
    pub(crate) async fn counts(&self) -> Value {
        self.api().get("/_simulator/counts").await.ok()
    }

    /// Asks it to end.
    pub(crate) async fn stop(mut self) {
        process::signal(self.child.id(), Signal::TERM);
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert!(status.success(), "{status}\n{}", self.log());
                return;
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "{}", self.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for SimulatorProcess {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        if std::thread::panicking() {
            eprintln!("--- simulator\n{}", self.log());
        }
    }
}
