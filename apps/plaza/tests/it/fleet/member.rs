//! One process of a fleet.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Child;

/// One process and how it is started.
pub(super) struct Member {
    pub(super) arguments: Vec<String>,
    /// Another program than the one that is tested.
    pub(super) program: Option<PathBuf>,
    /// The public listener, where it has one.
    pub(super) public: String,
    pub(super) internal: String,
    /// Where it logs; its number of starts is in the names of the files.
    log: PathBuf,
    pub(super) data: PathBuf,
    pub(super) starts: u32,
    pub(super) child: Option<Child>,
}

impl Member {
    /// The so manieth of a part, with its public and its internal address.
    pub(super) fn of(part: &str, number: usize, root: &Path, (public, internal): (String, String)) -> Self {
        let arguments = match part.split_once('-') {
            Some(("worker", service)) => ["worker", service],
            _ => ["serve", part],
        };
        Self {
            arguments: arguments.map(str::to_owned).to_vec(),
            program: None,
            public,
            internal,
            log: root.join(format!("{part}-{number}")),
            data: root.join(format!("data-{part}-{number}")),
            starts: 0,
            child: None,
        }
    }

    /// What it wrote to a stream since its last start.
    pub(super) fn told(&self, stream: &str) -> String {
        fs::read_to_string(self.path(stream)).unwrap_or_default()
    }

    /// A new file for a stream.
    pub(super) fn file(&self, stream: &str) -> File {
        File::create(self.path(stream)).unwrap()
    }

    fn path(&self, stream: &str) -> PathBuf {
        self.log.with_extension(format!("{}.{stream}", self.starts))
    }
}
