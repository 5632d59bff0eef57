//! How a process starts and stops.
//!
//! The end is ordered so that nothing accepted is lost and nobody is refused who need not be: readiness goes down,
//! load balancers look elsewhere, listeners drain, then consumers and senders finish what they hold, then the
//! simulator and the database go. A second signal, or the deadline, ends it at once: leases expire, and rows wait.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use axum::Router;
use axum::routing::get;
use plaza_contracts::services::ALL;
use plaza_crypto::KeyRing;
use plaza_database::{Database, Databases};
use plaza_kernel::{Clock, ServiceName};
use plaza_simulator::Simulator;
use plaza_telemetry::Telemetry;
use plaza_web::health::Health;
use plaza_web::openapi;
use plaza_web::server::{self, ServerSettings};
use secrecy::ExposeSecret;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::addresses::Addresses;
use crate::assembly::{Assembly, Ground};
use crate::config::{Config, Environment};
use crate::local::{Local, make_data_folder};
use crate::secrets::write_private;
use crate::signals;

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
    let configured = match duty {
        Duty::Up => None,
        Duty::Serve | Duty::Work(_) => Some(Local::configured(&config)?),
    };
    let folder = make_data_folder(&config)?;
    // Bound before a database is started, so that a port in use is told at once and nothing has to be undone.
    let listeners = Listeners::bind(&config, &duty).await?;
    let addresses = listeners.addresses()?;
    let local = match configured {
        Some(local) => local,
        None => Local::find_or_make(&mut config, environment).await?,
    };
    let result = serve(
        config, &local, telemetry, duty, &folder, listeners, addresses, begun,
    )
    .await;
    if let Some(cluster) = local.cluster {
        cluster.stop().await?;
    }
    result
}

#[expect(
    clippy::too_many_arguments,
    reason = "what `run` found, once, for the rest of the process' life"
)]
async fn serve(
    mut config: Config,
    local: &Local,
    telemetry: Telemetry,
    duty: Duty,
    folder: &Path,
    listeners: Listeners,
    addresses: Addresses,
    begun: Instant,
) -> anyhow::Result<()> {
    let public_url = public_url(&config, addresses);
    adapt(&mut config, &duty, folder, addresses);
    if duty == Duty::Up {
        local.migrate().await?;
    }
    let clock = Clock::system();
    let mut assembly = assemble(&config, local, &clock, public_url.clone())?;
    check_logins(assembly.databases()).await?;
    assembly
        .identity
        .prepare()
        .await
        .context("identity cannot start")?;

    let process = Process::new(config, telemetry, clock, assembly.databases());
    if let Some(listener) = listeners.simulator {
        process.start_simulator(listener)?;
    }
    process.listen_inside(listeners.internal);
    if let Some(listener) = listeners.public {
        process.listen_outside(listener, &assembly)?;
        offer_setup_link(&assembly, folder, &public_url).await?;
    }
    process.start_work(&mut assembly, &duty);
    addresses.write(folder)?;
    announce(addresses, &config_folder(folder), begun);

    let signal = signals::asked_to_stop().await?;
    println!("{signal}: stopping; once more to stop at once");
    tokio::select! {
        () = process.stop() => {}
        second = signals::asked_to_stop() => {
            second?;
            anyhow::bail!("stopped before everything had ended; leases run out and the rest is taken up again");
        }
    }
    // Services know each other in circles; without them the last connections to the database close.
    assembly.directory.close();
    println!("stopped");
    Ok(())
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

/// What follows from where the process runs: the simulator's address, absolute folders.
fn adapt(config: &mut Config, duty: &Duty, folder: &Path, addresses: Addresses) {
    if config.broadcast.objects.is_relative() {
        config.broadcast.objects = folder.join("objects");
    }
    if *duty != Duty::Up || !config.development.simulator {
        return;
    }
    let local = addresses.simulator.map(|address| format!("http://{address}"));
    if let Some(url) = config.development.simulator_url.clone().or(local) {
        config.notification.whatsapp.base_url = url;
        config.notification.development_sender = true;
    }
    if let Some(public) = addresses.public {
        config
            .simulator
            .callback_url
            .get_or_insert_with(|| format!("http://{public}/webhooks/meta"));
    }
    config
        .simulator
        .state_file
        .get_or_insert_with(|| folder.join("simulator.jsonl"));
}

fn public_url(config: &Config, addresses: Addresses) -> String {
    let given = config
        .server
        .public_url
        .as_deref()
        .map(|url| url.trim_end_matches('/').to_owned());
    let listened = || format!("http://{}", addresses.public.unwrap_or(config.server.listen));
    given.unwrap_or_else(listened)
}

/// Prints the link that makes the first administrator, and keeps it in a file that only the operator can read; once
/// it was used, neither.
async fn offer_setup_link(assembly: &Assembly, folder: &Path, public_url: &str) -> anyhow::Result<()> {
    let path = folder.join("setup-link");
    match assembly
        .identity
        .setup_link()
        .await
        .context("no setup link could be made")?
    {
        Some(token) => {
            let link = format!("{public_url}/setup?token={}", token.expose_secret());
            write_private(&path, &format!("{link}\n"))?;
            println!("setup link: {link}");
        }
        None if path.exists() => std::fs::remove_file(&path)?,
        None => {}
    }
    Ok(())
}

fn announce(addresses: Addresses, folder: &Path, begun: Instant) {
    let line = |name: &str, address: SocketAddr| println!("  {name:<10} http://{address}");
    println!(
        "plaza {} is ready in {:.1} s",
        plaza_telemetry::VERSION,
        begun.elapsed().as_secs_f64()
    );
    if let Some(public) = addresses.public {
        line("public", public);
    }
    line("internal", addresses.internal);
    if let Some(simulator) = addresses.simulator {
        line("simulator", simulator);
    }
    println!("  {:<10} {}", "data", folder.display());
}

fn config_folder(folder: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    folder.strip_prefix(here).unwrap_or(folder).to_path_buf()
}

/// The listeners of a process, bound.
struct Listeners {
    public: Option<TcpListener>,
    internal: TcpListener,
    simulator: Option<TcpListener>,
}

impl Listeners {
    async fn bind(config: &Config, duty: &Duty) -> anyhow::Result<Self> {
        let works_only = matches!(duty, Duty::Work(_));
        let simulated = *duty == Duty::Up && config.development.simulator;
        let own_simulator = simulated && config.development.simulator_url.is_none();
        Ok(Self {
            public: if works_only {
                None
            } else {
                Some(bind("server.listen", config.server.listen).await?)
            },
            internal: bind("server.internal_listen", config.server.internal_listen).await?,
            simulator: match own_simulator {
                true => Some(bind("simulator.listen", config.simulator.listen).await?),
                false => None,
            },
        })
    }

    fn addresses(&self) -> std::io::Result<Addresses> {
        Ok(Addresses {
            public: self.public.as_ref().map(TcpListener::local_addr).transpose()?,
            internal: self.internal.local_addr()?,
            simulator: self.simulator.as_ref().map(TcpListener::local_addr).transpose()?,
        })
    }
}

pub(crate) async fn bind(setting: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address}; choose another address with {setting} (port 0 picks one)")
    })
}

/// What runs, in the order in which it ends.
struct Process {
    config: Config,
    telemetry: Telemetry,
    clock: Clock,
    health: Health,
    /// Listeners and requests.
    requests: Group,
    /// Consumers, senders, planners.
    work: Group,
    /// What the others still need while they end: the simulator.
    last: Group,
}

#[derive(Default)]
struct Group {
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Group {
    /// Asks everything to end and waits; says whether all did in time.
    async fn end(&self, within: Duration) -> bool {
        self.stop.cancel();
        self.tasks.close();
        tokio::time::timeout(within, self.tasks.wait()).await.is_ok()
    }
}

impl Process {
    fn new(config: Config, telemetry: Telemetry, clock: Clock, databases: &[Database]) -> Self {
        let health = Health::new();
        // All services share a server unless configured otherwise; each answers for its own.
        for database in databases {
            let database = database.clone();
            health.check(database.service().as_str(), move || {
                let database = database.clone();
                async move { database.ping().await }
            });
        }
        let (requests, work, last) = (Group::default(), Group::default(), Group::default());
        Self {
            config,
            telemetry,
            clock,
            health,
            requests,
            work,
            last,
        }
    }

    fn start_simulator(&self, listener: TcpListener) -> anyhow::Result<()> {
        let simulator = Simulator::new(self.config.simulator.clone(), self.clock.clone())?;
        simulator.start(&self.last.tasks, self.last.stop.clone());
        let stop = self.last.stop.clone();
        self.last.tasks.spawn(async move {
            if let Err(error) = simulator.serve(listener, stop).await {
                tracing::error!(error = &error as &dyn std::error::Error, "simulator ended");
            }
        });
        Ok(())
    }

    /// Metrics and health.
    fn listen_inside(&self, listener: TcpListener) {
        let telemetry = self.telemetry.clone();
        let metrics = get(move || {
            let text = telemetry.render();
            async move { ([(http::header::CONTENT_TYPE, "text/plain; version=0.0.4")], text) }
        });
        let router = Router::new()
            .route("/metrics", metrics)
            .merge(self.health.router());
        self.listen(listener, router, true);
        self.telemetry
            .start(&self.requests.tasks, self.requests.stop.clone());
    }

    /// Health, the OpenAPI document, and the gateway before everything else.
    fn listen_outside(&self, listener: TcpListener, assembly: &Assembly) -> anyhow::Result<()> {
        let gateway = assembly.gateway(&self.config)?;
        let document = openapi::document(&assembly.apis);
        let router = self
            .health
            .router()
            .merge(openapi::router(&document))
            .fallback_service(gateway.router());
        self.listen(listener, router, false);
        Ok(())
    }

    fn listen(&self, listener: TcpListener, router: Router, internal: bool) {
        let drain = Duration::from_secs(self.config.server.drain_seconds);
        let settings = ServerSettings {
            drain,
            internal,
            ..ServerSettings::default()
        };
        let (clock, stop, tasks) = (
            self.clock.clone(),
            self.requests.stop.clone(),
            self.requests.tasks.clone(),
        );
        self.requests.tasks.spawn(async move {
            server::serve(listener, router, settings, clock, stop, &tasks).await;
        });
    }

    fn start_work(&self, assembly: &mut Assembly, duty: &Duty) {
        let services = match duty {
            Duty::Up | Duty::Serve => ALL.to_vec(),
            Duty::Work(services) => services.clone(),
        };
        assembly.start(&services, &self.work.tasks, &self.work.stop);
        assembly.start_messaging(&self.work.tasks, &self.work.stop);
    }

    async fn stop(&self) {
        let within = Duration::from_secs(self.config.server.drain_seconds);
        self.health.drain();
        tokio::time::sleep(Duration::from_millis(self.config.server.drain_delay_milliseconds)).await;
        let settle = Duration::from_secs(1);
        let requests = self.requests.end(within + settle).await;
        let work = self.work.end(within).await;
        let last = self.last.end(settle * 5).await;
        if !(requests && work && last) {
            tracing::warn!(requests, work, last, "not everything ended in time");
        }
    }
}
