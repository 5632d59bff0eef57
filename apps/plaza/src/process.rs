//! How a process starts and stops.
//!
//! The end is ordered so that nothing accepted is lost and nobody is refused who need not be: readiness goes down,
//! load balancers look elsewhere, listeners drain, then consumers and senders finish what they hold, then the
//! simulator and the database go. A second signal, or the deadline, ends it at once: leases expire, and rows wait.
//!
//! Read this file first, then `process/running.rs` (what runs, and in which order it ends).

mod announcement;
mod listeners;
mod place;
mod running;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context;
use plaza_crypto::KeyRing;
use plaza_database::{Database, Databases};
use plaza_kernel::{Clock, ServiceName};
use plaza_telemetry::Telemetry;

use crate::addresses::Addresses;
use crate::assembly::{Assembly, Ground};
use crate::config::{Config, Environment};
use crate::local::{Local, make_data_folder};
use crate::signals::Signals;

use listeners::Listeners;
pub(crate) use listeners::bind;
use running::Running;

/// What a process is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Duty {
    /// `up`: everything, with what a laptop needs.
    Up,
    /// `serve`: everything, on the configured database.
    Serve,
    /// `worker`: the background work of these services, without a public listener.
    Work(Vec<ServiceName>),
}

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
    let configured = match duty {
        Duty::Up => None,
        Duty::Serve | Duty::Work(_) => Some(Local::configured(&config)?),
    };
    place::check_origin(&config.server, &duty)?;
    let folder = make_data_folder(&config)?;
    // Bound before a database is started, so that a port in use is told at once and nothing has to be undone.
    let listeners = Listeners::bind(&config, &duty).await?;
    let addresses = listeners.addresses()?;
    let local = match configured {
        Some(local) => local,
        None => tokio::select! {
            found = Local::find_or_make(&mut config, environment) => found?,
            // A cluster that is being started is asked to end when it is dropped.
            signal = signals.next() => anyhow::bail!("{signal} while starting"),
        },
    };
    let start = Start {
        duty,
        config,
        telemetry,
        folder,
        listeners,
        addresses,
        begun,
    };
    let result = start.serve(&local, &mut signals).await;
    if let Some(cluster) = local.cluster {
        cluster.stop().await?;
    }
    result
}

/// What `run` found, for the rest of the process' life.
struct Start {
    duty: Duty,
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
    async fn serve(self, local: &Local, signals: &mut Signals) -> anyhow::Result<()> {
        let (running, assembly) = tokio::select! {
            begun = self.begin(local) => begun?,
            signal = signals.next() => {
                println!("{signal} while starting: stopped");
                return Ok(());
            }
        };
        stop_when_asked(&running, signals).await?;
        // Services know each other in circles; without them the last connections to the database close.
        assembly.directory.close();
        println!("stopped");
        Ok(())
    }

    async fn begin(mut self, local: &Local) -> anyhow::Result<(Running, Assembly)> {
        let public_url = place::public_url(&self.config.server, self.addresses);
        place::adapt(&mut self.config, &self.duty, &self.folder, self.addresses);
        if self.duty == Duty::Up {
            local.migrate().await?;
        }
        let clock = Clock::system();
        let mut assembly = assemble(&self.config, local, &clock, public_url.clone())?;
        check_logins(assembly.databases()).await?;
        let identity = &assembly.services.identity;
        identity.prepare().await.context("identity cannot start")?;

        let running = Running::new(self.config, self.telemetry, clock, assembly.databases());
        if let Some(listener) = self.listeners.simulator {
            running.start_simulator(listener)?;
        }
        running.listen_inside(self.listeners.internal);
        if let Some(listener) = self.listeners.public {
            running.listen_outside(listener, &assembly)?;
            announcement::offer_setup_link(&assembly, &self.folder, &public_url).await?;
        }
        running.start_work(&mut assembly, &self.duty);
        announcement::announce(self.addresses, &self.folder, self.begun)?;
        Ok((running, assembly))
    }
}

/// Waits for a signal and ends what runs; a second signal ends the process.
async fn stop_when_asked(running: &Running, signals: &mut Signals) -> anyhow::Result<()> {
    let signal = signals.next().await;
    println!("{signal}: stopping; once more to stop at once");
    tokio::select! {
        () = running.stop() => Ok(()),
        _ = signals.next() => {
            anyhow::bail!("stopped before everything had ended; leases run out and the rest is taken up again")
        }
    }
}

/// Composes the services of a process.
pub(crate) fn assemble(
    config: &Config,
    local: &Local,
    clock: &Clock,
    public_url: String,
) -> anyhow::Result<Assembly> {
    let databases = Databases::new(local.database.clone()).context("the database settings cannot be used")?;
    let keys = KeyRing::parse(&local.encryption_key).context("the encryption key cannot be used")?;
    Assembly::new(&Ground {
        config,
        databases: &databases,
        keys,
        clock: clock.clone(),
        public_url,
    })
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
