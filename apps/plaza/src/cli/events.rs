//! `plaza events`: what it takes.

use clap::{Args, Subcommand};

use crate::commands;
use crate::config::{Config, Environment};

#[derive(Debug, Subcommand)]
pub(super) enum Events {
    /// Print every exchange, queue and event.
    Topology {
        /// Declare them on the configured broker.
        #[arg(long)]
        apply: bool,
    },
    /// What nobody could consume, in the databases and on the broker.
    #[command(subcommand)]
    Dlq(Dlq),
}

#[derive(Debug, Subcommand)]
pub(super) enum Dlq {
    /// One line a letter: queue, event, name, tenant, deliveries, time, reason.
    List {
        /// Only those of this queue: the name of a consumer.
        queue: Option<String>,
    },
    /// Deliver letters again.
    Replay(Selection),
    /// Throw letters away.
    Discard(Selection),
}

/// One letter, or all of a queue.
#[derive(Debug, Args)]
#[group(required = false)]
pub(super) struct Selection {
    /// The queue: the name of a consumer.
    queue: String,
    /// The event's id.
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    event: Option<String>,
    /// All of the queue.
    #[arg(long)]
    all: bool,
}

impl From<Dlq> for commands::events::Letters {
    fn from(given: Dlq) -> Self {
        match given {
            Dlq::List { queue } => Self::List { queue },
            Dlq::Replay(Selection { queue, event, .. }) => Self::Replay { queue, event },
            Dlq::Discard(Selection { queue, event, .. }) => Self::Discard { queue, event },
        }
    }
}

impl Events {
    /// Does it.
    ///
    /// # Errors
    /// When the command cannot do what it is there for.
    pub(super) async fn run(self, config: Config, environment: &Environment) -> anyhow::Result<()> {
        match self {
            Self::Topology { apply } => commands::events::topology(&config, apply).await,
            Self::Dlq(what) => commands::events::letters(config, environment, what.into()).await,
        }
    }
}
