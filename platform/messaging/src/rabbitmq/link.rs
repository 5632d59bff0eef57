//! One connection that is made anew whenever it is needed and not there.

use std::sync::{Arc, PoisonError, RwLock};

use lapin::tcp::OwnedTLSConfig;
use lapin::uri::AMQPUri;
use lapin::{Connection, ConnectionProperties, DefaultConnectionBuilder};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::backoff::Backoff;
use super::{RabbitMqError, RabbitMqSettings};

/// The way to the broker for one purpose.
///
/// Publishing and consuming have a connection each: the broker blocks one that publishes while it lacks memory or disk,
/// and a blocked connection carries no acknowledgements either.
pub(crate) struct Link {
    purpose: &'static str,
    uri: AMQPUri,
    settings: Arc<RabbitMqSettings>,
    // Locked while somebody connects.
    attempts: Mutex<Attempts>,
    connection: RwLock<Option<Arc<Connection>>>,
}

/// What came of connecting so far.
#[derive(Default)]
struct Attempts {
    backoff: Backoff,
    not_before: Option<Instant>,
    last_error: String,
}

impl Link {
    pub(crate) fn new(purpose: &'static str, uri: AMQPUri, settings: Arc<RabbitMqSettings>) -> Self {
        Self {
            purpose,
            uri,
            settings,
            attempts: Mutex::default(),
            connection: RwLock::default(),
        }
    }

    /// The connection, if there is one that works.
    pub(crate) fn current(&self) -> Option<Arc<Connection>> {
        let connection = self.connection.read().unwrap_or_else(PoisonError::into_inner);
        connection
            .as_ref()
            .filter(|one| one.status().connected())
            .cloned()
    }

    /// The connection, made if need be. While the broker is away most callers are told so at once, and one of them tries
    /// again now and then.
    pub(crate) async fn connection(&self) -> Result<Arc<Connection>, RabbitMqError> {
        if let Some(connection) = self.current() {
            return Ok(connection);
        }
        let mut attempts = self.attempts.lock().await;
        if let Some(connection) = self.current() {
            return Ok(connection);
        }
        if attempts.not_before.is_some_and(|at| at > Instant::now()) {
            return Err(RabbitMqError::StillAway(attempts.last_error.clone()));
        }
        match self.connect().await {
            Ok(connection) => {
                *attempts = Attempts::default();
                tracing::info!(purpose = self.purpose, "connected to the broker");
                let connection = Arc::new(connection);
                *self.connection.write().unwrap_or_else(PoisonError::into_inner) =
                    Some(Arc::clone(&connection));
                Ok(connection)
            }
            Err(error) => {
                attempts.not_before = Some(Instant::now() + attempts.backoff.pause(self.settings.pause));
                attempts.last_error = error.to_string();
                let purpose = self.purpose;
                tracing::warn!(
                    purpose,
                    error = &error as &dyn std::error::Error,
                    "the broker cannot be reached"
                );
                Err(RabbitMqError::away(error))
            }
        }
    }

    async fn connect(&self) -> Result<Connection, lapin::Error> {
        let name = format!("{} {}", self.settings.name, self.purpose);
        let tls = OwnedTLSConfig {
            identity: None,
            cert_chain: self.settings.trusted.clone(),
        };
        let connecting = DefaultConnectionBuilder::new()?
            .with_uri(self.uri.clone())
            .with_properties(ConnectionProperties::default().with_connection_name(name.into()))
            .with_tls_config(tls);
        match tokio::time::timeout(self.settings.connect, connecting.connect()).await {
            Ok(connected) => connected,
            Err(_) => Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()),
        }
    }

    /// Says goodbye.
    pub(crate) async fn close(&self) {
        let connection = self
            .connection
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(connection) = connection {
            // It may be gone already, or never answer.
            let goodbye = connection.close(200, "goodbye".into());
            let _ = tokio::time::timeout(self.settings.confirm, goodbye).await;
        }
    }
}
