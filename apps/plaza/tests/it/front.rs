//! What a person sees of a Plaza, whatever it is made of: the same stories run against one process and against a fleet.
//!
//! In both: `campaigns`, `commands` (those that act on a Plaza), `dead_letters`, `doctor`, `fairness`, `forge`,
//! `internal_routes`, `kill`, `lists`, `mails`, `matrix`, `me`, `secrets`, `steering`, `tenant_life`, `walk`, `worker`; `sockets` says of each what the other must not have.
//! In pieces only, because it is about other processes: `faults`, `outsider`, `rolling`, `tracing`, `upgrade`.
//! In one process only: `conformance` (the same document in every process), `lifecycle` and `settings` (the embedded cluster, its folder and its ports, which pieces do not
//! have; how one of many ends in order is in `rolling`, and what it has to be told in `deploy`), `surface` (the same listener
//! and the same document in every process), and in `kill` the run without any kill, which `walk` is in pieces.
//! Neither: `deploy`, `guide` and `topology` hold what is printed and written down against the program.

use std::process::Output;

use crate::client::Api;
use crate::fleet::Fleet;
use crate::plaza::Plaza;
use crate::superuser::Superuser;

/// What the only process is called where everything is in it.
pub(crate) const WHOLE: &str = "plaza";

/// A Plaza as people reach it.
pub(crate) trait Front {
    /// At the public listener.
    fn url(&self, path: &str) -> String;

    /// What stands behind `token=` in the setup link.
    fn setup_token(&self) -> String;

    /// The provider's side.
    fn simulator_api(&self) -> Api;

    /// Ends it, in order.
    async fn stop(&mut self);

    /// Somebody who has not logged in.
    fn api(&self) -> Api {
        Api::at(&self.url(""))
    }
}

/// What a Plaza is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Topology {
    /// `plaza`: everything in one process.
    OneProcess,
    /// Each part a process of its own, with a worker beside notification and broadcast, over RabbitMQ.
    Pieces,
}

/// A running Plaza of either kind.
pub(crate) enum Running {
    OneProcess(Plaza),
    Pieces(Fleet),
}

impl Running {
    /// Starts one with the defaults and waits until it is ready.
    pub(crate) async fn start(topology: Topology) -> Self {
        match topology {
            Topology::OneProcess => Self::OneProcess(Plaza::start().await),
            Topology::Pieces => Self::Pieces(Fleet::start().await),
        }
    }

    /// The same with further variables.
    pub(crate) async fn start_with(topology: Topology, variables: &[(&str, &str)]) -> Self {
        match topology {
            Topology::OneProcess => {
                let add =
                    |builder: crate::plaza::Builder, (name, value): &(&str, &str)| builder.env(name, value);
                Self::OneProcess(variables.iter().fold(Plaza::builder(), add).start().await)
            }
            Topology::Pieces => {
                let add =
                    |builder: crate::fleet::Builder, (name, value): &(&str, &str)| builder.env(name, value);
                Self::Pieces(variables.iter().fold(Fleet::builder(), add).start().await)
            }
        }
    }

    /// The names of its processes.
    pub(crate) fn names(&self) -> Vec<String> {
        match self {
            Self::OneProcess(_) => vec![WHOLE.to_owned()],
            Self::Pieces(fleet) => fleet.names(),
        }
    }

    /// What a process printed and logged since its last start.
    pub(crate) fn log(&self, name: &str) -> String {
        match self {
            Self::OneProcess(plaza) => plaza.stdout() + &plaza.stderr(),
            Self::Pieces(fleet) => fleet.stdout(name) + &fleet.stderr(name),
        }
    }

    /// `kill -9` of a process.
    pub(crate) fn kill(&mut self, name: &str) {
        match self {
            Self::OneProcess(plaza) => plaza.kill(),
            Self::Pieces(fleet) => fleet.kill(name),
        }
    }

    /// Starts a process again and does not wait for it.
    pub(crate) fn spawn(&mut self, name: &str) {
        match self {
            Self::OneProcess(plaza) => plaza.spawn(),
            Self::Pieces(fleet) => fleet.spawn(name),
        }
    }

    /// Starts a process again and waits until it says that it is ready.
    pub(crate) async fn restart(&mut self, name: &str) {
        match self {
            Self::OneProcess(plaza) => plaza.restart().await,
            Self::Pieces(fleet) => fleet.restart(name).await,
        }
    }

    /// Starts all of it again after [`Front::stop`]; the simulator only where it is in the same process.
    pub(crate) async fn restart_all(&mut self) {
        match self {
            Self::OneProcess(plaza) => plaza.restart().await,
            Self::Pieces(fleet) => fleet.spawn_all(),
        }
        self.joined().await;
    }

    /// Waits until each process finds the others again.
    pub(crate) async fn joined(&mut self) {
        match self {
            // Who is ready has everything in it.
            Self::OneProcess(_) => {}
            Self::Pieces(fleet) => fleet.all_ready().await,
        }
    }

    /// `plaza ARGUMENTS…` as an operator would type it beside it, to the end.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Output {
        match self {
            Self::OneProcess(plaza) => plaza.run(arguments).await,
            Self::Pieces(fleet) => fleet.run(arguments).await,
        }
    }

    /// Somebody who sees the rows of everybody.
    pub(crate) async fn superuser(&self) -> Superuser {
        match self {
            Self::OneProcess(plaza) => Superuser::of(plaza).await,
            Self::Pieces(fleet) => Superuser::at(fleet.database()).await,
        }
    }
}

impl Front for Running {
    fn url(&self, path: &str) -> String {
        match self {
            Self::OneProcess(plaza) => plaza.url(path),
            Self::Pieces(fleet) => fleet.url(path),
        }
    }

    fn setup_token(&self) -> String {
        match self {
            Self::OneProcess(plaza) => plaza.setup_token(),
            Self::Pieces(fleet) => fleet.setup_token(),
        }
    }

    fn simulator_api(&self) -> Api {
        match self {
            Self::OneProcess(plaza) => plaza.simulator_api(),
            Self::Pieces(fleet) => fleet.simulator_api(),
        }
    }

    async fn stop(&mut self) {
        match self {
            Self::OneProcess(plaza) => plaza.stop().await,
            Self::Pieces(fleet) => fleet.stop().await,
        }
    }
}

impl Front for Plaza {
    fn url(&self, path: &str) -> String {
        Self::url(self, path)
    }

    fn setup_token(&self) -> String {
        Self::setup_token(self)
    }

    fn simulator_api(&self) -> Api {
        Api::at(&self.simulator_url(""))
    }

    async fn stop(&mut self) {
        Self::stop(self).await;
    }
}
