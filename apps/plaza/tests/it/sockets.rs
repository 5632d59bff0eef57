//! Which TCP connections there are while a campaign runs: none between services in one process, and some in pieces.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::future::Future;
use std::net::SocketAddrV4;
use std::time::Duration;

use crate::client::Api;
use crate::fleet::{Fleet, SERVICES};
use crate::front::Front;
use crate::plaza::{Plaza, folder, free_address};
use crate::simulator::SimulatorProcess;
use crate::story;

const SECRET: &str = "what both sides know";
const EVERY: Duration = Duration::from_millis(5);

#[tokio::test]
async fn one_process_opens_no_socket_between_its_services() {
    let listen = free_address();
    let callback = format!("http://{listen}/webhooks/meta");
    let simulator = SimulatorProcess::start(&callback, SECRET, 7, &[]).await;
    let mut plaza = Plaza::builder()
        .env("PLAZA_LISTEN", &listen)
        .env("PLAZA_DEVELOPMENT__SIMULATOR_URL", simulator.url())
        .env("PLAZA_NOTIFICATION__WHATSAPP__APP_SECRET", SECRET)
        .start()
        .await;
    let pid = plaza.pid();
    let seen = watched(&[pid], campaign(&plaza)).await;

    let (public, provider) = (written(&listen), written(&simulator.url()));
    let internal = written(&plaza.internal_url(""));
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for connection in &seen {
        // Somebody else's end: the test's client or the simulator, never the process itself.
        let own = seen.contains(&connection.turned());
        let kind = match connection {
            _ if own => "to itself",
            Connection { here, .. } if *here == internal => "from outside to the internal listener",
            Connection { here, .. } if *here == public => "from clients",
            Connection { there, .. } if *there == provider => "to the simulator",
            // The database is reached over its socket in the file system.
            _ => "unknown",
        };
        *counts.entry(kind).or_default() += 1;
    }
    println!("one process: {counts:?}");
    let kinds: Vec<&str> = counts.keys().copied().collect();
    assert_eq!(kinds, ["from clients", "to the simulator"], "{seen:?}");
    let spoken = spoken(pid, &internal);
    assert!(
        spoken.is_empty(),
        "somebody spoke to the internal listener: {spoken:?}"
    );
    simulator.stop().await;
    plaza.stop().await;
}

#[tokio::test]
async fn pieces_have_connections_to_the_internal_listener_of_every_service() {
    let mut fleet = Fleet::start().await;
    let pids: Vec<u32> = fleet.names().iter().map(|name| fleet.pid(name)).collect();
    let seen = watched(&pids, campaign(&fleet)).await;
    let internal = SERVICES.map(|service| written(&fleet.internal_address(service)));
    let held = seen
        .iter()
        .filter(|connection| internal.contains(&connection.there))
        .count();
    let spoken = internal.map(|internal| spoken(pids[0], &internal).len());
    println!("in pieces: {held} held, {spoken:?} known to the kernel for {SERVICES:?}");
    assert!(held > 0, "{seen:?}");
    // Some are asked now and then, and some only whether they are ready: what came and went counts as well.
    assert!(
        spoken.iter().all(|count| *count > 0),
        "nobody spoke to one of {SERVICES:?}: {spoken:?}"
    );
    fleet.stop().await;
}

/// A campaign to some people, to its end.
async fn campaign(plaza: &impl Front) {
    let admin = story::administrator(plaza).await;
    let owner: Api = story::tenant(&admin, "acme").await.owner;
    let folder = folder();
    let file = folder.path().join("people.csv");
    let mut people = "id,name,phone,country,opted_in\n".to_owned();
    for area in 201..220 {
        // Kept free for fiction, and nothing happens to them.
        writeln!(people, "{area},Ada {area},+1{area}5550111,US,yes").unwrap();
    }
    fs::write(&file, people).unwrap();
    story::import(&owner, &file).await;
    let template = story::template(&owner).await;
    let campaign = story::campaign(&owner, "Spring", &template).await;
    story::send(&owner, &campaign).await;
    let completed = story::completed(&owner, &campaign).await;
    assert!(completed["planned"]["send"].as_u64() > Some(10), "{completed}");
}

/// A TCP connection as the process sees it that holds it: its own address and the other one, as the kernel writes them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Connection {
    here: String,
    there: String,
}

impl Connection {
    /// The same from the other end.
    fn turned(&self) -> Self {
        Self {
            here: self.there.clone(),
            there: self.here.clone(),
        }
    }
}

/// The established connections that these processes held at any look while the work was done.
async fn watched(pids: &[u32], work: impl Future<Output = ()>) -> BTreeSet<Connection> {
    let mut seen = BTreeSet::new();
    tokio::pin!(work);
    loop {
        tokio::select! {
            () = &mut work => return seen,
            // A pause and no beat: a look may take longer than that.
            () = tokio::time::sleep(EVERY) => seen.extend(pids.iter().flat_map(|pid| held(*pid))),
        }
    }
}

/// What the kernel knows of connections to a listener: also those that came and went between two looks, for a minute.
fn spoken(pid: u32, listener: &str) -> Vec<Entry> {
    table(pid, |entry| entry.here == listener || entry.there == listener)
}

/// The established connections that a process has open.
fn held(pid: u32) -> Vec<Connection> {
    let Ok(files) = fs::read_dir(format!("/proc/{pid}/fd")) else {
        return Vec::new();
    };
    let links = files.filter_map(|file| fs::read_link(file.ok()?.path()).ok());
    let sockets: BTreeSet<String> = links
        .filter_map(|link| {
            let inode = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
            Some(inode.to_owned())
        })
        .collect();
    let open = |entry: &Entry| entry.state == ESTABLISHED && sockets.contains(&entry.inode);
    let entries = table(pid, open);
    entries
        .into_iter()
        .map(|entry| Connection {
            here: entry.here,
            there: entry.there,
        })
        .collect()
}

/// The states of a connection and of a listener (the kernel's `include/net/tcp_states.h`).
const ESTABLISHED: u8 = 1;
const LISTEN: u8 = 10;

/// A line of the kernel's table of TCP sockets (proc(5), `/proc/net/tcp`).
#[derive(Debug)]
struct Entry {
    here: String,
    there: String,
    state: u8,
    inode: String,
}

/// The wanted sockets of the network that a process is in, whoever holds them; listeners are left out.
fn table(pid: u32, wanted: impl Fn(&Entry) -> bool) -> Vec<Entry> {
    let tables = ["tcp", "tcp6"].map(|table| fs::read_to_string(format!("/proc/{pid}/net/{table}")));
    let lines: String = tables.into_iter().flatten().collect();
    let entries = lines.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        Some(Entry {
            here: (*fields.get(1)?).to_owned(),
            there: (*fields.get(2)?).to_owned(),
            state: u8::from_str_radix(fields.get(3)?, 16).ok()?,
            inode: (*fields.get(9)?).to_owned(),
        })
    });
    entries
        .filter(|entry| entry.state != LISTEN && wanted(entry))
        .collect()
}

/// An address or a base URL as the kernel writes it: the four bytes as one number of this machine, in hexadecimal.
fn written(address: &str) -> String {
    let address = address.trim_start_matches("http://").trim_end_matches('/');
    let address: SocketAddrV4 = address.parse().unwrap();
    let number = u32::from_ne_bytes(address.ip().octets());
    format!("{number:08X}:{:04X}", address.port())
}
