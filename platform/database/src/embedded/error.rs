//! What keeps the private cluster from running, in words for whoever typed `plaza up`.

use std::io;
use std::path::{Path, PathBuf};

use super::install::INSTALL_COMMAND;

/// Why there is no cluster.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// Another Plaza uses the same data folder.
    #[error("another Plaza (process {holder}) uses {}; stop it, or choose another folder with PLAZA_DATA", folder.display())]
    InUse {
        /// The folder that both want.
        folder: PathBuf,
        /// The process id of the other one, as it noted it.
        holder: String,
    },
    /// No PostgreSQL of version 15 or newer was found.
    #[error(
        "no PostgreSQL 15 or newer was found{}; as root on Debian or Ubuntu this installs it:\n  {INSTALL_COMMAND}",
        among(searched)
    )]
    ProgramsMissing {
        /// Where it was looked for.
        searched: Vec<PathBuf>,
    },
    /// The folder in the configuration has no PostgreSQL programs in it.
    #[error("{} has no PostgreSQL 15 or newer in it: `postgres` and `initdb` are needed", .0.display())]
    NotPrograms(PathBuf),
    /// A cluster exists, and no programs of its version do.
    #[error("the cluster in {} is of PostgreSQL {version}, whose programs are not installed (`apt-get install -y --no-install-recommends postgresql-{version}`)", data.display())]
    VersionMissing {
        /// The cluster.
        data: PathBuf,
        /// Its major version.
        version: u32,
    },
    /// Started as root, and the machine has no user to run PostgreSQL as.
    #[error("PostgreSQL does not run as root, and /etc/passwd has neither `postgres` nor `nobody`")]
    NobodyToRunAs,
    /// The cluster's files belong to somebody else, and this process may not become them.
    #[error("the cluster in {} belongs to user id {owner}; start Plaza as that user or as root", .data.display())]
    NotOurs {
        /// The cluster.
        data: PathBuf,
        /// Its owner.
        owner: u32,
    },
    /// No short private folder for the socket could be made.
    #[error("no private folder for the socket could be made: tried {tried}")]
    NoSocketFolder {
        /// Every folder and what was wrong with it.
        tried: String,
    },
    /// A program failed.
    #[error("{program} failed:\n{output}")]
    ProgramFailed {
        /// Which one.
        program: String,
        /// The end of what it said.
        output: String,
    },
    /// The postmaster did not become ready in time.
    #[error("PostgreSQL (process {pid}) is not ready after {seconds} s; its log is {}", log.display())]
    NotReady {
        /// Its process id.
        pid: u32,
        /// How long was waited.
        seconds: u64,
        /// Where it writes.
        log: PathBuf,
    },
    /// A process of the cluster does not end.
    #[error("PostgreSQL process {pid} does not end")]
    DoesNotEnd {
        /// Its process id.
        pid: u32,
    },
    /// The machine is none on which `install` knows what to do, or the process is not root.
    #[error("PostgreSQL is installed by Plaza only as root on Debian or Ubuntu")]
    CannotInstall,
    /// A file or a process could not be handled.
    #[error("{what}")]
    Io {
        /// What was tried.
        what: String,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// The cluster runs and refuses what Plaza needs of it.
    #[error("the cluster refused Plaza")]
    Refused(#[source] tokio_postgres::Error),
}

impl EmbeddedError {
    /// The one command that installs what is missing, if that is what is wrong.
    pub fn install_command(&self) -> Option<&'static str> {
        matches!(self, Self::ProgramsMissing { .. }).then_some(INSTALL_COMMAND)
    }

    /// For `map_err`: says what was tried with which file.
    pub(super) fn io(what: &str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let what = format!("cannot {what} {}", path.display());
        move |source| Self::Io {
            what: format!("{what}: {source}"),
            source,
        }
    }
}

fn among(searched: &[PathBuf]) -> String {
    let folders: Vec<String> = searched
        .iter()
        .map(|folder| folder.display().to_string())
        .collect();
    if folders.is_empty() {
        String::new()
    } else {
        format!(" in {}", folders.join(", "))
    }
}
