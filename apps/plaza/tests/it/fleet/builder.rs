//! How a fleet is to be started.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};

use plaza_testkit::TestDatabase;
use plaza_testkit::rabbitmq::Vhost;

use super::member::Member;
use super::{APP_SECRET, Fleet, SERVICES};
use crate::plaza::{folder, printed};
use crate::simulator::SimulatorProcess;

/// What is to be started, and how.
pub(crate) struct Builder {
    variables: Vec<(String, String)>,
    /// Part and how many processes of it.
    counts: BTreeMap<String, usize>,
    /// The public listener of the gateway, where it must not be just any.
    gateway: Option<String>,
    simulator: Simulated,
}

/// The provider's side.
struct Simulated {
    listen: String,
    seed: u64,
    variables: Vec<(String, String)>,
    /// Where receipts go, if not to the gateway.
    receipts: Option<String>,
}

impl Builder {
    pub(super) fn new() -> Self {
        let workers = ["worker-notification", "worker-broadcast", "gateway"];
        let parts = SERVICES.into_iter().chain(workers);
        Self {
            variables: Vec::new(),
            counts: parts.map(|part| (part.to_owned(), 1)).collect(),
            gateway: None,
            simulator: Simulated {
                listen: "127.0.0.1:0".to_owned(),
                seed: 7,
                variables: Vec::new(),
                receipts: None,
            },
        }
    }

    /// Another value for a variable of all processes, or one more. Later ones win.
    pub(crate) fn env(mut self, name: &str, value: impl ToString) -> Self {
        self.variables.push((name.to_owned(), value.to_string()));
        self
    }

    /// A variable of the simulator.
    pub(crate) fn simulated(mut self, name: &str, value: impl ToString) -> Self {
        self.simulator
            .variables
            .push((name.to_owned(), value.to_string()));
        self
    }

    /// Where the simulator listens, and what its chance is drawn from.
    pub(crate) fn simulator_at(mut self, listen: &str, seed: u64) -> Self {
        listen.clone_into(&mut self.simulator.listen);
        self.simulator.seed = seed;
        self
    }

    /// Receipts go here and not to the gateway.
    pub(crate) fn receipts_to(mut self, url: &str) -> Self {
        self.simulator.receipts = Some(url.to_owned());
        self
    }

    /// Where the gateway listens to people.
    pub(crate) fn gateway_at(mut self, listen: &str) -> Self {
        self.gateway = Some(listen.to_owned());
        self
    }

    /// So many processes of a part: `gateway`, a service, or `worker-notification`.
    pub(crate) fn count(mut self, part: &str, processes: usize) -> Self {
        self.counts.insert(part.to_owned(), processes);
        self
    }

    /// Starts everything and waits until all of it is ready.
    pub(crate) async fn start(self) -> Fleet {
        let mut fleet = self.prepare().await;
        fleet.spawn_all();
        fleet.all_ready().await;
        fleet
    }

    /// Everything but the start of the parts: a migrated database, a virtual host, the simulator.
    pub(crate) async fn prepare(self) -> Fleet {
        let (database, vhost) = tokio::join!(TestDatabase::fresh(&[]), Vhost::new());
        let root = folder();
        let mut members = BTreeMap::new();
        let (mut taken, host) = (Vec::new(), own_host());
        let mut address = || {
            let listener = TcpListener::bind((host, 0)).unwrap();
            let address = listener.local_addr().unwrap().to_string();
            // Held until all are chosen: no two processes are given the same one.
            taken.push(listener);
            address
        };
        for (part, count) in &self.counts {
            for number in 1..=*count {
                let name = match number {
                    1 => part.clone(),
                    _ => format!("{part}-{number}"),
                };
                let addresses = (address(), address());
                members.insert(name, Member::of(part, number, root.path(), addresses));
            }
        }
        drop(taken);
        if let (Some(listen), Some(gateway)) = (self.gateway, members.get_mut("gateway")) {
            gateway.public = listen;
        }
        let public = format!("http://{}", members["gateway"].public);
        let simulator = self.simulator.start(&public).await;
        let mut fleet = Fleet {
            variables: Vec::new(),
            public,
            members,
            simulator: Some(simulator),
            vhost,
            database,
            root,
        };
        fleet.variables = fleet.shared(&self.variables);
        printed(&fleet.run(&["migrate"]).await);
        fleet
    }
}

impl Simulated {
    async fn start(self, public: &str) -> SimulatorProcess {
        let receipts = self.receipts.unwrap_or(format!("{public}/webhooks/meta"));
        let variables: Vec<(&str, &str)> = self
            .variables
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        SimulatorProcess::start_at(&self.listen, &receipts, APP_SECRET, self.seed, &variables).await
    }
}

/// A loopback address of this test's own. No connection goes out from it, so that a port which is free stays free until
/// a process of the fleet listens on it.
fn own_host() -> Ipv4Addr {
    let [.., high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, 77, high, low)
}
