//! `plaza secrets`: the keys that secrets at rest are sealed with.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::time::Duration;

use anyhow::Context;
use plaza_contracts::services::{ALL, TENANCY};
use plaza_crypto::KeyRing;
use plaza_database::{Database, Databases};
use plaza_kernel::{Clock, TenantId};
use plaza_tenancy::Status;
use plaza_vault::{Rotated, Upgrade, Vault, registered};
use secrecy::{ExposeSecret, SecretString};
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Environment, sealed};
use crate::local::{Attached, Purpose};

/// Prints a new key.
///
/// # Errors
/// None that are known.
pub(crate) fn new_key() -> anyhow::Result<()> {
    println!("{}", KeyRing::generate().expose_secret());
    eprintln!(
        "put it behind the others, with a comma: ENCRYPTION_KEY=OLD,THIS; start all processes anew, so that each can read \
         what it seals; then put it in front and start them anew once more"
    );
    Ok(())
}

/// Prints what each key is needed for: service, key, data keys, values, and whether the configuration has it; tab separated.
/// Then the settings that stand sealed themselves, as those of `configuration`.
///
/// # Errors
/// When the databases are away.
pub(crate) async fn status(config: Config, environment: &Environment) -> anyhow::Result<()> {
    let vaults = Vaults::find(config, environment).await?;
    let printed = async {
        for vault in &vaults.all {
            for used in vault.status().await? {
                let known = if used.known { "configured" } else { "missing" };
                let (service, key) = (vault.service(), used.key);
                println!("{service}\t{key}\t{}\t{}\t{known}", used.data_keys, used.values);
            }
        }
        // They were opened: the key is there.
        for (key, settings) in &vaults.settings {
            println!("configuration\t{key}\t0\t{}\tconfigured", settings.len());
        }
        anyhow::Ok(())
    };
    let printed = printed.await;
    vaults.release().await?;
    printed
}

/// Seals anew what older keys sealed; with `data_keys` everything.
///
/// # Errors
/// When the databases are away, or something does not open.
pub(crate) async fn rotate(config: Config, environment: &Environment, data_keys: bool) -> anyhow::Result<()> {
    let vaults = Vaults::find(config, environment).await?;
    let retired = match data_keys {
        true => vaults.retire_data_keys().await,
        false => Ok(()),
    };
    let rotated = match retired {
        Ok(()) => vaults.rotate(Upgrade::Begun).await,
        Err(error) => Err(error),
    };
    vaults.release().await?;
    rotated
}

/// Seals values of the ring with data keys, now and from now on.
///
/// # Errors
/// When the databases are away, or something does not open.
pub(crate) async fn upgrade(config: Config, environment: &Environment) -> anyhow::Result<()> {
    let vaults = Vaults::find(config, environment).await?;
    let rotated = vaults.rotate(Upgrade::Yes).await;
    vaults.release().await?;
    rotated
}

/// Says whether a key may go.
///
/// # Errors
/// When it may not.
pub(crate) async fn retire(config: Config, environment: &Environment, key: &str) -> anyhow::Result<()> {
    let vaults = Vaults::find(config, environment).await?;
    let needed = vaults.needed(key).await;
    let settings = vaults.settings.get(key).cloned().unwrap_or_default();
    let (seals, known) = (
        vaults.ring.first_id() == key,
        vaults.ring.ids().any(|id| id == key),
    );
    vaults.release().await?;
    let needed = needed?;
    anyhow::ensure!(
        needed == 0,
        "{needed} data keys and values are still sealed with {key}: plaza secrets rotate"
    );
    anyhow::ensure!(
        settings.is_empty(),
        "the settings {} are still sealed with {key}: plaza secrets encrypt seals them anew",
        settings.join(", ")
    );
    anyhow::ensure!(
        !seals,
        "{key} is the first of ENCRYPTION_KEY: it seals what is sealed next"
    );
    match known {
        true => println!("nothing is sealed with {key}: take it out of ENCRYPTION_KEY everywhere"),
        false => println!("nothing is sealed with {key}, and ENCRYPTION_KEY does not have it"),
    }
    eprintln!(
        "settings that other processes are told sealed are not seen from here: look for `enc:v1.{key}.`"
    );
    Ok(())
}

/// Prints a value as the configuration may hold it. An argument shows to everybody on the machine; standard input does not.
///
/// # Errors
/// When no encryption key is configured, or standard input is no text.
pub(crate) fn encrypt(config: &Config, value: Option<String>) -> anyhow::Result<()> {
    // Whoever reads the value has no other: settings are read before anything else.
    let ring = ring(config.encryption_key.as_ref())?;
    let value = match value {
        Some(value) => {
            eprintln!(
                "arguments show in the list of processes and in the shell's history: standard input does not"
            );
            SecretString::from(value)
        }
        None => {
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .context("standard input is no text")?;
            SecretString::from(text.trim_end_matches(['\r', '\n']))
        }
    };
    println!("{}", sealed::seal(&ring, value.expose_secret()));
    Ok(())
}

/// Destroys the data keys of a tenant that is deleted.
///
/// # Errors
/// When it is not, or nobody confirmed it.
pub(crate) async fn shred(
    config: Config,
    environment: &Environment,
    tenant: TenantId,
    confirmed: bool,
) -> anyhow::Result<()> {
    anyhow::ensure!(confirmed, "this cannot be undone: say so with --yes");
    let vaults = Vaults::find(config, environment).await?;
    let shredded = async {
        vaults.ensure_deleted(tenant).await?;
        for vault in &vaults.all {
            let shredded = vault.shred(tenant).await?;
            println!("{}\t{shredded} data keys destroyed", vault.service());
        }
        anyhow::Ok(())
    };
    let shredded = shredded.await;
    vaults.release().await?;
    shredded
}

/// The vaults of all services that seal.
struct Vaults {
    attached: Attached,
    all: Vec<Vault>,
    ring: KeyRing,
    /// Who knows which tenants there were.
    tenancy: Database,
    /// The names of the settings that stand sealed, by the key.
    settings: BTreeMap<String, Vec<String>>,
}

impl Vaults {
    async fn find(mut config: Config, environment: &Environment) -> anyhow::Result<Self> {
        let attached = Attached::find(&mut config, environment, Purpose::Look(&ALL)).await?;
        let ring = ring(attached.local.encryption_key.as_ref())?;
        let databases = Databases::new(attached.local.database.clone())?;
        let database = |service| {
            let login = config.logins.get(&service).cloned().unwrap_or_default();
            databases.of(service, login)
        };
        let sealing = ALL
            .into_iter()
            .filter(|service| registered(*service).next().is_some());
        let all =
            sealing.map(|service| anyhow::Ok(Vault::new(database(service)?, ring.clone(), Clock::system())));
        let mut settings = BTreeMap::<_, Vec<_>>::new();
        for setting in &config.sealed {
            settings
                .entry(setting.key.clone())
                .or_default()
                .push(setting.name.clone());
        }
        Ok(Self {
            all: all.collect::<Result<_, _>>()?,
            tenancy: database(TENANCY)?,
            ring,
            settings,
            attached,
        })
    }

    async fn release(self) -> anyhow::Result<()> {
        drop((self.all, self.tenancy));
        self.attached.release().await
    }

    async fn retire_data_keys(&self) -> anyhow::Result<()> {
        for vault in &self.all {
            vault.retire_data_keys(Duration::ZERO).await?;
        }
        Ok(())
    }

    async fn rotate(&self, upgrade: Upgrade) -> anyhow::Result<()> {
        let mut left = 0;
        for vault in &self.all {
            let Rotated {
                data_keys,
                values,
                stuck,
            } = vault.rotate(upgrade, &CancellationToken::new()).await?;
            let service = vault.service();
            println!(
                "{service}\t{data_keys} data keys wrapped anew\t{values} values sealed anew\t{stuck} do not open"
            );
            left += stuck;
        }
        anyhow::ensure!(
            left == 0,
            "{left} data keys or values do not open and were left as they are"
        );
        Ok(())
    }

    async fn needed(&self, key: &str) -> anyhow::Result<i64> {
        let mut needed = 0;
        for vault in &self.all {
            let used = vault.status().await?.into_iter().filter(|used| used.key == key);
            needed += used.map(|used| used.data_keys + used.values).sum::<i64>();
        }
        Ok(needed)
    }

    /// Asked of tenancy's table: no API finds a deleted tenant. Nothing becomes of one any more, so the answer stays true.
    async fn ensure_deleted(&self, tenant: TenantId) -> anyhow::Result<()> {
        let status = plaza_tenancy::status(&self.tenancy, tenant).await?;
        let status = status.with_context(|| format!("there never was a tenant {tenant}"))?;
        anyhow::ensure!(
            status == Status::Deleted,
            "the tenant is {status}, not deleted: it still needs its secrets"
        );
        Ok(())
    }
}

fn ring(key: Option<&SecretString>) -> anyhow::Result<KeyRing> {
    let key = key.context("encryption_key (ENCRYPTION_KEY) is not set")?;
    KeyRing::parse(key).context("the encryption key cannot be used")
}
