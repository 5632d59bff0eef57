//! `plaza doctor`: looks at everything that a process needs, changes nothing, and says what to do about what is wrong.
//!
//! Read this file first; `doctor/report.rs` is what is printed, the other files are one area each.

mod broker;
mod broker_version;
mod capacity;
mod database;
mod database_found;
mod isolation;
mod keys;
mod left_over;
mod machine;
mod remote;
mod report;
mod sealed;
mod secrets;
mod settings;

use plaza_kernel::Clock;

use crate::config::{Config, Environment, Flags};

pub(crate) use broker::{BrokerFacts, BrokerProbe};
use database_found::Found;
use report::Report;
use secrets::Secrets;

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Everything.
    All,
    /// Whether the database keeps tenants apart: its catalogue, and what it shows to a tenant that does not exist.
    Isolation,
}

/// Looks, and prints what was found.
///
/// `broker` asks the configured broker; none where none is configured.
///
/// # Errors
/// When anything is wrong: it was printed, and the program ends with 1.
pub(crate) async fn run(
    config: &Config,
    flags: &Flags,
    environment: &Environment,
    scope: Scope,
    broker: Option<BrokerProbe>,
) -> anyhow::Result<()> {
    let mut report = Report::default();
    match scope {
        Scope::All => everything(config, flags, environment, broker, &mut report).await,
        Scope::Isolation => {
            if let Some(found) = Found::find(config, &mut report).await {
                isolation::look(&found, &mut report).await;
            }
        }
    }
    print!("{report}");
    match report.failures() {
        0 => Ok(()),
        1 => anyhow::bail!("one thing is wrong"),
        many => anyhow::bail!("{many} things are wrong"),
    }
}

async fn everything(
    config: &Config,
    flags: &Flags,
    environment: &Environment,
    broker: Option<BrokerProbe>,
    report: &mut Report,
) {
    machine::look(config, report);
    settings::look(config, flags, environment, report);
    keys::look(config, report);
    if let Some(found) = Found::find(config, report).await
        && database::look(&found, config, &Clock::system(), report).await
    {
        sealed::look(&found, report).await;
        isolation::look(&found, report).await;
    }
    broker::look(config, broker, &Secrets::of(config), report).await;
    remote::look(config, report).await;
}
