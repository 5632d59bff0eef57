//! What `plaza up` finds or makes for itself: the data folder, its secrets, and a private PostgreSQL cluster.

mod purpose;

use std::fs;
use std::io::{IsTerminal, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use plaza_crypto::random_token;
use plaza_database::embedded::{self, EmbeddedCluster, EmbeddedError, EmbeddedSettings};
use plaza_database::{DatabaseSettings, migrate};
use secrecy::{ExposeSecret, SecretString};

use crate::assembly;
use crate::config::{Config, ConfigError, Environment};
use crate::secrets::{LocalSecrets, write_private};
pub(crate) use purpose::Purpose;

/// The file that names the embedded cluster while it runs.
const DATABASE_URL: &str = "database-url";

/// The least that passwords are derived from, where somebody else than Plaza made it up.
const ROLE_KEY_BYTES: usize = 32;

/// The database and the secrets of this process, found or made.
pub(crate) struct Local {
    /// The embedded cluster, unless a URL was given.
    pub(crate) cluster: Option<EmbeddedCluster>,
    /// How to reach the database.
    pub(crate) database: DatabaseSettings,
    /// What secrets at rest are sealed with; None where nobody here seals anything.
    pub(crate) encryption_key: Option<SecretString>,
    /// What the services' signing keys are derived from, where the configuration gives none.
    pub(crate) internal_key: Option<SecretString>,
}

/// Makes the data folder, private.
///
/// # Errors
/// When it cannot be made.
pub(crate) fn make_data_folder(config: &Config) -> anyhow::Result<PathBuf> {
    let folder = std::path::absolute(&config.data).context("the data folder has no absolute path")?;
    fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make the data folder {}", folder.display()))?;
    // Others may pass, because PostgreSQL may run as another user below it; they may not look around.
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o711))?;
    Ok(folder)
}

impl Local {
    /// For `up`: uses what the configuration gives and makes the rest.
    ///
    /// # Errors
    /// When there is no database and none can be made.
    pub(crate) async fn find_or_make(config: &mut Config, environment: &Environment) -> anyhow::Result<Self> {
        let folder = make_data_folder(config)?;
        let secrets = LocalSecrets::load_or_make(&folder)?;
        let (cluster, url) = match &config.database.url {
            Some(url) => (None, url.clone()),
            None => {
                let cluster = start_cluster(config, &folder, environment).await?;
                let url = cluster.url();
                (Some(cluster), url)
            }
        };
        let role_key = config
            .database
            .role_key
            .clone()
            .unwrap_or_else(|| secrets.role_key.clone());
        config.notification.whatsapp.forget_empty_secrets();
        let app_secret = &mut config.notification.whatsapp.app_secret;
        if config.development.simulator {
            config.simulator.app_secret = app_secret
                .get_or_insert_with(|| secrets.simulator_app_secret.clone())
                .clone();
        }
        let internal_key = Some(secrets.internal_key());
        let encryption_key = config.encryption_key.clone();
        let encryption_key = Some(encryption_key.unwrap_or(secrets.encryption_key));
        Ok(Self {
            cluster,
            database: settings(config, url, role_key),
            encryption_key,
            internal_key,
        })
    }

    /// For `serve`, `worker`, and commands on a configured database: everything that they need has to be given.
    ///
    /// # Errors
    /// One error that lists all that is missing, or one that says what is not good enough.
    pub(crate) fn configured(config: &Config, purpose: Purpose<'_>) -> Result<Self, ConfigError> {
        let derived = purpose.derives(config);
        let (url, role_key) = (&config.database.url, &config.database.role_key);
        let mut missing = Vec::new();
        if url.is_none() {
            missing.push("database.url (DATABASE_URL)".to_owned());
        }
        if role_key.is_none() && !derived.is_empty() {
            missing.push(purpose.role_key_or_logins(&derived));
        }
        if config.encryption_key.is_none() && purpose.seals() {
            missing.push("encryption_key (ENCRYPTION_KEY)".to_owned());
        }
        let (Some(url), []) = (url, &missing[..]) else {
            return Err(ConfigError::Missing(missing));
        };
        if role_key
            .as_ref()
            .is_some_and(|key| key.expose_secret().len() < ROLE_KEY_BYTES)
        {
            return Err(ConfigError::Invalid(vec![format!(
                "database.role_key (PLAZA_DATABASE_ROLE_KEY) is shorter than {ROLE_KEY_BYTES} bytes: who guesses it \
                 has the password of every role; `openssl rand -hex 32` makes a good one"
            )]));
        }
        // Where none is needed none is used: the password that somebody derived from this one would open nothing.
        let role_key = role_key.clone().unwrap_or_else(random_token);
        Ok(Self {
            cluster: None,
            database: settings(config, url.clone(), role_key),
            encryption_key: config.encryption_key.clone(),
            internal_key: None,
        })
    }

    /// Makes roles, schemas and tables, or brings them up to date.
    ///
    /// # Errors
    /// When a migration fails, or the schema is newer than this program.
    pub(crate) async fn migrate(&self) -> anyhow::Result<()> {
        migrate::migrate(&self.database.url, &self.database.role_key, &assembly::schemas())
            .await
            .context("the database cannot be migrated")?;
        Ok(())
    }
}

fn settings(config: &Config, url: SecretString, role_key: SecretString) -> DatabaseSettings {
    DatabaseSettings {
        url,
        role_key,
        shared: config.database.shared_connections,
        exclusive: config.database.exclusive_connections,
        system: config.database.system_connections,
    }
}

async fn start_cluster(
    config: &Config,
    folder: &Path,
    environment: &Environment,
) -> anyhow::Result<EmbeddedCluster> {
    let settings = EmbeddedSettings {
        folder: folder.to_path_buf(),
        programs: config.database.programs.clone(),
    };
    let started = match EmbeddedCluster::start(settings.clone()).await {
        Err(error) if error.install_command().is_some() && may_install(&error, environment)? => {
            embedded::install().await?;
            EmbeddedCluster::start(settings).await
        }
        started => started,
    };
    let cluster = started?;
    // For commands that work beside a running Plaza; no more secret than what else is in the folder.
    write_private(&folder.join(DATABASE_URL), cluster.url().expose_secret())?;
    for note in cluster.notes() {
        println!("note: {note}");
    }
    Ok(cluster)
}

fn is_in_use(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(EmbeddedError::InUse { .. }))
}

/// `PLAZA_INSTALL=1`, or a yes on a terminal.
fn may_install(error: &EmbeddedError, environment: &Environment) -> anyhow::Result<bool> {
    if !embedded::can_install() {
        return Ok(false);
    }
    if environment.get("PLAZA_INSTALL") == Some("1") {
        println!("installing PostgreSQL, because PLAZA_INSTALL=1 says so");
        return Ok(true);
    }
    if !std::io::stdin().is_terminal() {
        return Ok(false);
    }
    println!("{error}");
    print!("run it now? [y/N] ");
    std::io::stdout().flush()?;
    let mut reply = String::new();
    std::io::stdin().read_line(&mut reply)?;
    Ok(matches!(reply.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// The database that a command works on: the configured one with the configured keys, as `serve` has it; else that of
/// a Plaza that runs on this folder, or the folder's cluster itself if none runs.
pub(crate) struct Attached {
    pub(crate) local: Local,
}

impl Attached {
    /// Finds it.
    ///
    /// # Errors
    /// When a database is configured without its keys, or there is none and none can be made.
    pub(crate) async fn find(
        config: &mut Config,
        environment: &Environment,
        purpose: Purpose<'_>,
    ) -> anyhow::Result<Self> {
        // With keys made here, what is sealed in that database could not be opened, nor what is sealed now be opened
        // by the others: nothing is made up for it.
        let configured = match &config.database.url {
            Some(_) => Some(Local::configured(config, purpose)?),
            None => None,
        };
        let folder = make_data_folder(config)?;
        if config.broadcast.objects.is_relative() {
            config.broadcast.objects = folder.join("objects");
        }
        let local = match configured {
            Some(local) => local,
            None => Self::of_this_machine(config, environment, &folder).await?,
        };
        Ok(Self { local })
    }

    async fn of_this_machine(
        config: &mut Config,
        environment: &Environment,
        folder: &Path,
    ) -> anyhow::Result<Local> {
        let local = match Local::find_or_make(config, environment).await {
            // A Plaza runs on this folder: its cluster is the one to use.
            Err(error) if is_in_use(&error) => {
                let url = fs::read_to_string(folder.join(DATABASE_URL)).map_err(|_| error)?;
                config.database.url = Some(url.trim().into());
                Local::find_or_make(config, environment).await?
            }
            found => found?,
        };
        if local.cluster.is_some() {
            local.migrate().await?;
        }
        Ok(local)
    }

    /// Stops what `find` started.
    ///
    /// # Errors
    /// When the cluster does not end.
    pub(crate) async fn release(self) -> anyhow::Result<()> {
        match self.local.cluster {
            Some(cluster) => Ok(cluster.stop().await?),
            None => Ok(()),
        }
    }
}
