//! HAProxy before several addresses, as in production before several gateways: what is not ready gets no requests.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::marked::Mark;
use crate::{ports, programs};

/// The Debian package.
pub const PACKAGE: &str = "haproxy";

const READY_WITHIN: Duration = Duration::from_secs(30);

/// A running HAProxy on the loopback address; ends when it is dropped.
///
/// It asks every backend for `/readyz` each 200 ms; one bad answer takes it out and one good answer puts it in. A late one is no
/// bad one: a busy machine would take all of them out. A request
/// whose connection cannot be made goes to another backend (`option redispatch`); one that was sent is never sent again.
pub struct Haproxy {
    address: SocketAddr,
    backends: Vec<SocketAddr>,
    folder: TempDir,
    mark: Mark,
    child: Child,
}

impl Haproxy {
    /// Starts one, and waits until it takes connections and has asked every backend once.
    ///
    /// # Panics
    /// When HAProxy is missing or does not start.
    pub async fn before(backends: &[SocketAddr]) -> Self {
        match Self::try_before(backends).await {
            Ok(proxy) => proxy,
            Err(error) => panic!("no HAProxy for this test: {error:#}"),
        }
    }

    async fn try_before(backends: &[SocketAddr]) -> Result<Self> {
        let program = programs::find("haproxy", PACKAGE, &[])?;
        let mut attempts = 0;
        loop {
            attempts += 1;
            match Self::start(&program, backends).await {
                // Somebody else may have taken the port meanwhile.
                Err(_) if attempts < 3 => {}
                started => return started,
            }
        }
    }

    async fn start(program: &PathBuf, backends: &[SocketAddr]) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mark = Mark::owned(folder.path())?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free(&[])?));
        let file = folder.path().join("haproxy.cfg");
        std::fs::write(&file, configuration(address, backends))?;
        let output = std::fs::File::create(folder.path().join("output"))?;
        let mut command = Command::new(program);
        mark.put_on(&mut command);
        command
            .current_dir(folder.path())
            // -db: in the foreground.
            .args(["-db", "-f"])
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output);
        let child = command.spawn()?;
        let mut proxy = Self {
            address,
            backends: backends.to_vec(),
            folder,
            mark,
            child,
        };
        proxy.ready().await?;
        Ok(proxy)
    }

    async fn ready(&mut self) -> Result<()> {
        let began = Instant::now();
        loop {
            let asked = self
                .states()
                .is_ok_and(|states| states.iter().all(State::is_asked));
            if asked && tokio::net::TcpStream::connect(self.address).await.is_ok() {
                return Ok(());
            }
            if began.elapsed() > READY_WITHIN || !matches!(self.child.try_wait(), Ok(None)) {
                let said = std::fs::read_to_string(self.folder.path().join("output")).unwrap_or_default();
                bail!("HAProxy is not ready:\n{said}");
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The backends that get requests now.
    ///
    /// # Panics
    /// When HAProxy does not say.
    pub fn up(&self) -> Vec<SocketAddr> {
        match self.states() {
            Ok(states) => states
                .iter()
                .filter(|state| state.is_up())
                .map(|state| self.backends[state.index])
                .collect(),
            Err(error) => panic!("HAProxy does not say how its backends are: {error:#}"),
        }
    }

    /// The answer to `show stat`: a table with a head, as comma-separated values (HAProxy's management guide §9.1).
    fn states(&self) -> Result<Vec<State>> {
        let mut socket = UnixStream::connect(self.folder.path().join("admin.sock"))?;
        socket.write_all(b"show stat\n")?;
        let mut table = String::new();
        socket.read_to_string(&mut table)?;
        let mut lines = table.lines().map(|line| line.split(',').collect::<Vec<_>>());
        let head = lines.next().context("no table")?;
        let column = |name: &str| {
            head.iter()
                .position(|column| *column == name)
                .context("a column is missing")
        };
        let (server, status, check) = (column("svname")?, column("status")?, column("check_status")?);
        Ok(lines
            .filter_map(|line| {
                Some(State {
                    index: line.get(server)?.strip_prefix("backend-")?.parse().ok()?,
                    status: (*line.get(status)?).to_owned(),
                    check: (*line.get(check)?).to_owned(),
                })
            })
            .collect())
    }
}

impl Drop for Haproxy {
    fn drop(&mut self) {
        if let Err(error) = self.mark.kill() {
            eprintln!("a test's HAProxy runs on: {error:#}");
        }
        // It was killed: nothing else can come of it.
        let _ = self.child.wait();
    }
}

struct State {
    index: usize,
    status: String,
    check: String,
}

impl State {
    /// `INI` before the first check.
    fn is_asked(&self) -> bool {
        !self.check.is_empty() && !self.check.contains("INI")
    }

    fn is_up(&self) -> bool {
        self.is_asked() && self.status.starts_with("UP")
    }
}

fn configuration(address: SocketAddr, backends: &[SocketAddr]) -> String {
    let servers: String = backends
        .iter()
        .enumerate()
        .map(|(index, backend)| format!("    server backend-{index} {backend}\n"))
        .collect();
    format!(
        "global
    stats socket unix@admin.sock mode 600 level admin
    maxconn 4000
defaults
    mode http
    timeout connect 1s
    timeout client 60s
    timeout server 60s
    timeout check 5s
    retries 3
    option redispatch 1
frontend front
    bind {address}
    default_backend plaza
backend plaza
    balance roundrobin
    option httpchk GET /readyz
    http-check expect status 200
    default-server check inter 200ms fall 1 rise 1
{servers}"
    )
}
