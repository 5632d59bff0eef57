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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, Flags};

    #[test]
    fn nothing_in_the_document_stands_for_two_things() {
        // Another test may have been quicker.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let config = Config::load(&Flags::default(), &Environment::of(std::iter::empty())).unwrap();
        let apis = assembly::catalogue(&config, &Clock::system()).unwrap();
        assert_eq!(plaza_web::openapi::conflicts(&apis), Vec::<String>::new());
    }
}
