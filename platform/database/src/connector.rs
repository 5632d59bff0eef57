//! How connections are made: address, login, session settings, TLS.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::aws_lc_rs;
use secrecy::{ExposeSecret, SecretString};
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::DatabaseError;

/// Moves the bytes of one connection; ends with it.
pub(crate) type Driver = Pin<Box<dyn Future<Output = Result<(), tokio_postgres::Error>> + Send>>;

/// Makes connections of one kind.
pub(crate) struct Connector {
    config: Config,
    tls: Option<MakeRustlsConnect>,
    patience: Duration,
}

impl Connector {
    /// TLS is used, and the server's name verified, when the address says `sslmode=require`; otherwise not at all.
    pub(crate) fn new(mut config: Config, patience: Duration) -> Result<Self, DatabaseError> {
        let tls = match config.get_ssl_mode() {
            SslMode::Require => Some(verified_tls()?),
            _ => None,
        };
        if tls.is_none() {
            config.ssl_mode(SslMode::Disable);
        }
        config
            .keepalives_idle(Duration::from_secs(30))
            .tcp_user_timeout(Duration::from_secs(10));
        Ok(Self {
            config,
            tls,
            patience,
        })
    }

    /// A new connection, or why there is none.
    pub(crate) async fn connect(&self) -> Result<(Client, Driver), DatabaseError> {
        tokio::time::timeout(self.patience, self.open())
            .await
            .map_err(DatabaseError::away)?
            .map_err(DatabaseError::away)
    }

    #[expect(clippy::disallowed_methods, reason = "this is the one home of connecting")]
    async fn open(&self) -> Result<(Client, Driver), tokio_postgres::Error> {
        match &self.tls {
            Some(tls) => {
                let (client, connection) = self.config.connect(tls.clone()).await?;
                Ok((client, Box::pin(connection)))
            }
            None => {
                let (client, connection) = self.config.connect(NoTls).await?;
                Ok((client, Box::pin(connection)))
            }
        }
    }

    /// Asks the server to stop what this connection is doing. For a connection that is about to be closed only:
    /// the request may arrive late.
    pub(crate) async fn cancel(&self, client: &Client) {
        let token = client.cancel_token();
        let asked = async {
            match &self.tls {
                Some(tls) => token.cancel_query(tls.clone()).await,
                None => token.cancel_query(NoTls).await,
            }
        };
        // A server that cannot be reached will not go on with the statement for long either.
        let _ = tokio::time::timeout(self.patience, asked).await;
    }
}

/// Reads an address: a `postgresql://` URL or `key=value` words. Without a database name, the user's.
pub(crate) fn parse(url: &SecretString) -> Result<Config, DatabaseError> {
    let mut config: Config = url
        .expose_secret()
        .parse()
        .map_err(|error: tokio_postgres::Error| DatabaseError::Misconfigured(error.into()))?;
    if config.get_dbname().is_none() {
        let name = config.get_user().unwrap_or("postgres").to_owned();
        config.dbname(name);
    }
    Ok(config)
}

/// Adds session settings to those that the address brings.
pub(crate) fn add_settings(config: &mut Config, settings: &[(&str, String)]) {
    let mut options = config.get_options().unwrap_or_default().to_owned();
    for (name, value) in settings {
        options.push_str(&format!(" -c {name}={value}"));
    }
    config.options(options.trim_start());
}

/// The roots are the operating system's (`SSL_CERT_FILE` names others, as for OpenSSL).
fn verified_tls() -> Result<MakeRustlsConnect, DatabaseError> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(DatabaseError::Misconfigured(
            "no root certificates were found for TLS".into(),
        ));
    }
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| DatabaseError::Misconfigured(error.into()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_folder_and_a_url_both_name_an_address() {
        let words = parse(&"host=/run/plaza port=5433 user=postgres".into()).unwrap();
        assert_eq!(
            (words.get_dbname(), words.get_ports()),
            (Some("postgres"), &[5433][..])
        );
        let url = parse(&"postgresql://me@db.example:5432/plaza?sslmode=require".into()).unwrap();
        assert_eq!(
            (url.get_dbname(), url.get_ssl_mode()),
            (Some("plaza"), SslMode::Require)
        );
        assert!(matches!(
            parse(&"http://nowhere".into()),
            Err(DatabaseError::Misconfigured(_))
        ));
    }

    #[test]
    fn settings_join_those_of_the_address() {
        let mut config = parse(&"host=h user=u options='-c a=1'".into()).unwrap();
        add_settings(&mut config, &[("search_path", "broadcast".to_owned())]);
        assert_eq!(config.get_options(), Some("-c a=1 -c search_path=broadcast"));
    }
}
