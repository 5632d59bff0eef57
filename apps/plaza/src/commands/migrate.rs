//! `plaza migrate`.

use crate::config::Config;
use crate::local::{Local, Purpose};

/// Makes or updates roles, schemas and tables of the configured database.
///
/// # Errors
/// When settings are missing or a migration fails.
pub(crate) async fn run(config: Config) -> anyhow::Result<()> {
    Local::configured(&config, Purpose::Roles)?.migrate().await?;
    println!("the database is up to date");
    Ok(())
}
