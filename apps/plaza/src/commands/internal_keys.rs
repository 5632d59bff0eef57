//! `plaza internal-keys`: a signing key for each part, for installations whose processes do not trust each other with one.

use anyhow::Context;
use plaza_contracts::services::{ALL, GATEWAY};
use plaza_rpc::InternalKeys;
use secrecy::ExposeSecret;

/// Prints two tables of `plaza.toml`: private keys, each for the process that hosts the part, and public ones, for all.
///
/// # Errors
/// When the operating system has no randomness to give.
pub(crate) fn run() -> anyhow::Result<()> {
    let (mut private, mut public) = (String::new(), String::new());
    for part in ALL.into_iter().chain([GATEWAY]) {
        let (own, known) = InternalKeys::generate().ok().context("no key could be made")?;
        private.push_str(&format!("{part} = \"{}\"\n", own.expose_secret()));
        public.push_str(&format!("{part} = \"{known}\"\n"));
    }
    println!("# Each line only where that part is hosted.\n[internal.signing_keys]\n{private}");
    println!("# The same everywhere.\n[internal.public_keys]\n{public}");
    Ok(())
}
