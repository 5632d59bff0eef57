//! A TCP proxy with faults, for whatever stands behind an address: a database, a broker, a service, a provider.
//!
//! ```text
//! let proxy = FaultProxy::before_database(&database).await;
//! let databases = Databases::new(proxy.database_settings(&database))?;
//! proxy.set(Mode::BlackHole).await;   // in force for every connection, old and new, when this returns
//! …
//! proxy.set(Mode::Pass).await;
//! ```
//!
//! It carries bytes and knows no protocol; whoever counts messages has a proxy of its own (`round_trips.rs`).

mod carry;
mod front;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use plaza_database::DatabaseSettings;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::watch;
use tokio_postgres::config::Host;

use crate::TestDatabase;
use crate::connect::address;
use front::{Front, listen_anywhere};

/// What happens to connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Everything passes.
    Pass,
    /// Nobody listens: connecting is refused. Connections that exist are reset, as when the machine behind was switched
    /// off and on again.
    Refuse,
    /// Connections are accepted and reset at once; those that exist are reset too.
    ResetAtAccept,
    /// Connections stand and nothing passes in either direction, as behind a firewall that drops. What was sent
    /// meanwhile passes when this is over, as TCP would send it again.
    BlackHole,
    /// Requests pass and no reply does: it is done, and nobody hears of it.
    LoseReplies,
    /// Every byte arrives this much later, in each direction. Throughput is as before.
    Delay(Duration),
    /// A connection is reset after this many more bytes of replies.
    ResetReplyAfter(u64),
    /// One byte a second, in each direction.
    Trickle,
}

/// What a proxy has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Connections that were accepted, the reset ones too.
    pub accepted: u64,
    /// Connections that stand now.
    pub open: u64,
    /// Bytes that passed to the server.
    pub to_server: u64,
    /// Bytes that passed to clients.
    pub to_clients: u64,
}

/// What stands behind a proxy.
#[derive(Debug, Clone)]
pub enum Server {
    /// An address.
    Tcp(SocketAddr),
    /// A socket in the file system.
    Unix(PathBuf),
}

impl From<SocketAddr> for Server {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp(address)
    }
}

/// A proxy on the loopback address; it ends, with its connections, when it is dropped.
pub struct FaultProxy {
    address: SocketAddr,
    mode: watch::Sender<Mode>,
    in_force: watch::Receiver<Mode>,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    accepted: AtomicU64,
    open: AtomicU64,
    to_server: AtomicU64,
    to_clients: AtomicU64,
}

impl FaultProxy {
    /// Puts a proxy before a server; everything passes.
    ///
    /// # Panics
    /// When no port is to be had.
    pub async fn before(server: impl Into<Server>) -> Self {
        match Self::try_before(server.into()).await {
            Ok(proxy) => proxy,
            Err(error) => panic!("no proxy for this test: {error}"),
        }
    }

    /// Puts a proxy before the server of a test's database.
    ///
    /// # Panics
    /// As [`FaultProxy::before`].
    pub async fn before_database(database: &TestDatabase) -> Self {
        Self::before(match address(&database.url()) {
            (Host::Unix(folder), port) => Server::Unix(folder.join(format!(".s.PGSQL.{port}"))),
            (Host::Tcp(name), port) => Server::Tcp(resolved(&name, port).await),
        })
        .await
    }

    /// Puts a proxy before the server of a URL: `http://host:port/…`, `amqp://user:password@host:port/…`.
    ///
    /// # Panics
    /// When the URL names no host and port, and as [`FaultProxy::before`].
    pub async fn before_url(url: &SecretString) -> Self {
        let uri: Option<http::Uri> = url.expose_secret().parse().ok();
        let named = uri.as_ref().and_then(|uri| Some((uri.host()?, uri.port_u16()?)));
        match named {
            Some((host, port)) => Self::before(resolved(host, port).await).await,
            None => panic!("a URL with host and port is needed"),
        }
    }

    async fn try_before(server: Server) -> io::Result<Self> {
        let listener = listen_anywhere().await?;
        let address = listener.local_addr()?;
        let (mode, modes) = watch::channel(Mode::Pass);
        let (say, in_force) = watch::channel(Mode::Pass);
        let seen = Arc::new(Seen::default());
        let front = Front {
            address,
            server,
            modes,
            in_force: say,
            seen: Arc::clone(&seen),
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "ends with the proxy: its modes end then"
        )]
        tokio::spawn(front.run(listener));
        Ok(Self {
            address,
            mode,
            in_force,
            seen,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same URL, through the proxy.
    ///
    /// # Panics
    /// When the URL names no host.
    pub fn url(&self, url: &SecretString) -> SecretString {
        let url = url.expose_secret();
        let Some((scheme, rest)) = url.split_once("://") else {
            panic!("a URL is needed");
        };
        let end = rest.find('/').unwrap_or(rest.len());
        let login = rest[..end].rfind('@').map_or("", |at| &rest[..=at]);
        format!("{scheme}://{login}{}{}", self.address, &rest[end..]).into()
    }

    /// How the composition root would reach this test's database through the proxy.
    pub fn database_settings(&self, database: &TestDatabase) -> DatabaseSettings {
        let mut settings = database.settings();
        settings.url = self.url(&settings.url);
        settings
    }

    /// Changes what happens to every connection, old and new. In force when this returns.
    ///
    /// # Panics
    /// When the port was taken while the proxy refused.
    pub async fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
        let mut in_force = self.in_force.clone();
        if in_force.wait_for(|now| *now == mode).await.is_err() {
            panic!(
                "the proxy at {} has ended: it could not listen again",
                self.address
            );
        }
    }

    /// What it has seen so far.
    pub fn counts(&self) -> Counts {
        let read = |count: &AtomicU64| count.load(Ordering::SeqCst);
        Counts {
            accepted: read(&self.seen.accepted),
            open: read(&self.seen.open),
            to_server: read(&self.seen.to_server),
            to_clients: read(&self.seen.to_clients),
        }
    }
}

async fn resolved(host: &str, port: u16) -> SocketAddr {
    let found = tokio::net::lookup_host((host, port)).await;
    match found.ok().and_then(|mut addresses| addresses.next()) {
        Some(address) => address,
        None => panic!("{host} has no address"),
    }
}
