//! The command line.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::commands;
use crate::commands::doctor::Scope;
use crate::config::{Config, Environment, Flags};
use crate::hosting::Duty;
use crate::process;

/// What `up` usually wants: whoever tries it out may register, and the simulator takes what Meta gives busy numbers.
const UP: &[(&str, &str)] = &[
    ("identity.registration", "open"),
    ("notification.default_rate", "1000"),
];

/// What `serve` usually wants: that load balancers see it go.
const SERVE: &[(&str, &str)] = &[("server.drain_delay_milliseconds", "5000")];

/// What `worker` usually wants: to run on the same machine as `serve`, whose internal listener has its usual port.
const WORKER: &[(&str, &str)] = &[
    ("server.internal_listen", "127.0.0.1:0"),
    ("server.drain_delay_milliseconds", "0"),
];

/// One multitenant backend: identity, gateway, campaigns.
#[derive(Debug, Parser)]
#[command(
    name = "plaza",
    version = plaza_telemetry::Version::LONG,
    after_help = "Examples:\n  plaza                                   everything, on this machine, nothing else to install\n  plaza import recipients people.csv --tenant acme --country DE\n  DATABASE_URL=… PLAZA_DATABASE_ROLE_KEY=… ENCRYPTION_KEY=… plaza serve\n\nConfiguration: plaza.toml < environment (PLAZA_SECTION__KEY) < flags."
)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Args)]
struct Global {
    /// The configuration file (`plaza.toml` here, if there is one).
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where Plaza keeps what belongs to this machine.
    #[arg(long, global = true, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// What is logged: `info`, `plaza_gateway=debug,info`, …
    #[arg(long, global = true, value_name = "FILTER")]
    log: Option<String>,
    /// How log lines look: `pretty` or `json`.
    #[arg(long, global = true, value_name = "FORMAT")]
    log_format: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run everything on this machine: database, simulator and all services (the default).
    Up(Listen),
    /// Run everything on the configured database, or only some parts of it: `gateway` and names of services. Parts that
    /// run elsewhere are found by their addresses.
    #[command(
        after_help = "Examples:\n  plaza serve\n  plaza serve gateway\n  plaza serve identity access\n\nA process that hosts some parts needs PLAZA_SERVICES__<NAME> for the others, RABBITMQ_URL and PLAZA_INTERNAL_KEY."
    )]
    Serve {
        /// What to host; everything unless named.
        parts: Vec<String>,
        #[command(flatten)]
        listen: Listen,
    },
    /// Run only background work, beside a `plaza serve` on the same database. Metrics and health are on a port that
    /// is free, unless one is configured.
    #[command(after_help = "Example:\n  plaza worker notification")]
    Worker {
        /// Whose work; all services' unless named.
        services: Vec<String>,
        #[command(flatten)]
        listen: Listen,
    },
    /// Make or update roles, schemas and tables.
    Migrate,
    /// Run the provider simulator alone.
    #[command(
        after_help = "Example:\n  plaza simulator --listen 127.0.0.1:9090 --seed 7 --state simulator.jsonl \\\n      --callback-url http://127.0.0.1:8080/webhooks/meta --app-secret SECRET"
    )]
    Simulator(SimulatorArguments),
    /// Fill the database with examples.
    #[command(subcommand)]
    Seed(Seed),
    /// Bring data in.
    #[command(subcommand)]
    Import(Import),
    /// The broker's exchanges and queues, and what nobody could consume.
    #[command(subcommand)]
    Events(Events),
    /// Look at everything a process needs, change nothing, and say what to do.
    Doctor {
        /// Only whether the database keeps tenants apart: `isolation`.
        area: Option<Area>,
    },
    /// Make a signing key for each part, to be given out one by one instead of `internal.key`.
    InternalKeys,
    /// Print every route: method, path, who may, which service.
    Routes,
    /// Print the OpenAPI document.
    Openapi,
}

/// What `doctor` looks at.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Area {
    /// Whether the database keeps tenants apart.
    Isolation,
}

#[derive(Debug, Subcommand)]
enum Events {
    /// Print every exchange, queue and event.
    Topology {
        /// Declare them on the configured broker.
        #[arg(long)]
        apply: bool,
    },
    /// What nobody could consume, in the databases and on the broker.
    #[command(subcommand)]
    Dlq(Dlq),
}

#[derive(Debug, Subcommand)]
enum Dlq {
    /// One line a letter: queue, event, name, tenant, deliveries, time, reason.
    List {
        /// Only those of this queue: the name of a consumer.
        queue: Option<String>,
    },
    /// Deliver letters again.
    Replay(Selection),
    /// Throw letters away.
    Discard(Selection),
}

/// One letter, or all of a queue.
#[derive(Debug, Args)]
#[group(required = false)]
struct Selection {
    /// The queue: the name of a consumer.
    queue: String,
    /// The event's id.
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    event: Option<String>,
    /// All of the queue.
    #[arg(long)]
    all: bool,
}

impl From<Dlq> for commands::events::Letters {
    fn from(given: Dlq) -> Self {
        match given {
            Dlq::List { queue } => Self::List { queue },
            Dlq::Replay(Selection { queue, event, .. }) => Self::Replay { queue, event },
            Dlq::Discard(Selection { queue, event, .. }) => Self::Discard { queue, event },
        }
    }
}

#[derive(Debug, Args)]
struct Listen {
    /// The public listener; port 0 picks one.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// The internal listener: metrics, health, and the services for each other.
    #[arg(long, value_name = "ADDRESS")]
    internal_listen: Option<SocketAddr>,
}

/// How `plaza simulator` runs.
#[derive(Debug, Args)]
pub(crate) struct SimulatorArguments {
    /// Its listener; port 0 picks one.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Decides every delay, repetition, swap and failure.
    #[arg(long)]
    seed: Option<u64>,
    /// Where accepted messages are kept.
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Where callbacks go.
    #[arg(long, value_name = "URL")]
    callback_url: Option<String>,
    /// What callbacks are signed with.
    #[arg(long, value_name = "SECRET", env = "PLAZA_SIMULATOR_APP_SECRET")]
    app_secret: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Seed {
    /// A tenant `demo` with an owner, a template and a few recipients. Its password is random and printed once.
    Demo,
}

#[derive(Debug, Subcommand)]
enum Import {
    /// Import recipients from a CSV file into a tenant.
    #[command(after_help = "Example:\n  plaza import recipients people.csv --tenant acme --country DE")]
    Recipients {
        /// The file.
        file: PathBuf,
        /// The tenant's slug.
        #[arg(long)]
        tenant: String,
        /// The country of numbers that name none: ISO 3166-1 alpha-2.
        #[arg(long)]
        country: Option<String>,
    },
}

/// Runs the command line.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Nothing can be done about a terminal that takes no text.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match execute(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("plaza: {error}");
            for cause in error.chain().skip(1) {
                eprintln!("  because: {cause}");
            }
            ExitCode::FAILURE
        }
    }
}

fn execute(cli: Cli) -> anyhow::Result<()> {
    // The first of all: whatever makes a TLS client later finds the one provider there is.
    if rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .is_err()
    {
        anyhow::bail!("a TLS provider is installed already");
    }
    let environment = Environment::read();
    let flags = cli.flags();
    let config = Config::load(&flags, &environment)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(dispatch(cli.command, config, &flags, &environment))
}

async fn dispatch(
    command: Option<Command>,
    config: Config,
    flags: &Flags,
    environment: &Environment,
) -> anyhow::Result<()> {
    match command {
        None | Some(Command::Up(_)) => run_process(config, environment, Duty::Up).await,
        Some(Command::Serve { parts, .. }) => {
            let parts = commands::parts::hosted(&parts)?;
            run_process(config, environment, Duty::Serve(parts)).await
        }
        Some(Command::Worker { services, .. }) => {
            let services = commands::parts::worked_on(&services)?;
            run_process(config, environment, Duty::Work(services)).await
        }
        Some(Command::Migrate) => commands::migrate::run(config).await,
        Some(Command::Simulator(_)) => commands::simulator::run(config).await,
        Some(Command::Seed(Seed::Demo)) => commands::seed::run(config, environment).await,
        Some(Command::Import(Import::Recipients {
            file,
            tenant,
            country,
        })) => commands::import::run(config, environment, &file, &tenant, country.as_deref()).await,
        Some(Command::Events(Events::Topology { apply })) => commands::events::topology(&config, apply).await,
        Some(Command::Events(Events::Dlq(what))) => {
            commands::events::letters(config, environment, what.into()).await
        }
        Some(Command::Doctor { area }) => {
            let scope = match area {
                None => Scope::All,
                Some(Area::Isolation) => Scope::Isolation,
            };
            let broker = commands::events::probe(&config)?;
            commands::doctor::run(&config, flags, environment, scope, broker).await
        }
        Some(Command::InternalKeys) => commands::internal_keys::run(),
        Some(Command::Routes) => commands::routes::run(&config),
        Some(Command::Openapi) => commands::openapi::run(&config),
    }
}

async fn run_process(config: Config, environment: &Environment, duty: Duty) -> anyhow::Result<()> {
    let telemetry = plaza_telemetry::init_for(&config.telemetry, &duty.to_string())?;
    process::run(config, environment, telemetry, duty).await
}

impl Cli {
    /// Flags as configuration: they win over the environment.
    fn flags(&self) -> Flags {
        let mut flags = Flags {
            file: self.global.config.clone(),
            ..Flags::default()
        };
        flags.push("data", self.global.data.as_ref().map(|path| path.display()));
        flags.push("telemetry.filter", self.global.log.as_ref());
        flags.push("telemetry.format", self.global.log_format.as_ref());
        flags.usual = match &self.command {
            None | Some(Command::Up(_)) => UP,
            Some(Command::Serve { .. }) => SERVE,
            Some(Command::Worker { .. }) => WORKER,
            Some(_) => &[],
        };
        match &self.command {
            Some(Command::Up(listen) | Command::Serve { listen, .. } | Command::Worker { listen, .. }) => {
                flags.push("server.listen", listen.listen);
                flags.push("server.internal_listen", listen.internal_listen);
            }
            Some(Command::Simulator(arguments)) => {
                flags.push("simulator.listen", arguments.listen);
                flags.push("simulator.seed", arguments.seed);
                flags.push(
                    "simulator.state_file",
                    arguments.state.as_ref().map(|path| path.display()),
                );
                flags.push("simulator.callback_url", arguments.callback_url.as_ref());
                flags.push("simulator.app_secret", arguments.app_secret.as_ref());
            }
            _ => {}
        }
        flags
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }
}
