//! The processes of one broker: starting, waiting until it answers, ending.

use std::fs::OpenOptions;
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use secrecy::SecretString;
use tokio::net::TcpStream;

use super::settings::Settings;
use super::{PACKAGE, handshake};
use crate::marked::Mark;
use crate::programs;

/// Four seconds on an idle machine of two cores; many times that when everything else is being built beside it.
const READY_WITHIN: Duration = Duration::from_secs(180);
/// A broker with its management takes about six seconds to say goodbye.
const ENDED_WITHIN: Duration = Duration::from_secs(60);
const HERE: &str = "127.0.0.1";
/// The programs of the same names in `/usr/sbin` of Debian change users and write to `/var`.
const PROGRAMS: &str = "/usr/lib/rabbitmq/bin";

/// A broker of ours. It runs on when this value is dropped: see [`Server::mark`].
pub(super) struct Server {
    settings: Settings,
    mark: Mark,
    // Empty while it is down. Kept so that they are waited for: the port mapper, then the start script.
    children: Vec<Child>,
}

impl Server {
    /// Starts a new broker with the data that are in the mark's folder, and waits until it answers. On other ports if
    /// somebody else took the first ones meanwhile.
    pub(super) async fn start(mark: Mark) -> Result<Self> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let mut server = Self {
                settings: Settings::new(mark.folder())?,
                mark: mark.clone(),
                children: Vec::new(),
            };
            match server.start_again().await {
                Ok(()) => return Ok(server),
                Err(error) if attempts < 3 && server.ports_were_taken() => {
                    tracing::debug!(error = %format!("{error:#}"), "ports were taken, trying others");
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Starts it on its ports and data, and waits until it answers.
    pub(super) async fn start_again(&mut self) -> Result<()> {
        if self.mark.lives() {
            bail!("the broker in {} still runs", self.settings.folder.display());
        }
        let ready = match self.spawn().await {
            Ok(()) => self.ready().await,
            failed => failed,
        };
        if ready.is_err() {
            self.kill()?;
        }
        ready
    }

    /// Its URL without a virtual host: the same after every start.
    pub(super) fn url(&self) -> SecretString {
        self.settings.url()
    }

    /// Ends all its processes at once, as a power cut would.
    pub(super) fn kill(&mut self) -> Result<()> {
        self.mark.kill()?;
        self.reap();
        Ok(())
    }

    /// Asks it to end: it tells its clients and writes everything down.
    pub(super) async fn stop(&mut self) -> Result<()> {
        if let Some(script) = self.children.last() {
            // The script ends the broker in order, and then itself.
            kill_process(Pid::from_child(script), Signal::TERM)?;
            let began = Instant::now();
            while self.is_up() && began.elapsed() < ENDED_WITHIN {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        let in_order = !self.is_up();
        // The port mapper, which never ends by itself, and the broker if it did not.
        self.kill()?;
        if !in_order {
            bail!(
                "RabbitMQ did not end within {ENDED_WITHIN:?}:\n{}",
                self.settings.last_words()
            );
        }
        Ok(())
    }

    /// Runs `rabbitmqctl` on it.
    pub(super) fn control(&self, arguments: &[&str]) -> Result<()> {
        let control = programs::find("rabbitmqctl", PACKAGE, &[PROGRAMS])?;
        let mut command = Command::new(control);
        self.settings.tell_tools(&mut command);
        let output = command.args(arguments).output()?;
        if !output.status.success() {
            bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    }

    async fn spawn(&mut self) -> Result<()> {
        let server = programs::find("rabbitmq-server", PACKAGE, &[PROGRAMS])?;
        let port_mapper = programs::find("epmd", PACKAGE, &["/usr/lib/erlang/bin"])?;
        self.settings.write()?;
        let mut command = Command::new(port_mapper);
        self.mark.put_on(&mut command);
        self.settings.tell_port_mapper(&mut command);
        self.run(command)?;
        // Before the broker: without a port mapper it would start one that outlives it.
        self.port_mapper_answers().await?;
        let mut command = Command::new(server);
        self.mark.put_on(&mut command);
        self.settings.tell_server(&mut command);
        self.run(command)
    }

    fn run(&mut self, mut command: Command) -> Result<()> {
        let output = OpenOptions::new()
            .append(true)
            .create(true)
            .open(self.settings.output())?;
        command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output);
        let child = command
            .spawn()
            .with_context(|| format!("{command:?} cannot be started"))?;
        self.children.push(child);
        Ok(())
    }

    async fn port_mapper_answers(&mut self) -> Result<()> {
        let began = Instant::now();
        let address = (Ipv4Addr::LOCALHOST, self.settings.port_mapper_port());
        while TcpStream::connect(address).await.is_err() {
            if began.elapsed() > READY_WITHIN || !self.is_up() {
                bail!(
                    "Erlang's port mapper does not run:\n{}",
                    self.settings.last_words()
                );
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    async fn ready(&mut self) -> Result<()> {
        let began = Instant::now();
        loop {
            if !self.is_up() {
                bail!("RabbitMQ ended while it started:\n{}", self.settings.last_words());
            }
            // It listens when all of it has started.
            match handshake::greet(HERE, self.settings.port).await {
                Ok(version) => return handshake::check_version(&version),
                Err(error) if began.elapsed() > READY_WITHIN => {
                    let said = self.settings.last_words();
                    bail!("RabbitMQ does not answer after {READY_WITHIN:?} ({error}):\n{said}");
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// Whether what was started last still runs.
    fn is_up(&mut self) -> bool {
        let last = self.children.last_mut();
        last.is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    fn ports_were_taken(&self) -> bool {
        self.settings.last_words().contains("eaddrinuse")
    }

    /// So that they do not stay in the table of processes as long as we do.
    fn reap(&mut self) {
        for mut child in self.children.drain(..) {
            // It was killed, or had ended: nothing can go wrong that matters.
            let _ = child.wait();
        }
    }
}
