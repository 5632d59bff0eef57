//! The command line. What commands take is beside it, in groups; what they do is in `commands` and `process`.

mod data;
mod doctor;
mod events;
mod processes;
mod secrets;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::commands;
use crate::commands::internal_keys::Form;
use crate::config::{Config, Environment, Flags};
use crate::hosting::Duty;

use data::{Import, Seed};
use doctor::Area;
use events::Events;
use processes::{Listen, SERVE, SimulatorArguments, UP, WORKER, run_process};
use secrets::{Audit, Secrets};

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
    /// The keys that secrets at rest are sealed with.
    #[command(subcommand)]
    Secrets(Secrets),
    /// Who did what: whether anybody changed it afterwards.
    #[command(subcommand)]
    Audit(Audit),
    /// Look at everything a process needs, change nothing, and say what to do.
    Doctor {
        /// Only whether the database keeps tenants apart: `isolation`.
        area: Option<Area>,
    },
    /// Make a signing key for each part, to be given out one by one instead of `internal.key`.
    InternalKeys {
        /// As lines of a `.env` instead of tables of `plaza.toml`.
        #[arg(long)]
        env: bool,
    },
    /// Print a token that proves one part to another for half a minute, to try an internal operation by hand.
    #[command(
        after_help = "Example:\n  curl -H \"x-plaza-internal-token: $(plaza internal-token --as tenancy --for identity)\" …"
    )]
    InternalToken {
        /// The part that asks.
        #[arg(long = "as", value_name = "PART")]
        issuer: String,
        /// The part that is asked.
        #[arg(long = "for", value_name = "PART")]
        audience: String,
    },
    /// Print the two logins of each service, to be given out one by one instead of `database.role_key`.
    DatabaseLogins,
    /// Print every route: method, path, who may, which service.
    Routes,
    /// Print the OpenAPI document.
    Openapi,
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
        Some(Command::Seed(what)) => what.run(config, environment).await,
        Some(Command::Import(what)) => what.run(config, environment).await,
        Some(Command::Events(what)) => what.run(config, environment).await,
        Some(Command::Secrets(what)) => what.run(config, environment).await,
        Some(Command::Audit(what)) => what.run(config, environment).await,
        Some(Command::Doctor { area }) => doctor::run(area, &config, flags, environment).await,
        Some(Command::InternalKeys { env }) => commands::internal_keys::run(match env {
            true => Form::Variables,
            false => Form::File,
        }),
        Some(Command::InternalToken { issuer, audience }) => {
            commands::internal_token::run(&config, &issuer, &audience)
        }
        Some(Command::DatabaseLogins) => commands::database_logins::run(&config),
        Some(Command::Routes) => commands::routes::run(&config),
        Some(Command::Openapi) => commands::openapi::run(&config),
    }
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
                listen.push(&mut flags);
            }
            Some(Command::Simulator(arguments)) => arguments.push(&mut flags),
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
