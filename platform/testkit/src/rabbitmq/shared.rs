//! The broker that all test processes share.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use secrecy::SecretString;
use tokio::sync::OnceCell;

use super::handshake;
use super::management::Management;
use super::server::Server;
use super::vhost;
use crate::marked::{self, Mark};
use crate::shared_folder::{known_url, wait_for_turn, write_url};

/// The folder of the shared broker in this workspace.
pub fn usual_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/testmq")
}

/// Starts the shared broker in `folder`, or adopts it if it runs. Returns its URL, without a virtual host.
///
/// # Errors
/// When there is no RabbitMQ (see [`ProgramMissing`](crate::ProgramMissing)), or it does not start.
pub async fn start_shared(folder: &Path) -> Result<SecretString> {
    let _turn = wait_for_turn(folder).await?;
    marked::sweep()?;
    let mark = Mark::shared(folder)?;
    let url = match known_url(folder) {
        Some(url) if mark.lives() && answers(&url).await.is_ok() => url,
        _ => start_new(folder, mark).await?,
    };
    let management = Management::of(&url)?;
    tokio::task::spawn_blocking(move || vhost::sweep(&management))
        .await?
        .context("old virtual hosts could not be dropped")?;
    Ok(url)
}

/// Its data are of no use to anybody: a new one is faster than one that recovers what is left.
async fn start_new(folder: &Path, mark: Mark) -> Result<SecretString> {
    forget(folder, &mark)?;
    let server = Server::start(mark).await?;
    let url = server.url();
    write_url(folder, &url)?;
    Ok(url)
}

/// Stops the shared broker in `folder`, if it runs, and the brokers of tests that were killed.
///
/// # Errors
/// When it does not end.
pub async fn stop_shared(folder: &Path) -> Result<()> {
    let _turn = wait_for_turn(folder).await?;
    marked::sweep()?;
    forget(folder, &Mark::shared(folder)?)
}

fn forget(folder: &Path, mark: &Mark) -> Result<()> {
    mark.kill()?;
    for name in ["url", "data", "home"] {
        let path = folder.join(name);
        if path.is_dir() {
            std::fs::remove_dir_all(&path)?;
        } else if path.exists() {
            std::fs::remove_file(&path)?;
        }
    }
    Ok(())
}

async fn answers(url: &SecretString) -> Result<()> {
    let broker = Management::of(url)?;
    handshake::check(&broker.host, broker.amqp_port).await
}

/// The URL of the broker that this process tests on, without a virtual host.
///
/// # Panics
/// When there is none and none can be started: a test of the broker without a broker is no test.
pub async fn url() -> SecretString {
    static URL: OnceCell<SecretString> = OnceCell::const_new();
    let found = URL.get_or_try_init(|| async {
        #[expect(clippy::disallowed_methods, reason = "tests have no configuration file")]
        if let Ok(url) = std::env::var("PLAZA_TEST_RABBITMQ_URL") {
            let url = SecretString::from(url);
            answers(&url).await.context("PLAZA_TEST_RABBITMQ_URL")?;
            return Ok(url);
        }
        let folder = usual_folder();
        match known_url(&folder) {
            Some(url) if answers(&url).await.is_ok() => Ok(url),
            _ => start_shared(&folder).await,
        }
    });
    match found.await {
        Ok(url) => url.clone(),
        Err(error) => panic!("no RabbitMQ to test on: {error:#}"),
    }
}
