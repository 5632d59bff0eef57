//! A proxy in front of PostgreSQL that counts flights by login: how often a client speaks after having listened.
//! Everything that a client sends before it hears from the server is one flight, however many statements it is.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio_postgres::config::Host;

type Counts = BTreeMap<String, u64>;

/// Where the server is.
#[derive(Debug, Clone)]
enum Server {
    Unix(PathBuf),
    Tcp(String, u16),
}

/// The proxy; it ends with the runtime of its test.
pub(crate) struct Flights {
    address: SocketAddr,
    counts: Arc<Mutex<Counts>>,
}

impl Flights {
    /// Listens on a port of loopback and goes on to the server of this URL.
    pub(crate) async fn to(url: &str) -> Self {
        let config: tokio_postgres::Config = url.parse().unwrap();
        let port = config.get_ports().first().copied().unwrap_or(5432);
        let server = match &config.get_hosts()[0] {
            Host::Unix(folder) => Server::Unix(folder.join(format!(".s.PGSQL.{port}"))),
            Host::Tcp(name) => Server::Tcp(name.clone(), port),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, counts) = (listener.local_addr().unwrap(), Arc::default());
        let to = Arc::clone(&counts);
        #[expect(clippy::disallowed_methods, reason = "ends with the test")]
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                // A broken connection shows at the client.
                tokio::spawn(carry(client, server.clone(), Arc::clone(&to)));
            }
        });
        Self { address, counts }
    }

    /// The same login and database at the proxy.
    pub(crate) fn through(&self, url: &str) -> String {
        let (login, rest) = url.rsplit_once('@').unwrap();
        let (_, database) = rest.split_once('/').unwrap();
        format!("{login}@{}/{database}", self.address)
    }

    /// The flights of every login since the last call.
    pub(crate) fn take(&self) -> Counts {
        std::mem::take(&mut *self.counts.lock().unwrap())
    }
}

async fn carry(mut client: TcpStream, server: Server, counts: Arc<Mutex<Counts>>) -> io::Result<()> {
    let start = startup(&mut client).await?;
    let login = login(&start);
    match server {
        Server::Unix(path) => pass(client, UnixStream::connect(path).await?, &start, login, counts).await,
        Server::Tcp(name, port) => {
            pass(
                client,
                TcpStream::connect((name, port)).await?,
                &start,
                login,
                counts,
            )
            .await
        }
    }
}

async fn pass<S: AsyncRead + AsyncWrite + Unpin>(
    mut client: TcpStream,
    mut server: S,
    start: &[u8],
    login: String,
    counts: Arc<Mutex<Counts>>,
) -> io::Result<()> {
    client.set_nodelay(true)?;
    server.write_all(start).await?;
    let (client_reads, client_writes) = client.split();
    let (server_reads, server_writes) = tokio::io::split(server);
    let speaking = AtomicBool::new(true);
    let up = pump(client_reads, server_writes, || {
        if !speaking.swap(true, Ordering::SeqCst) {
            *counts.lock().unwrap().entry(login.clone()).or_default() += 1;
        }
    });
    let down = pump(server_reads, client_writes, || {
        speaking.store(false, Ordering::SeqCst)
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

/// The first message: its length, the protocol's version, names and values that each end with a zero byte.
async fn startup(client: &mut TcpStream) -> io::Result<Vec<u8>> {
    let length = client.read_u32().await?;
    let mut message = length.to_be_bytes().to_vec();
    message.resize(length as usize, 0);
    client.read_exact(&mut message[4..]).await?;
    Ok(message)
}

fn login(startup: &[u8]) -> String {
    let mut words = startup[8.min(startup.len())..].split(|byte| *byte == 0);
    words.find(|word| word == b"user");
    String::from_utf8_lossy(words.next().unwrap_or_default()).into_owned()
}
