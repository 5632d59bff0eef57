//! The private PostgreSQL cluster of a laptop, made of the installed server programs.
//!
//! In Plaza's data folder: `postgres/` (the cluster), `postgres.password` (its superuser's, 0600), `postgres.log`,
//! `postgres.lock` (held while Plaza runs), and `postgres.moved` if the cluster had to go elsewhere: PostgreSQL
//! refuses root, so under root it runs as `postgres` or `nobody`, and where that user cannot reach the folder the
//! cluster lives in `/var/lib/plaza/<hash of the path>`.
//!
//! The postmaster has its own process group, so Ctrl-C reaches only Plaza, which stops it last. If Plaza is killed,
//! the postmaster runs on and the next start adopts it; if that is impossible it is stopped and started again. If the
//! postmaster is killed, Plaza starts another one.
//!
//! Read `ground.rs` first, then `create.rs` and `postmaster.rs`.

mod account;
mod bootstrap;
mod create;
mod error;
mod ground;
mod install;
mod place;
mod postmaster;
mod programs;
mod revival;
mod traces;

use std::path::PathBuf;
use std::sync::Arc;

use secrecy::SecretString;

pub use error::EmbeddedError;
pub use install::{INSTALL_COMMAND, can_install, install};

use bootstrap::Logins;
use ground::Ground;
use place::Places;
use revival::{Kept, keep};

const SUPERUSER: &str = "plaza_superuser";
const MIGRATOR: &str = "plaza_migrator";
const DATABASE: &str = "plaza";

/// Where the cluster lives and with which programs it runs.
#[derive(Debug, Clone)]
pub struct EmbeddedSettings {
    /// Plaza's data folder (`.plaza`), made if missing; the cluster is `postgres/` inside it.
    pub folder: PathBuf,
    /// A folder of PostgreSQL programs that comes before the ones found (`PLAZA_PG_BIN`).
    pub programs: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Durability {
    Full,
    Disposable,
}

/// A running cluster, and the lock on its folder. Dropped without [`EmbeddedCluster::stop`], it asks the postmaster
/// to end and does not wait.
pub struct EmbeddedCluster {
    // Before the places: the lock is given back last.
    kept: Kept,
    migrator: SecretString,
    superuser: SecretString,
    notes: Vec<String>,
    _places: Arc<Places>,
}

impl EmbeddedCluster {
    /// Finds the programs, makes the cluster if there is none, starts it or adopts the one that still runs, and
    /// makes the migrator's login and the database `plaza`.
    ///
    /// # Errors
    /// See [`EmbeddedError`]; [`EmbeddedError::install_command`] helps if the programs are missing.
    pub async fn start(settings: EmbeddedSettings) -> Result<Self, EmbeddedError> {
        Self::start_with(settings, Durability::Full).await
    }

    /// For tests only: like [`EmbeddedCluster::start`], but faster, and a crash of the machine may destroy it.
    ///
    /// # Errors
    /// As [`EmbeddedCluster::start`].
    pub async fn start_disposable(settings: EmbeddedSettings) -> Result<Self, EmbeddedError> {
        Self::start_with(settings, Durability::Disposable).await
    }

    async fn start_with(settings: EmbeddedSettings, durability: Durability) -> Result<Self, EmbeddedError> {
        let mut places = Places::take(&settings.folder)?;
        let ground = Ground::prepare(&mut places, settings.programs.as_deref(), durability).await?;
        let running = ground.run(places.of_cluster()).await?;
        let (socket, port) = (running.postmaster.socket(), running.postmaster.port());
        let logins = Logins {
            socket,
            port,
            superuser_password: &running.password,
        };
        let (migrator, superuser) = (logins.migrator(), logins.superuser());
        let notes = places.note().into_iter().chain(running.note).collect();
        let places = Arc::new(places);
        let kept = keep(running.postmaster, ground, Arc::downgrade(&places));
        Ok(Self {
            kept,
            migrator,
            superuser,
            notes,
            _places: places,
        })
    }

    /// The migrator's login to the database `plaza`: owns the database, may make roles, is no superuser.
    pub fn url(&self) -> SecretString {
        self.migrator.clone()
    }

    /// The superuser's login to the database `postgres`: for the test kit and for repairs, never for services.
    pub fn superuser_url(&self) -> SecretString {
        self.superuser.clone()
    }

    /// What the operator should know, one sentence each.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The process id of the postmaster. Another one if it was killed and started again.
    pub fn postmaster_pid(&self) -> u32 {
        self.kept.pid()
    }

    /// Gives the lock back and leaves the postmaster running; the next start adopts it.
    pub fn leave_running(self) {
        if let Some(postmaster) = self.kept.take() {
            postmaster.release();
        }
    }

    /// Stops the postmaster (fast shutdown: open sessions are ended) and waits for its end.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn stop(self) -> Result<(), EmbeddedError> {
        match self.kept.take() {
            Some(postmaster) => postmaster.stop().await,
            None => Ok(()),
        }
    }
}
