//! What a person sees of a Plaza, whatever it is made of: the same stories run against one process and against a fleet.

use crate::client::Api;
use crate::fleet::Fleet;
use crate::plaza::Plaza;
use crate::superuser::Superuser;

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
