//! `plaza openapi`: the contract of the HTTP API.

use crate::commands::operator::offline;
use crate::config::Config;

/// Prints the OpenAPI 3.1 document.
///
/// # Errors
/// When a setting cannot be used.
pub(crate) fn run(config: &Config) -> anyhow::Result<()> {
    let assembly = offline(config)?;
    print!(
        "{}",
        plaza_web::openapi::to_json(&plaza_web::openapi::document(&assembly.apis))
    );
    Ok(())
}
