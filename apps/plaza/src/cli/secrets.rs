//! `plaza secrets` and `plaza audit`: what they take.

use std::path::PathBuf;

use clap::Subcommand;
use plaza_kernel::TenantId;

use crate::commands;
use crate::config::{Config, Environment};

#[derive(Debug, Subcommand)]
pub(super) enum Secrets {
    /// What each key of ENCRYPTION_KEY is needed for.
    Status,
    /// Print a new key, to be put behind the others in ENCRYPTION_KEY of all processes, and in front of them after that.
    NewKey,
    /// Seal anew what older keys sealed, now. Running processes do so by themselves within a minute.
    Rotate {
        /// Give every tenant a new data key too, and seal all values anew with it.
        #[arg(long)]
        data_keys: bool,
    },
    /// Seal values of older versions with data keys. Only when no process of an older version runs any more: it could not
    /// read them.
    Upgrade,
    /// Say whether a key may be taken out of ENCRYPTION_KEY: nothing is sealed with it any more.
    Retire {
        /// The key's id: what stands before the colon.
        key: String,
    },
    /// Print a value as `plaza.toml` and the environment may hold it: sealed with ENCRYPTION_KEY.
    Encrypt {
        /// The value; read from standard input unless given. Other users of the machine see arguments.
        value: Option<String>,
    },
    /// Destroy the data keys of a deleted tenant: nobody ever reads its secrets here again. A backup from before
    /// has the keys too, and opens with the ENCRYPTION_KEY of its time.
    Shred {
        /// The tenant's id.
        #[arg(long)]
        tenant: TenantId,
        /// Yes, for ever.
        #[arg(long)]
        yes: bool,
    },
}

impl Secrets {
    /// Does it.
    ///
    /// # Errors
    /// When the command cannot do what it is there for.
    pub(super) async fn run(self, config: Config, environment: &Environment) -> anyhow::Result<()> {
        use commands::secrets;
        match self {
            Self::Status => secrets::status(config, environment).await,
            Self::NewKey => secrets::new_key(),
            Self::Rotate { data_keys } => secrets::rotate(config, environment, data_keys).await,
            Self::Upgrade => secrets::upgrade(config, environment).await,
            Self::Retire { key } => secrets::retire(config, environment, &key).await,
            Self::Encrypt { value } => secrets::encrypt(&config, value),
            Self::Shred { tenant, yes } => secrets::shred(config, environment, tenant, yes).await,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Audit {
    /// Compute every chain of the audit again, and say what was changed, added or taken away.
    Verify {
        /// Only this tenant's, by its id.
        #[arg(long)]
        tenant: Option<TenantId>,
        /// Compare with what `plaza audit anchor` printed into this file.
        #[arg(long, value_name = "FILE")]
        anchors: Option<PathBuf>,
    },
    /// Print where all chains end now, as one digest for each service: to be kept away from the database.
    Anchor,
}

impl Audit {
    /// Does it.
    ///
    /// # Errors
    /// When the audit cannot be read, or something is wrong with it.
    pub(super) async fn run(self, config: Config, environment: &Environment) -> anyhow::Result<()> {
        match self {
            Self::Verify { tenant, anchors } => {
                commands::audit::verify(config, environment, tenant, anchors.as_deref()).await
            }
            Self::Anchor => commands::audit::anchor(config, environment).await,
        }
    }
}
