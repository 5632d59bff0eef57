//! The listeners of a process, bound before anything else is begun.

use std::net::SocketAddr;

use anyhow::Context;
use tokio::net::TcpListener;

use crate::addresses::Addresses;
use crate::config::Config;
use crate::hosting::{Duty, Hosting};

/// The listeners of a process, bound.
pub(super) struct Listeners {
    /// The gateway, where it is hosted.
    pub(super) public: Option<TcpListener>,
    /// Metrics, health, and the services for each other.
    pub(super) internal: TcpListener,
    /// The provider simulator of a laptop.
    pub(super) simulator: Option<TcpListener>,
}

impl Listeners {
    /// Binds those that this duty needs.
    ///
    /// # Errors
    /// When an address cannot be had.
    pub(super) async fn bind(config: &Config, duty: &Duty, hosting: &Hosting) -> anyhow::Result<Self> {
        let simulated = *duty == Duty::Up && config.development.simulator;
        let own_simulator = simulated && config.development.simulator_url.is_none();
        Ok(Self {
            public: match hosting.gateway {
                true => Some(bind("server.listen", config.server.listen).await?),
                false => None,
            },
            internal: bind("server.internal_listen", config.server.internal_listen).await?,
            simulator: match own_simulator {
                true => Some(bind("simulator.listen", config.simulator.listen).await?),
                false => None,
            },
        })
    }

    /// Where they listen.
    ///
    /// # Errors
    /// When the operating system does not say.
    pub(super) fn addresses(&self) -> std::io::Result<Addresses> {
        Ok(Addresses {
            public: self.public.as_ref().map(TcpListener::local_addr).transpose()?,
            internal: self.internal.local_addr()?,
            simulator: self.simulator.as_ref().map(TcpListener::local_addr).transpose()?,
        })
    }
}

/// Binds an address; the complaint names the setting that chooses another.
///
/// # Errors
/// When the address cannot be had.
pub(crate) async fn bind(setting: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address}; choose another address with {setting} (port 0 picks one)")
    })
}
