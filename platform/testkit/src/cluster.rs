//! One PostgreSQL cluster for all test processes.
//!
//! `PLAZA_TEST_DATABASE_URL` (a superuser's login to the database `postgres`) names one that is there already;
//! `cargo xtask test` sets it. Otherwise a cluster in `target/testdb` is started by whoever needs it first and left
//! running for the next: it trades durability for speed, and nothing but tests may ever use it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use plaza_database::embedded::{EmbeddedCluster, EmbeddedSettings};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::OnceCell;

use crate::connect::connect;
use crate::process_name::owner_is_gone;
use crate::shared_folder::{known_url, wait_for_turn, write_url};

/// The folder of the shared cluster in this workspace.
pub fn usual_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/testdb")
}

/// Starts the shared cluster in `folder`, or adopts it if it runs. Returns the superuser's URL.
///
/// # Errors
/// When there is no PostgreSQL, or it does not start; see `plaza_database::embedded`.
pub async fn start_shared(folder: &Path) -> Result<SecretString> {
    let _turn = wait_for_turn(folder).await?;
    let cluster = EmbeddedCluster::start_disposable(settings(folder)).await?;
    let url = cluster.superuser_url();
    cluster.leave_running();
    write_url(folder, &url)?;
    sweep(&url)
        .await
        .context("old test databases could not be dropped")?;
    Ok(url)
}

/// Stops the shared cluster in `folder`, if it runs.
///
/// # Errors
/// When it does not end.
pub async fn stop_shared(folder: &Path) -> Result<()> {
    let _turn = wait_for_turn(folder).await?;
    // Starting adopts the one that runs; that is the only way to the hand on it.
    if known_url(folder).is_some() {
        EmbeddedCluster::start_disposable(settings(folder))
            .await?
            .stop()
            .await?;
        std::fs::remove_file(folder.join("url"))?;
    }
    Ok(())
}

/// The superuser's URL of the cluster that this process tests on.
///
/// # Panics
/// When there is none and none can be started: a test of the database without a database is no test.
pub async fn url() -> SecretString {
    static URL: OnceCell<SecretString> = OnceCell::const_new();
    let found = URL.get_or_try_init(|| async {
        #[expect(clippy::disallowed_methods, reason = "tests have no configuration file")]
        if let Ok(url) = std::env::var("PLAZA_TEST_DATABASE_URL") {
            return Ok(SecretString::from(url));
        }
        let folder = usual_folder();
        match known_url(&folder) {
            Some(url) if connect(&url).await.is_ok() => Ok(url),
            _ => start_shared(&folder).await,
        }
    });
    match found.await {
        Ok(url) => url.clone(),
        Err(error) => panic!("no PostgreSQL to test on: {error:#}"),
    }
}

/// A secret of this cluster, the same in every test process: role keys and passwords of tests are made of it.
pub(crate) fn secret(server: &SecretString, purpose: &str) -> SecretString {
    hex::encode(plaza_crypto::hmac_sha256(
        server.expose_secret().as_bytes(),
        purpose.as_bytes(),
    ))
    .into()
}

fn settings(folder: &Path) -> EmbeddedSettings {
    EmbeddedSettings {
        folder: folder.to_owned(),
        programs: None,
    }
}

/// Drops the test databases of processes that are gone, and templates that nobody made use of for long.
async fn sweep(url: &SecretString) -> Result<()> {
    let client = connect(url).await?;
    let rows = client
        .query(
            "SELECT datname::text,
                    datname LIKE 'plaza\\_template\\_%'
                      AND (pg_catalog.pg_stat_file('base/' || oid || '/PG_VERSION', true)).modification < now() - interval '7 days'
               FROM pg_catalog.pg_database
              WHERE datname LIKE 'plaza\\_test\\_%' OR datname LIKE 'plaza\\_template\\_%'",
            &[],
        )
        .await?;
    for row in rows {
        let (name, is_old_template): (String, bool) = (row.try_get(0)?, row.try_get(1)?);
        if is_old_template || owner_is_gone(&name) {
            // Another process may be faster.
            client
                .batch_execute(&format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)"))
                .await
                .ok();
        }
    }
    Ok(())
}
