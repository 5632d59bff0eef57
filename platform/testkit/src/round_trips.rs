//! Counts round trips to PostgreSQL.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use plaza_database::{Database, Databases, Login};
use plaza_kernel::ServiceName;
use secrecy::{ExposeSecret, SecretString};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio_postgres::config::Host;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::TestDatabase;
use crate::connect::address;

/// A proxy in front of a test database that counts flights: how often a client speaks after having listened.
///
/// Everything that a client sends before it hears from the server is one flight, however many statements it is.
/// A login takes some flights of its own: warm the connections up, call [`RoundTrips::take`], then measure.
pub struct RoundTrips {
    databases: Databases,
    flights: Arc<AtomicU64>,
    _socket: TempDir,
    _stop: DropGuard,
}

impl RoundTrips {
    /// Puts a proxy in front of the database.
    ///
    /// # Panics
    /// When there is no room for its socket.
    pub async fn to(database: &TestDatabase) -> Self {
        match Self::try_to(database) {
            Ok(proxy) => proxy,
            Err(error) => panic!("no proxy in front of the database: {error:#}"),
        }
    }

    fn try_to(database: &TestDatabase) -> anyhow::Result<Self> {
        let socket = tempfile::tempdir()?;
        let mut settings = database.settings();
        let server = address(&settings.url);
        settings.url = through(&settings.url, socket.path());
        let listener = UnixListener::bind(socket.path().join(".s.PGSQL.5432"))?;
        let (flights, stop) = (Arc::new(AtomicU64::new(0)), CancellationToken::new());
        let accepting = accept(listener, server, Arc::clone(&flights));
        let stopped = stop.clone().cancelled_owned();
        #[expect(clippy::disallowed_methods, reason = "ends with the proxy")]
        tokio::spawn(async move {
            tokio::select! {
                () = stopped => {}
                _ = accepting => {}
            }
        });
        Ok(Self {
            databases: Databases::new(settings)?,
            flights,
            _socket: socket,
            _stop: stop.drop_guard(),
        })
    }

    /// The database of a service, reached through the proxy.
    ///
    /// # Panics
    /// When the service has no logins here.
    pub fn of(&self, service: ServiceName) -> Database {
        match self.databases.of(service, Login::default()) {
            Ok(database) => database,
            Err(error) => panic!("no database for {service}: {error}"),
        }
    }

    /// All databases, reached through the proxy.
    pub fn databases(&self) -> &Databases {
        &self.databases
    }

    /// How many flights went from client to server since the last call.
    pub fn take(&self) -> u64 {
        self.flights.swap(0, Ordering::SeqCst)
    }
}

async fn accept(listener: UnixListener, server: (Host, u16), flights: Arc<AtomicU64>) -> io::Result<()> {
    loop {
        let (client, _) = listener.accept().await?;
        let (server, flights) = (server.clone(), Arc::clone(&flights));
        #[expect(clippy::disallowed_methods, reason = "ends with its connection")]
        tokio::spawn(async move {
            // A broken connection shows at the client.
            let _ = match server {
                (Host::Unix(folder), port) => {
                    let path = folder.join(format!(".s.PGSQL.{port}"));
                    carry(client, UnixStream::connect(path).await, &flights).await
                }
                (Host::Tcp(name), port) => {
                    carry(client, TcpStream::connect((name.as_str(), port)).await, &flights).await
                }
            };
        });
    }
}

async fn carry<S>(client: UnixStream, server: io::Result<S>, flights: &AtomicU64) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite,
{
    let (client_reads, client_writes) = tokio::io::split(client);
    let (server_reads, server_writes) = tokio::io::split(server?);
    let client_speaks = AtomicBool::new(false);
    let up = pump(client_reads, server_writes, || {
        if !client_speaks.swap(true, Ordering::SeqCst) {
            flights.fetch_add(1, Ordering::SeqCst);
        }
    });
    let down = pump(server_reads, client_writes, || {
        client_speaks.store(false, Ordering::SeqCst)
    });
    tokio::select! {
        ended = up => ended,
        ended = down => ended,
    }
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut heard: impl FnMut(),
) -> io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        heard();
        to.write_all(&buffer[..read]).await?;
    }
}

/// The same login and database at the socket in `folder`.
fn through(url: &SecretString, folder: &std::path::Path) -> SecretString {
    let url = url.expose_secret();
    let (login, rest) = url.rsplit_once('@').unwrap_or(("postgresql://", url));
    let database = rest.split_once('/').map_or("", |(_, database)| database);
    let host = folder.display().to_string().replace('/', "%2F");
    SecretString::from(format!("{login}@{host}:5432/{database}"))
}
