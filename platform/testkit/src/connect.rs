//! Connections of the test kit itself, outside the pools under test.

use plaza_database::DatabaseError;
use secrecy::{ExposeSecret, SecretString};
use tokio_postgres::config::Host;
use tokio_postgres::{Client, Config, NoTls};

/// Connects; the connection lives as long as the client.
pub(crate) async fn connect(url: &SecretString) -> Result<Client, DatabaseError> {
    #[expect(
        clippy::disallowed_methods,
        reason = "assertions must not go through what they assert about"
    )]
    let (client, connection) = tokio_postgres::connect(url.expose_secret(), NoTls).await?;
    #[expect(clippy::disallowed_methods, reason = "ends with the client")]
    tokio::spawn(connection);
    Ok(client)
}

/// The same login and server, another database.
pub(crate) fn with_database(url: &SecretString, database: &str) -> SecretString {
    let url = url.expose_secret();
    let (address, options) = url
        .split_once('?')
        .map_or((url, None), |(address, options)| (address, Some(options)));
    let server = match address.split_once("://") {
        Some((scheme, rest)) => format!("{scheme}://{}", rest.split('/').next().unwrap_or_default()),
        None => panic!("PLAZA_TEST_DATABASE_URL is a URL: postgresql://user:password@host:port/postgres"),
    };
    let options = options.map(|options| format!("?{options}")).unwrap_or_default();
    SecretString::from(format!("{server}/{database}{options}"))
}

/// The same server and database, another login.
pub(crate) fn with_login(url: &SecretString, user: &str, password: &SecretString) -> SecretString {
    let url = url.expose_secret();
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let server = rest.rsplit_once('@').map_or(rest, |(_, server)| server);
            SecretString::from(format!("{scheme}://{user}:{}@{server}", password.expose_secret()))
        }
        None => panic!("PLAZA_TEST_DATABASE_URL is a URL: postgresql://user:password@host:port/postgres"),
    }
}

/// Where the server listens.
pub(crate) fn address(url: &SecretString) -> (Host, u16) {
    let config: Config = match url.expose_secret().parse() {
        Ok(config) => config,
        Err(error) => panic!("the URL of the test database cannot be read: {error}"),
    };
    match (config.get_hosts().first(), config.get_ports().first()) {
        (Some(host), port) => (host.clone(), port.copied().unwrap_or(5432)),
        (None, _) => panic!("the URL of the test database names no host"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_changed_in_one_part_only() {
        let url =
            SecretString::from("postgresql://root:a-b@%2Frun%2Fplaza-1:5432/postgres?connect_timeout=3");
        let changed = with_database(&url, "other");
        assert_eq!(
            changed.expose_secret(),
            "postgresql://root:a-b@%2Frun%2Fplaza-1:5432/other?connect_timeout=3"
        );
        let changed = with_login(&url, "low", &SecretString::from("p"));
        assert_eq!(
            changed.expose_secret(),
            "postgresql://low:p@%2Frun%2Fplaza-1:5432/postgres?connect_timeout=3"
        );
        assert_eq!(address(&url), (Host::Unix("/run/plaza-1".into()), 5432));
    }
}
