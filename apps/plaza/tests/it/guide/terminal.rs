//! Somebody who types what a page says, in a folder of their own.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::plaza::folder;
use crate::process;

/// Nine debug builds start, and are told to end.
pub(super) const PATIENCE: Duration = Duration::from_secs(180);
/// After the page's last line: says so, waits for a line, ends all of it as the page says, and fails if one of them does.
const AND_THEN: &str = "
echo everything is done
read -r line
all=$(jobs -p)
kill $all
for job in $all; do wait $job; done
echo all ended in order
";

/// Somebody at a shell who types the page, and what it started.
pub(super) struct Terminal {
    child: Child,
    place: TempDir,
}

impl Terminal {
    /// Types it, on a machine whose database and broker these are.
    pub(super) fn open(page: &str, variables: &[(&str, String)]) -> Self {
        let place = folder();
        let told = File::create(place.path().join("told")).unwrap();
        let program = Path::new(env!("CARGO_BIN_EXE_plaza")).parent().unwrap();
        // Before whatever else is called like it on this machine.
        let mut path = program.as_os_str().to_owned();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap());
        let child = Command::new("bash")
            .args(["-e", "-c", &format!("{page}{AND_THEN}")])
            .env_clear()
            .env("PATH", path)
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .current_dir(place.path())
            .stdin(Stdio::piped())
            .stdout(told.try_clone().unwrap())
            .stderr(told)
            // All that it starts can be ended at once.
            .process_group(0)
            .spawn()
            .unwrap();
        Self { child, place }
    }

    pub(super) fn told(&self) -> String {
        fs::read_to_string(self.place.path().join("told")).unwrap()
    }

    /// Where it is typed.
    pub(super) fn place(&self) -> &Path {
        self.place.path()
    }

    /// Where the split of the page works.
    pub(super) fn folder(&self) -> PathBuf {
        self.place.path().join("plaza-split")
    }

    /// Waits until it printed a line.
    pub(super) async fn says(&mut self, line: &str) {
        let begun = Instant::now();
        loop {
            let ended = self.child.try_wait().unwrap();
            if self.told().lines().any(|told| told == line) {
                return;
            }
            assert!(
                ended.is_none() && begun.elapsed() < PATIENCE,
                "{ended:?}\n{}\n{}",
                self.told(),
                self.logs()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Types an empty line.
    pub(super) fn go_on(&mut self) {
        self.child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
    }

    pub(super) fn logs(&self) -> String {
        let folders = fs::read_dir(self.folder()).into_iter().flatten();
        let logs = folders.filter_map(|folder| fs::read_to_string(folder.unwrap().path().join("log")).ok());
        logs.collect()
    }

    /// What is in the `.env` of a part: the names.
    pub(super) fn told_to(&self, part: &str) -> Vec<String> {
        let text = fs::read_to_string(self.folder().join(part).join(".env")).unwrap();
        let names = text.lines().map(|line| line.split_once('=').unwrap().0);
        names
            .filter(|name| !name.contains("__PUBLIC_KEYS__"))
            .map(str::to_owned)
            .collect()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        process::signal_group(self.child.id(), Signal::KILL);
        self.child.wait().ok();
    }
}
