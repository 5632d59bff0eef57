//! How a process starts and stops.
//!
//! The end is ordered so that nothing accepted is lost and nobody is refused who need not be: readiness goes down,
//! load balancers look elsewhere, listeners drain, then consumers and senders finish what they hold, then the
//! simulator and the database go. A second signal, or the deadline, ends it at once: leases expire, and rows wait.
//!
//! Read this file first, then `process/running.rs` (what runs, and in which order it ends).

mod announcement;
mod inside;
mod listeners;
mod place;
mod running;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;
use plaza_crypto::KeyRing;
use plaza_database::{Database, Databases};
use plaza_kernel::Clock;
use plaza_telemetry::Telemetry;
use plaza_vault::{Vault, registered};

use crate::addresses::Addresses;
use crate::assembly::{Assembly, Ground};
use crate::config::{Config, Environment};
use crate::hosting::{Duty, Hosting};
use crate::local::{Local, Purpose, make_data_folder};
use crate::signals::Signals;
use crate::trust;

use listeners::Listeners;
pub(crate) use listeners::bind;
use running::Running;

/// Runs a process from start to end.
///
/// # Errors
/// When it cannot start, or did not end in order.
pub(crate) async fn run(
    mut config: Config,
    environment: &Environment,
    telemetry: Telemetry,
    duty: Duty,
) -> anyhow::Result<()> {
    let begun = Instant::now();
    let mut signals = Signals::install()?;
    let hosting = Hosting::of(&duty, &config)?;
    let configured = match duty {
        Duty::Up => None,
        // The front door alone needs no database and gets none.
        Duty::Serve(_) | Duty::Work(_) if hosting.assembles.is_empty() => Some(None),
        Duty::Serve(_) | Duty::Work(_) => Some(Some(Local::configured(&config, Purpose::Parts(&hosting))?)),
    };
    place::check_origin(&config.server, &duty, &hosting)?;
    let folder = make_data_folder(&config)?;
    // Bound before a database is started, so that a port in use is told at once and nothing has to be undone.
    let listeners = Listeners::bind(&config, &duty, &hosting).await?;
    let addresses = listeners.addresses()?;
    let local = match configured {
        Some(local) => local,
        None => tokio::select! {
            found = Local::find_or_make(&mut config, environment) => Some(found?),
            // A cluster that is being started is asked to end when it is dropped.
            signal = signals.next() => anyhow::bail!("{signal} while starting"),
        },
    };
    let start = Start {
        duty,
        hosting,
        config,
        telemetry: telemetry.clone(),
        folder,
        listeners,
        addresses,
        begun,
    };
    let result = start.serve(local.as_ref(), &mut signals).await;
    if let Some(cluster) = local.and_then(|local| local.cluster) {
        cluster.stop().await?;
    }
    // Last: what went on until here is told too. Whoever asked twice is not kept waiting.
    if result.is_ok() {
        telemetry.shutdown();
    }
    result
}

/// What `run` found, for the rest of the process' life.
struct Start {
    duty: Duty,
    hosting: Hosting,
    config: Config,
    telemetry: Telemetry,
    /// The data folder.
    folder: PathBuf,
    listeners: Listeners,
    addresses: Addresses,
    /// When the process began.
    begun: Instant,
}

impl Start {
    async fn serve(self, local: Option<&Local>, signals: &mut Signals) -> anyhow::Result<()> {
        let longest = self.longest_end();
        let (running, assembly) = tokio::select! {
            begun = self.begin(local) => begun?,
            signal = signals.next() => {
                println!("{signal} while starting: stopped");
                return Ok(());
            }
        };
        stop_when_asked(&running, signals, longest).await?;
        // Services know each other in circles; without them the last connections to the database close.
        assembly.directory.close();
        println!("stopped");
        Ok(())
    }

    /// How long the end may take before it is given up: what the settings allow, and some time to spare.
    fn longest_end(&self) -> Duration {
        let server = &self.config.server;
        let delay = Duration::from_millis(server.drain_delay_milliseconds);
        delay * 2 + Duration::from_secs(server.drain_seconds) + Duration::from_secs(10)
    }

    async fn begin(mut self, local: Option<&Local>) -> anyhow::Result<(Running, Assembly)> {
        let public_url = place::public_url(&self.config.server, self.addresses);
        place::adapt(&mut self.config, &self.duty, &self.folder, self.addresses);
        if let (Duty::Up, Some(local)) = (&self.duty, local) {
            local.migrate().await?;
        }
        let clock = Clock::system();
        let mut assembly = assemble(&self.config, local, &self.hosting, &clock, public_url.clone())?;
        check_logins(assembly.databases()).await?;
        check_keys(assembly.databases(), local, &clock).await?;
        if let Some(identity) = &assembly.services.identity {
            identity.prepare().await.context("identity cannot start")?;
        }

        // Before anything answers: whoever finds the process ready finds the link too, and one that cannot make it has
        // served nobody.
        announcement::offer_setup_link(&assembly, &self.duty, &self.folder, &public_url).await?;
        let mut running = Running::new(self.config, self.telemetry, clock, &assembly);
        if let Some(listener) = self.listeners.simulator {
            running.start_simulator(listener)?;
        }
        running.look_after_remotes(&assembly);
        running.listen_inside(self.listeners.internal, &assembly).await?;
        if let Some(listener) = self.listeners.public {
            running.listen_outside(listener, &assembly)?;
        }
        running.start_work(&mut assembly);
        announcement::announce(self.addresses, &self.folder, self.begun)?;
        Ok((running, assembly))
    }
}

/// Waits for a signal and ends what runs; a second signal, or the end of all patience, ends the process.
async fn stop_when_asked(running: &Running, signals: &mut Signals, longest: Duration) -> anyhow::Result<()> {
    let signal = signals.next().await;
    println!("{signal}: stopping; once more to stop at once");
    tokio::select! {
        () = running.stop() => Ok(()),
        _ = signals.next() => {
            anyhow::bail!("stopped before everything had ended; leases run out and the rest is taken up again")
        }
        () = tokio::time::sleep(longest) => {
            anyhow::bail!("not everything ended within {longest:?}; leases run out and the rest is taken up again")
        }
    }
}

/// Composes the parts of a process.
pub(crate) fn assemble(
    config: &Config,
    local: Option<&Local>,
    hosting: &Hosting,
    clock: &Clock,
    public_url: String,
) -> anyhow::Result<Assembly> {
    let databases = local.map(|local| Databases::new(local.database.clone()));
    let databases = databases
        .transpose()
        .context("the database settings cannot be used")?;
    let keys = local
        .and_then(|local| local.encryption_key.as_ref())
        .map(KeyRing::parse);
    let own = local.and_then(|local| local.internal_key.as_ref());
    Assembly::new(&Ground {
        config,
        hosting,
        databases: databases.as_ref(),
        keys: keys.transpose().context("the encryption key cannot be used")?,
        internal_keys: trust::internal_keys(&config.internal, own, hosting)?,
        clock: clock.clone(),
        public_url,
    })
}

/// Without a key that something was sealed with, secrets would seem damaged that are not: nobody starts.
async fn check_keys(databases: &[Database], local: Option<&Local>, clock: &Clock) -> anyhow::Result<()> {
    let Some(key) = local.and_then(|local| local.encryption_key.as_ref()) else {
        return Ok(());
    };
    let ring = KeyRing::parse(key).context("the encryption key cannot be used")?;
    let sealing = databases
        .iter()
        .filter(|database| registered(database.service()).next().is_some());
    for database in sealing {
        let vault = Vault::new(database.clone(), ring.clone(), clock.clone());
        vault
            .check()
            .await
            .with_context(|| format!("the secrets of {} cannot be opened", database.service()))?;
    }
    Ok(())
}

/// A superuser, or a role that bypasses row-level security, would see every tenant: no service runs as one.
async fn check_logins(databases: &[Database]) -> anyhow::Result<()> {
    let checks = databases.iter().map(|database| async move {
        let service = database.service();
        database
            .check_logins()
            .await
            .with_context(|| format!("{service} may not run with its database login"))
    });
    futures_util::future::try_join_all(checks).await.map(drop)
}
