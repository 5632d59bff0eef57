//! A broker that one test owns.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use secrecy::{ExposeSecret, SecretString};

use super::server::Server;
use super::vhost::Vhost;
use crate::marked::Mark;

/// A broker that one test owns: to kill, stop and start again. It is killed when this value is dropped.
///
/// It takes some seconds to start, and memory: where a [`Vhost`] will do, take that.
pub struct Broker {
    server: Server,
}

impl Broker {
    /// What it needs until a queue that was declared survives [`kill`](Self::kill).
    pub const WRITTEN_DOWN: Duration = Duration::from_secs(2);

    /// Starts a broker whose data live in `folder`, and waits until it answers.
    ///
    /// # Errors
    /// When there is no RabbitMQ (see [`ProgramMissing`](crate::ProgramMissing)), or it does not start.
    pub async fn start(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let server = Server::start(Mark::owned(folder)?).await?;
        Ok(Self { server })
    }

    /// `amqp://user:password@127.0.0.1:port/%2f`, the same after every start.
    pub fn url(&self) -> SecretString {
        format!("{}/%2f", self.server.url().expose_secret()).into()
    }

    /// Another virtual host of it.
    ///
    /// # Panics
    /// When the broker is down.
    pub async fn vhost(&self) -> Vhost {
        Vhost::on(self.server.url()).await
    }

    /// Ends it as a power cut would (SIGKILL to all its processes), and waits until it is gone.
    ///
    /// RabbitMQ 3.10 writes down that a quorum queue exists some time after it said so: one that was declared less than
    /// about half a second before is there afterwards, and never has a leader again (seen with 3.10.8). Where that is not
    /// what is tested, wait for [`WRITTEN_DOWN`](Self::WRITTEN_DOWN) after declaring.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn kill(&mut self) -> Result<()> {
        self.server.kill()
    }

    /// Asks it to end (its clients are told; about six seconds), and waits until it is gone.
    ///
    /// # Errors
    /// When it does not end by itself; then it is killed.
    pub async fn stop(&mut self) -> Result<()> {
        self.server.stop().await
    }

    /// Runs the broker's own tool on it: `rabbitmqctl` with these arguments.
    ///
    /// # Errors
    /// When it fails, with what it said.
    pub fn control(&self, arguments: &[&str]) -> Result<()> {
        self.server.control(arguments)
    }

    /// Starts it again on the same data and ports, and waits until it answers.
    ///
    /// # Errors
    /// When it still runs, or does not start.
    pub async fn start_again(&mut self) -> Result<()> {
        self.server.start_again().await
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Err(error) = self.server.kill() {
            eprintln!("a test's broker runs on: {error:#}");
        }
    }
}
