//! The sections of `plaza.toml` that belong to the process itself. Those of the services are in their crates.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use secrecy::SecretString;
use serde::Deserialize;

/// Listeners and shutdown.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ServerSection {
    /// The public listener: the gateway.
    pub(crate) listen: SocketAddr,
    /// The internal listener: metrics and health; never to be reachable from outside.
    pub(crate) internal_listen: SocketAddr,
    /// How long readiness is down before the listeners close, so that load balancers look elsewhere. Milliseconds.
    pub(crate) drain_delay_milliseconds: u64,
    /// How long requests and work in hand may take to end. Seconds.
    pub(crate) drain_seconds: u64,
    /// The origin under which people reach this Plaza, `https://plaza.example`; links are made of it, never of a
    /// request's host. The public listener's own address unless given.
    pub(crate) public_url: Option<String>,
    /// Where people's browsers come from: an origin that CORS allows.
    pub(crate) frontend_url: Option<String>,
}

impl Default for ServerSection {
    fn default() -> Self {
        Self {
            listen: loopback(8080),
            internal_listen: loopback(9080),
            drain_delay_milliseconds: 0,
            drain_seconds: 20,
            public_url: None,
            frontend_url: None,
        }
    }
}

/// Where the database is.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct DatabaseSection {
    /// The migrator's login; without it `plaza up` runs the embedded cluster.
    pub(crate) url: Option<SecretString>,
    /// The key that the passwords of the services' roles are derived from.
    pub(crate) role_key: Option<SecretString>,
    /// The folder of the PostgreSQL programs for the embedded cluster.
    pub(crate) programs: Option<PathBuf>,
    /// Connections of the read door, per service.
    pub(crate) shared_connections: usize,
    /// Connections for transactions, per service.
    pub(crate) exclusive_connections: usize,
    /// Connections of the system login, per service.
    pub(crate) system_connections: usize,
}

impl Default for DatabaseSection {
    fn default() -> Self {
        Self {
            url: None,
            role_key: None,
            programs: None,
            shared_connections: 4,
            exclusive_connections: 4,
            system_connections: 2,
        }
    }
}

/// What only a laptop needs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct DevelopmentSection {
    /// Whether `plaza up` runs the provider simulator and gives every new tenant a sender that leads to it.
    pub(crate) simulator: bool,
    /// Where a simulator of its own process is, instead of the one that `plaza up` runs: `http://127.0.0.1:9090`.
    pub(crate) simulator_url: Option<String>,
}

impl Default for DevelopmentSection {
    fn default() -> Self {
        Self {
            simulator: true,
            simulator_url: None,
        }
    }
}

fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}
