//! `plaza doctor`: what it takes.

use crate::commands;
use crate::commands::doctor::Scope;
use crate::config::{Config, Environment, Flags};

/// What `doctor` looks at.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(super) enum Area {
    /// Whether the database keeps tenants apart.
    Isolation,
}

/// Looks at everything, or at one area.
///
/// # Errors
/// When something is not as a process needs it.
pub(super) async fn run(
    area: Option<Area>,
    config: &Config,
    flags: &Flags,
    environment: &Environment,
) -> anyhow::Result<()> {
    let scope = match area {
        None => Scope::All,
        Some(Area::Isolation) => Scope::Isolation,
    };
    let broker = commands::events::probe(config)?;
    commands::doctor::run(config, flags, environment, scope, broker).await
}
