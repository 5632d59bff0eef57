//! `plaza internal-keys`: a signing key for each part, for installations whose processes do not trust each other with one.

use anyhow::Context;
use plaza_contracts::services::{ALL, GATEWAY};
use plaza_kernel::ServiceName;
use plaza_rpc::InternalKeys;
use secrecy::ExposeSecret;

/// How they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Two tables of `plaza.toml`.
    File,
    /// A line for each, `NAME=VALUE`, as `.env` has it.
    Variables,
}

/// Prints private keys, each for the processes that host the part, and public ones, for all.
///
/// # Errors
/// When the operating system has no randomness to give.
pub(crate) fn run(form: Form) -> anyhow::Result<()> {
    let (mut private, mut public) = (Vec::new(), Vec::new());
    for part in ALL.into_iter().chain([GATEWAY]) {
        let (own, known) = InternalKeys::generate().ok().context("no key could be made")?;
        private.push((part, own.expose_secret().to_owned()));
        public.push((part, known));
    }
    println!("# Each line only where that part is hosted.");
    print(form, "signing_keys", &private);
    println!("# The same everywhere.");
    print(form, "public_keys", &public);
    Ok(())
}

fn print(form: Form, table: &str, keys: &[(ServiceName, String)]) {
    match form {
        Form::File => {
            println!("[internal.{table}]");
            keys.iter().for_each(|(part, key)| println!("{part} = \"{key}\""));
            println!();
        }
        Form::Variables => {
            for (part, key) in keys {
                let name = format!("PLAZA_INTERNAL__{table}__{part}").to_ascii_uppercase();
                println!("{name}={key}");
            }
        }
    }
}
