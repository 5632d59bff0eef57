//! A test of this binary, run alone in a process of its own.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const COLLECTOR: &str = "TELEMETRY_TEST_COLLECTOR";

/// How a child ended.
pub(crate) struct Ended {
    pub(crate) good: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

pub(crate) struct Child(Command);

impl Child {
    /// One of the ignored tests, by its whole name.
    pub(crate) fn of(test: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", test, "--ignored", "--nocapture", "--test-threads=1"])
            .env(COLLECTOR, "")
            .stdin(Stdio::null());
        Self(command)
    }

    pub(crate) fn with_collector(mut self, url: &str) -> Self {
        self.0.env(COLLECTOR, url);
        self
    }

    /// Runs it to its end.
    pub(crate) fn run(mut self) -> Ended {
        let begun = Instant::now();
        let output = self.0.output().unwrap();
        Ended {
            good: output.status.success(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            took: begun.elapsed(),
        }
    }
}

/// Whether this process is one: somebody who runs ignored tests by hand gets nothing from these.
pub(crate) fn is_child() -> bool {
    std::env::var_os(COLLECTOR).is_some()
}

/// The collector that the parent named.
pub(crate) fn collector() -> Option<String> {
    std::env::var_os(COLLECTOR).map(|url| url.into_string().unwrap())
}
