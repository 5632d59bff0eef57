//! `plaza openapi`: the contract of the HTTP API.

use plaza_kernel::Clock;

use crate::assembly;
use crate::config::Config;

/// Prints the OpenAPI 3.1 document.
///
/// # Errors
/// When a setting cannot be used.
pub(crate) fn run(config: &Config) -> anyhow::Result<()> {
    let apis = assembly::catalogue(config, &Clock::system())?;
    print!(
        "{}",
        plaza_web::openapi::to_json(&plaza_web::openapi::document(&apis))
    );
    Ok(())
}
