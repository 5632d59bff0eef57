//! `plaza seed` and `plaza import`: what they take.

use std::path::PathBuf;

use clap::Subcommand;

use crate::commands;
use crate::config::{Config, Environment};

#[derive(Debug, Subcommand)]
pub(super) enum Seed {
    /// A tenant `demo` with an owner, a template and a few recipients. Its password is random and printed once.
    Demo,
}

#[derive(Debug, Subcommand)]
pub(super) enum Import {
    /// Import recipients from a CSV file or a workbook (.xlsx) into a tenant.
    #[command(after_help = "Example:\n  plaza import recipients people.csv --tenant acme --country DE")]
    Recipients {
        /// The file.
        file: PathBuf,
        /// The tenant's slug.
        #[arg(long)]
        tenant: String,
        /// The country of numbers that name none: ISO 3166-1 alpha-2.
        #[arg(long)]
        country: Option<String>,
        /// Find out what would become of each row, and write no recipient.
        #[arg(long)]
        dry_run: bool,
    },
}

impl Seed {
    /// Does it.
    ///
    /// # Errors
    /// When the command cannot do what it is there for.
    pub(super) async fn run(self, config: Config, environment: &Environment) -> anyhow::Result<()> {
        match self {
            Self::Demo => commands::seed::run(config, environment).await,
        }
    }
}

impl Import {
    /// Does it.
    ///
    /// # Errors
    /// When the command cannot do what it is there for.
    pub(super) async fn run(self, config: Config, environment: &Environment) -> anyhow::Result<()> {
        match self {
            Self::Recipients {
                file,
                tenant,
                country,
                dry_run,
            } => {
                let wanted = commands::import::Wanted {
                    file,
                    tenant,
                    country,
                    dry_run,
                };
                commands::import::run(config, environment, &wanted).await
            }
        }
    }
}
