//! The commands that run until they are stopped: what they take, and what they usually want.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use crate::config::{Config, Environment, Flags};
use crate::hosting::Duty;
use crate::process;

/// What `up` usually wants: whoever tries it out may register, and is not slowed down on their own machine; the simulator takes
/// what Meta gives busy numbers.
pub(super) const UP: &[(&str, &str)] = &[
    ("identity.registration", "open"),
    ("identity.email_verification", "offered"),
    ("identity.throttle.loopback_exempt", "true"),
    ("notification.default_rate", "1000"),
];

/// What `serve` usually wants: that load balancers see it go.
pub(super) const SERVE: &[(&str, &str)] = &[("server.drain_delay_milliseconds", "5000")];

/// What `worker` usually wants: to run on the same machine as `serve`, whose internal listener has its usual port.
pub(super) const WORKER: &[(&str, &str)] = &[
    ("server.internal_listen", "127.0.0.1:0"),
    ("server.drain_delay_milliseconds", "0"),
];

#[derive(Debug, Args)]
pub(super) struct Listen {
    /// The public listener; port 0 picks one.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// The internal listener: metrics, health, and the services for each other.
    #[arg(long, value_name = "ADDRESS")]
    internal_listen: Option<SocketAddr>,
}

impl Listen {
    /// As configuration.
    pub(super) fn push(&self, flags: &mut Flags) {
        flags.push("server.listen", self.listen);
        flags.push("server.internal_listen", self.internal_listen);
    }
}

/// How `plaza simulator` runs.
#[derive(Debug, Args)]
pub(super) struct SimulatorArguments {
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

impl SimulatorArguments {
    /// As configuration.
    pub(super) fn push(&self, flags: &mut Flags) {
        flags.push("simulator.listen", self.listen);
        flags.push("simulator.seed", self.seed);
        flags.push(
            "simulator.state_file",
            self.state.as_ref().map(|path| path.display()),
        );
        flags.push("simulator.callback_url", self.callback_url.as_ref());
        flags.push("simulator.app_secret", self.app_secret.as_ref());
    }
}

/// Runs the services until told to stop.
///
/// # Errors
/// When the process cannot start, or did not end in order.
pub(super) async fn run_process(config: Config, environment: &Environment, duty: Duty) -> anyhow::Result<()> {
    let telemetry = plaza_telemetry::init_for(&config.telemetry, &duty.to_string())?;
    process::run(config, environment, telemetry, duty).await
}
