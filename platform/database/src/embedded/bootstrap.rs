//! What Plaza needs inside the cluster: the migrator's login and the database `plaza`. Safe to repeat.

use std::path::Path;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio_postgres::{Client, Config, Error, NoTls};

use super::{DATABASE, Durability, EmbeddedError, MIGRATOR, SUPERUSER};
use crate::roles::verifier;

/// How to log in over the cluster's socket.
pub(super) struct Logins<'a> {
    pub(super) socket: &'a Path,
    pub(super) port: u16,
    pub(super) superuser_password: &'a SecretString,
}

impl Logins<'_> {
    /// The migrator's login to `plaza`.
    pub(super) fn migrator(&self) -> SecretString {
        self.url(MIGRATOR, self.migrator_password().expose_secret(), DATABASE)
    }

    /// The superuser's login to `postgres`.
    pub(super) fn superuser(&self) -> SecretString {
        self.url(SUPERUSER, self.superuser_password.expose_secret(), "postgres")
    }

    /// Derived, so that one file holds every secret of the cluster.
    fn migrator_password(&self) -> SecretString {
        let key = self.superuser_password.expose_secret().as_bytes();
        let tag = plaza_crypto::hmac_sha256(key, MIGRATOR.as_bytes());
        SecretString::from(tag.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
    }

    fn url(&self, user: &str, password: &str, database: &str) -> SecretString {
        let host: String = self
            .socket
            .as_os_str()
            .as_encoded_bytes()
            .iter()
            .map(|byte| {
                if byte.is_ascii_alphanumeric() {
                    char::from(*byte).to_string()
                } else {
                    format!("%{byte:02X}")
                }
            })
            .collect();
        // Passwords are hexadecimal digits or URL-safe base64: nothing in them needs escaping.
        SecretString::from(format!(
            "postgresql://{user}:{password}@{host}:{}/{database}",
            self.port
        ))
    }

    fn config(&self) -> Config {
        let mut config = Config::new();
        config
            .host_path(self.socket)
            .port(self.port)
            .user(SUPERUSER)
            .dbname("postgres");
        config.password(self.superuser_password.expose_secret());
        config
            .application_name("plaza embedded")
            .connect_timeout(Duration::from_secs(10));
        config
    }
}

/// Makes what is missing. False if the cluster runs with other promises of durability than are asked for.
pub(super) async fn bootstrap(logins: &Logins<'_>, durability: Durability) -> Result<bool, EmbeddedError> {
    let password = logins.migrator_password();
    #[expect(
        clippy::disallowed_methods,
        reason = "this crate owns connections, and the pools do not exist yet"
    )]
    let (client, connection) = logins
        .config()
        .connect(NoTls)
        .await
        .map_err(EmbeddedError::Refused)?;
    let work = async {
        if !runs_with(&client, durability).await? {
            return Ok(false);
        }
        role(&client, &password).await?;
        database(&client).await.map(|()| true)
    };
    tokio::pin!(connection);
    tokio::select! {
        done = work => done,
        broken = &mut connection => match broken {
            Err(error) => Err(error),
            // Only a client that was dropped ends a connection without an error, and ours is alive.
            Ok(()) => Ok(false),
        },
    }
    .map_err(EmbeddedError::Refused)
}

async fn runs_with(client: &Client, durability: Durability) -> Result<bool, Error> {
    let row = client
        .query_one("SELECT current_setting('fsync') = 'on'", &[])
        .await?;
    Ok(row.try_get::<_, bool>(0)? || durability == Durability::Disposable)
}

async fn role(client: &Client, password: &SecretString) -> Result<(), Error> {
    let known = client
        .query_opt("SELECT FROM pg_catalog.pg_roles WHERE rolname = $1", &[&MIGRATOR])
        .await?;
    client
        .batch_execute(&role_statement(known.is_some(), password))
        .await
}

fn role_statement(known: bool, password: &SecretString) -> String {
    let verb = if known { "ALTER" } else { "CREATE" };
    let verifier = verifier(password);
    format!("{verb} ROLE {MIGRATOR} LOGIN CREATEROLE NOSUPERUSER NOBYPASSRLS PASSWORD '{verifier}'")
}

async fn database(client: &Client) -> Result<(), Error> {
    let known = client
        .query_opt(
            "SELECT FROM pg_catalog.pg_database WHERE datname = $1",
            &[&DATABASE],
        )
        .await?;
    if known.is_some() {
        return Ok(());
    }
    client
        .batch_execute(&format!("CREATE DATABASE {DATABASE} OWNER {MIGRATOR}"))
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_statement_does_not_tell_the_migrators_password() {
        let password = SecretString::from("0123456789abcdef");
        for known in [false, true] {
            let statement = role_statement(known, &password);
            assert!(statement.contains("PASSWORD 'SCRAM-SHA-256$4096:"), "{statement}");
            assert!(!statement.contains(password.expose_secret()), "{statement}");
        }
    }
}
