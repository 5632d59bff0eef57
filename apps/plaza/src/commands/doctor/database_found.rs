//! Which database there is to look at. Nothing is started or made: a doctor that changes the patient is none.

use std::fs;
use std::time::Duration;

use plaza_contracts::services::ALL;
use plaza_database::{Database, DatabaseError, DatabaseLimits, DatabaseSettings, Databases};
use plaza_kernel::ServiceName;
use secrecy::SecretString;

use super::keys::is_split;
use super::report::Report;
use super::secrets::Secrets;
use crate::config::Config;
use crate::local::{Local, Purpose};
use crate::secrets::LocalSecrets;

/// The database of an installation, with connections of our own: one for each door, and more patience than a request has.
pub(super) struct Found {
    pub(super) settings: DatabaseSettings,
    pub(super) secrets: Secrets,
    /// What its secrets are sealed with, where that is known here.
    pub(super) encryption_key: Option<SecretString>,
    databases: Databases,
    logins: Vec<(ServiceName, plaza_database::Login)>,
}

impl Found {
    /// The configured one, or that of a Plaza that runs on this machine's folder. None if there is nothing to look at, or
    /// the settings cannot be used; the report says which.
    pub(super) async fn find(config: &Config, report: &mut Report) -> Option<Self> {
        report.area("database");
        let secrets = Secrets::of(config);
        let (settings, made) = match &config.database.url {
            Some(_) => (configured(config, &secrets, report)?, None),
            None => of_this_machine(config, report)?,
        };
        let found = match Self::of(settings, config, secrets) {
            Ok(found) => Self {
                encryption_key: found.encryption_key.or(made),
                ..found
            },
            Err((error, secrets)) => {
                report.fail(
                    "address",
                    secrets.told(&error),
                    "see `database.url` in docs/plaza.toml",
                );
                return None;
            }
        };
        if config.database.url.is_none() && !found.answers().await {
            let advice = "start `plaza up`, and look again beside it";
            report.warn("database", "the one of this data folder does not run", advice);
            return None;
        }
        Some(found)
    }

    /// Whether anybody is there at all.
    async fn answers(&self) -> bool {
        match self.each().next() {
            Some((_, Ok(database))) => database.ping().await.is_ok(),
            _ => false,
        }
    }

    pub(super) fn of(
        settings: DatabaseSettings,
        config: &Config,
        mut secrets: Secrets,
    ) -> Result<Self, (DatabaseError, Secrets)> {
        secrets.add(&settings.url);
        secrets.add(&settings.role_key);
        let limits = DatabaseLimits {
            read_timeout: Duration::from_secs(10),
            read_lock_timeout: Duration::from_secs(2),
            transaction_wait: Duration::from_secs(5),
            ..DatabaseLimits::default()
        };
        let few = DatabaseSettings {
            shared: 1,
            exclusive: 1,
            system: 1,
            ..settings
        };
        let logins = seen(config)
            .map(|service| (service, config.logins.get(&service).cloned().unwrap_or_default()))
            .collect();
        match Databases::with_limits(few.clone(), limits) {
            Ok(databases) => Ok(Self {
                settings: few,
                secrets,
                encryption_key: config.encryption_key.clone(),
                databases,
                logins,
            }),
            Err(error) => Err((error, secrets)),
        }
    }

    /// Each service with its database, or why its settings cannot be used.
    pub(super) fn each(&self) -> impl Iterator<Item = (ServiceName, Result<Database, DatabaseError>)> + '_ {
        self.logins
            .iter()
            .map(|(service, login)| (*service, self.databases.of(*service, login.clone())))
    }
}

/// The services that can be looked at: with the role key all of them, without it those whose logins are given.
fn seen(config: &Config) -> impl Iterator<Item = ServiceName> {
    let all = config.database.role_key.is_some() || config.database.url.is_none();
    let own = ALL.map(|service| all || config.has_logins_of(service));
    ALL.into_iter()
        .zip(own)
        .filter_map(|(service, seen)| seen.then_some(service))
}

fn configured(config: &Config, secrets: &Secrets, report: &mut Report) -> Option<DatabaseSettings> {
    let seen: Vec<ServiceName> = seen(config).collect();
    let purpose = Purpose::Look(if seen.is_empty() { &ALL } else { &seen });
    match Local::configured(config, purpose) {
        Ok(local) => Some(local.database),
        Err(error) => {
            report.fail(
                "settings",
                secrets.told(&error),
                "see [database] in docs/plaza.toml",
            );
            None
        }
    }
}

/// The embedded cluster, if a Plaza runs on the data folder, and the key that was made for it.
fn of_this_machine(config: &Config, report: &mut Report) -> Option<(DatabaseSettings, Option<SecretString>)> {
    if is_split(config) {
        report.note(
            "database",
            "none configured: right for a process that hosts the gateway alone",
        );
        return None;
    }
    let folder = std::path::absolute(&config.data).ok()?;
    let url = fs::read_to_string(folder.join("database-url")).ok();
    let (Some(url), true) = (url, folder.join("secrets.toml").is_file()) else {
        report.note(
            "database",
            "none yet: `plaza up` makes one, or give database.url (DATABASE_URL)",
        );
        return None;
    };
    // The file is there, so nothing is made.
    match LocalSecrets::load_or_make(&folder) {
        Ok(secrets) => {
            let settings = DatabaseSettings {
                url: SecretString::from(url.trim()),
                role_key: config.database.role_key.clone().unwrap_or(secrets.role_key),
                shared: config.database.shared_connections,
                exclusive: config.database.exclusive_connections,
                system: config.database.system_connections,
            };
            Some((settings, Some(secrets.encryption_key)))
        }
        Err(_) => {
            report.fail(
                "secrets",
                "secrets.toml in the data folder cannot be read",
                "restore it from a backup",
            );
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::Level;
    use super::*;
    use crate::config::{Environment, Flags};

    async fn told(values: &[(&'static str, &str)]) -> (bool, Vec<Level>, String) {
        let mut flags = Flags::default();
        for (key, value) in values {
            flags.push(key, Some(value));
        }
        let config = Config::load(&flags, &Environment::of(std::iter::empty())).unwrap();
        let mut report = Report::default();
        let found = Found::find(&config, &mut report).await.is_some();
        let levels = report.lines().map(|line| line.level).collect();
        (found, levels, report.to_string())
    }

    #[tokio::test]
    async fn where_there_is_none_yet_nothing_is_wrong_and_nothing_is_made() {
        let place = tempfile::tempdir().unwrap();
        let data = place.path().join("data");
        let (found, levels, text) = told(&[("data", data.to_str().unwrap())]).await;
        assert!(!found && levels == [Level::Note], "{text}");
        assert!(!data.exists());
    }

    #[tokio::test]
    async fn a_cluster_that_does_not_run_is_told_and_not_started() {
        let place = tempfile::tempdir().unwrap();
        LocalSecrets::load_or_make(place.path()).unwrap();
        let url = "postgresql://plaza_superuser:CANARY@127.0.0.1:1/plaza";
        fs::write(place.path().join("database-url"), url).unwrap();
        let (found, levels, text) = told(&[("data", place.path().to_str().unwrap())]).await;
        assert!(!found && levels == [Level::Warn], "{text}");
        assert!(!text.contains("CANARY"));
        assert_eq!(
            fs::read_dir(place.path()).unwrap().count(),
            2,
            "nothing else was made"
        );
    }

    #[tokio::test]
    async fn a_configured_database_without_its_keys_is_wrong() {
        let (found, levels, text) =
            told(&[("database.url", "postgresql://me:CANARY@127.0.0.1:1/plaza")]).await;
        assert!(!found && levels == [Level::Fail], "{text}");
        assert!(text.contains("role_key") && !text.contains("CANARY"), "{text}");
    }
}
