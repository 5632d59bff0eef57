//! `plaza internal-token`: a token that proves one service to another, to try an internal operation by hand.

use anyhow::Context;
use plaza_contracts::services::{ALL, GATEWAY};
use plaza_kernel::{Clock, ServiceName};

use crate::config::Config;
use crate::hosting::Hosting;
use crate::secrets::LocalSecrets;
use crate::trust;

/// Prints a token of `issuer` for `audience`, good for half a minute. It passes on nobody.
///
/// # Errors
/// When a name is none, or this configuration has no key of the issuer.
pub(crate) fn run(config: &Config, issuer: &str, audience: &str) -> anyhow::Result<()> {
    let (issuer, audience) = (part(issuer)?, part(audience)?);
    let services: Vec<ServiceName> = ALL.into_iter().filter(|service| *service == issuer).collect();
    let hosting = Hosting {
        gateway: issuer == GATEWAY,
        serves: services.clone(),
        works: services.clone(),
        assembles: services,
    };
    // A laptop's Plaza made one for itself.
    let own = LocalSecrets::load(&config.data)?.and_then(|secrets| secrets.kept_internal_key());
    let keys = trust::internal_keys(&config.internal, own.as_ref(), &hosting)?;
    let keys = keys.context("no internal.key (PLAZA_INTERNAL_KEY) is configured")?;
    let signer = keys.signer(issuer, Clock::system());
    let signer = signer.with_context(|| format!("no key of {issuer} is configured"))?;
    println!("{}", signer.token(audience, None, None).to_str()?);
    Ok(())
}

fn part(name: &str) -> anyhow::Result<ServiceName> {
    let known = ALL.into_iter().chain([GATEWAY]);
    let found = known.into_iter().find(|service| service.as_str() == name);
    found.with_context(|| {
        let names = ALL.map(ServiceName::as_str).join(", ");
        format!("`{name}` is no part of Plaza; there are gateway, {names}")
    })
}
