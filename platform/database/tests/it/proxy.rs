//! A proxy that can spoil what the client says.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use plaza_database::{Database, DatabaseLimits, Databases, Login};
use plaza_testkit::TestDatabase;
use secrecy::ExposeSecret;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio_postgres::Config;
use tokio_postgres::config::Host;

use crate::ledger::LEDGER;

/// Between the ledger and its server.
pub(crate) struct Proxy {
    pub(crate) database: Database,
    spoils: Arc<AtomicBool>,
    _socket: TempDir,
}

impl Proxy {
    /// Once told to, makes every `from` that the client sends a `to`.
    pub(crate) fn to(
        test: &TestDatabase,
        from: &'static str,
        to: &'static str,
        limits: DatabaseLimits,
    ) -> Self {
        assert_eq!(from.len(), to.len(), "lengths are part of the protocol");
        let mut settings = test.settings();
        let server: Config = settings.url.expose_secret().parse().unwrap();
        let socket = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(socket.path().join(".s.PGSQL.5432")).unwrap();
        let spoils = Arc::new(AtomicBool::new(false));
        tokio::spawn(accept(
            listener,
            server.clone(),
            Arc::clone(&spoils),
            (from.as_bytes(), to.as_bytes()),
        ));
        let database = server.get_dbname().unwrap();
        settings.url = format!(
            "host={} port=5432 user=nobody dbname={database}",
            socket.path().display()
        )
        .into();
        let databases = Databases::with_limits(settings, limits).unwrap();
        let database = databases.of(LEDGER, Login::default()).unwrap();
        Self {
            database,
            spoils,
            _socket: socket,
        }
    }

    pub(crate) fn spoil(&self, spoils: bool) {
        self.spoils.store(spoils, Ordering::SeqCst);
    }
}

async fn accept(
    listener: UnixListener,
    server: Config,
    spoils: Arc<AtomicBool>,
    (from, to): (&'static [u8], &'static [u8]),
) {
    let Host::Unix(folder) = &server.get_hosts()[0] else {
        panic!("the test cluster has a socket")
    };
    let path = folder.join(format!(
        ".s.PGSQL.{}",
        server.get_ports().first().unwrap_or(&5432)
    ));
    loop {
        let (mut client, _) = listener.accept().await.unwrap();
        let (path, spoils) = (path.clone(), Arc::clone(&spoils));
        tokio::spawn(async move {
            let mut server = UnixStream::connect(path).await.unwrap();
            let (mut server_reads, mut server_writes) = server.split();
            let (mut client_reads, mut client_writes) = client.split();
            let up = async {
                let mut bytes = vec![0; 1 << 16];
                while let Ok(read @ 1..) = client_reads.read(&mut bytes).await {
                    if spoils.load(Ordering::SeqCst) {
                        spoil(&mut bytes[..read], from, to);
                    }
                    if server_writes.write_all(&bytes[..read]).await.is_err() {
                        break;
                    }
                }
            };
            let down = tokio::io::copy(&mut server_reads, &mut client_writes);
            tokio::select! {
                () = up => {}
                _ = down => {}
            }
        });
    }
}

fn spoil(bytes: &mut [u8], from: &[u8], to: &[u8]) {
    let mut at = 0;
    while at + from.len() <= bytes.len() {
        if bytes[at..].starts_with(from) {
            bytes[at..at + to.len()].copy_from_slice(to);
        }
        at += 1;
    }
}
