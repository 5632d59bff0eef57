//! What a broker of ours is told: its files and its environment.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use secrecy::{ExposeSecret, SecretString};

use super::management;

/// The login of tests: an administrator, so that it may make virtual hosts.
pub(super) const USER: &str = "plaza";

const NODE: &str = "plaza@localhost";

/// Where a broker lives, and on which ports.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) folder: PathBuf,
    pub(super) port: u16,
    pub(super) password: SecretString,
}

impl Settings {
    /// Ports that are free now, and a new password.
    pub(super) fn new(folder: &Path) -> Result<Self> {
        Ok(Self {
            folder: folder.to_owned(),
            port: crate::ports::free(&[1, 2, management::PORTS_HIGHER])?,
            password: plaza_crypto::random_token(),
        })
    }

    fn distribution_port(&self) -> u16 {
        self.port + 1
    }

    pub(super) fn port_mapper_port(&self) -> u16 {
        self.port + 2
    }

    /// `amqp://user:password@127.0.0.1:port`.
    pub(super) fn url(&self) -> SecretString {
        // The password is URL-safe base64: nothing in it needs escaping.
        let (password, port) = (self.password.expose_secret(), self.port);
        format!("amqp://{USER}:{password}@127.0.0.1:{port}").into()
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// What the start script and the broker print.
    pub(super) fn output(&self) -> PathBuf {
        self.at("output")
    }

    /// The folder of its queues and messages.
    pub(super) fn data(&self) -> PathBuf {
        self.at("data")
    }

    /// Writes the broker's files. Only its user may look into the folder.
    pub(super) fn write(&self) -> Result<()> {
        for folder in [self.folder.clone(), self.at("home"), self.data(), self.at("log")] {
            std::fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&folder)
                .with_context(|| format!("{} cannot be made", folder.display()))?;
        }
        write_private(&self.at("rabbitmq.conf"), &self.configuration())?;
        write_private(&self.at("enabled_plugins"), "[rabbitmq_management].\n")?;
        let cookie = self.at("home/.erlang.cookie");
        if !cookie.exists() {
            write_private(&cookie, plaza_crypto::random_token().expose_secret())?;
        }
        Ok(())
    }

    fn configuration(&self) -> String {
        let (port, password) = (self.port, self.password.expose_secret());
        let management = self.port + management::PORTS_HIGHER;
        format!(
            "listeners.tcp.1 = 127.0.0.1:{port}
# For making virtual hosts. It gathers no statistics.
management.tcp.ip = 127.0.0.1
management.tcp.port = {management}
management.disable_stats = true
management_agent.disable_metrics_collector = true
default_user = {USER}
default_pass = {password}
default_user_tags.administrator = true
# Publishers are held back above this, which is more than all tests of one run keep in queues.
vm_memory_high_watermark.absolute = 1GB
disk_free_limit.absolute = 50MB
# Kept in memory up to several times its size; 512 MB by default.
raft.wal_max_size_bytes = 33554432
log.file = rabbitmq.log
log.file.level = info
log.console = false
"
        )
    }

    /// Tells the start script where everything is, and nothing of this machine's own broker.
    pub(super) fn tell_server(&self, command: &mut Command) {
        self.tell_port_mapper(command);
        command
            .env("LANG", "C.UTF-8")
            .env("RABBITMQ_NODENAME", NODE)
            .env("RABBITMQ_CONFIG_FILE", self.at("rabbitmq.conf"))
            .env("RABBITMQ_ADVANCED_CONFIG_FILE", self.at("no-advanced.config"))
            .env("RABBITMQ_CONF_ENV_FILE", self.at("no-environment"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", self.at("enabled_plugins"))
            .env("RABBITMQ_MNESIA_BASE", self.data())
            .env("RABBITMQ_LOG_BASE", self.at("log"))
            .env("RABBITMQ_DIST_PORT", self.distribution_port().to_string())
            .env(
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                // Two schedulers, however many cores there are: other brokers and tests run beside.
                "-kernel inet_dist_use_interface {127,0,0,1} +S 2:2",
            );
    }

    /// Tells the broker's own tools which node is meant.
    pub(super) fn tell_tools(&self, command: &mut Command) {
        self.tell_port_mapper(command);
        command
            .env("LANG", "C.UTF-8")
            .env("RABBITMQ_NODENAME", NODE)
            .env("RABBITMQ_CONF_ENV_FILE", self.at("no-environment"));
    }

    /// Tells Erlang's port mapper where to listen: here only, on a port that no other Erlang asks.
    pub(super) fn tell_port_mapper(&self, command: &mut Command) {
        command
            .current_dir(&self.folder)
            .env("HOME", self.at("home"))
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("ERL_EPMD_PORT", self.port_mapper_port().to_string());
    }

    /// The end of what the broker said, for an error.
    pub(super) fn last_words(&self) -> String {
        let tail = |path: PathBuf| {
            let text = std::fs::read(path).unwrap_or_default();
            let text = String::from_utf8_lossy(&text).into_owned();
            let lines: Vec<&str> = text.lines().collect();
            lines[lines.len().saturating_sub(15)..].join("\n")
        };
        format!("{}\n{}", tail(self.output()), tail(self.at("log/rabbitmq.log")))
    }
}

/// Erlang refuses a cookie that others may read, and the configuration holds the password.
fn write_private(path: &Path, text: &str) -> Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("{} cannot be written", path.display()))?;
    Ok(file.write_all(text.as_bytes())?)
}
