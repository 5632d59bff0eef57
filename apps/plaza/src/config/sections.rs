//! The sections of `plaza.toml` that belong to the process itself. Those of the services are in their crates.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use plaza_contracts::services::{ACCESS, BROADCAST, GATEWAY, IDENTITY, NOTIFICATION, TENANCY};
use plaza_kernel::ServiceName;
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
    /// Whether the trace context that clients send on the public listener is followed.
    pub(crate) trust_trace_context: bool,
    /// How long readiness is down before the listeners close, so that load balancers look elsewhere. Milliseconds. Who
    /// asks for readiness is waited for twice as long, until told.
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
            trust_trace_context: false,
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

/// How events travel between services.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct EventsSection {
    /// The broker, `amqp://…` or `amqps://…`; without it events stay in the database, and all services have to be hosted
    /// by one process.
    pub(crate) rabbitmq_url: Option<SecretString>,
    /// The pauses before the second, third, fourth and fifth delivery of an event that could not be consumed. After the
    /// last one it becomes a dead letter.
    pub(crate) delays_milliseconds: Vec<u64>,
}

impl Default for EventsSection {
    fn default() -> Self {
        Self {
            rabbitmq_url: None,
            delays_milliseconds: vec![10_000, 60_000, 600_000, 600_000],
        }
    }
}

/// Where services are that run in other processes: their internal listeners.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ServicesSection {
    identity: AddressList,
    tenancy: AddressList,
    access: AddressList,
    notification: AddressList,
    broadcast: AddressList,
}

impl ServicesSection {
    /// The addresses of a service; none if it was not said.
    pub(crate) fn of(&self, service: ServiceName) -> &[String] {
        let list = match service {
            IDENTITY => &self.identity,
            TENANCY => &self.tenancy,
            ACCESS => &self.access,
            NOTIFICATION => &self.notification,
            BROADCAST => &self.broadcast,
            _ => return &[],
        };
        &list.0
    }
}

/// One address or several: a list, or a text with commas.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(from = "OneOrMore")]
struct AddressList(Vec<String>);

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    Text(String),
    List(Vec<String>),
}

impl From<OneOrMore> for AddressList {
    fn from(given: OneOrMore) -> Self {
        let all = match given {
            OneOrMore::Text(text) => text.split(',').map(|one| one.trim().to_owned()).collect(),
            OneOrMore::List(list) => list,
        };
        Self(all.into_iter().filter(|one: &String| !one.is_empty()).collect())
    }
}

/// How processes know each other.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct InternalSection {
    /// What the signing key of each service is derived from; whoever has it can speak for every service.
    pub(crate) key: Option<SecretString>,
    /// Instead of `key`: the private keys of the services in this process, base64 of 32 bytes each …
    pub(crate) signing_keys: PerService<SecretString>,
    /// … and the public keys of all that may call them.
    pub(crate) public_keys: PerService<String>,
    /// Whether the gRPC API describes itself to whoever reaches the internal listener without a token.
    pub(crate) open_reflection: bool,
}

/// A value for each of some services.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default, bound = "T: Deserialize<'de>")]
pub(crate) struct PerService<T> {
    gateway: Option<T>,
    identity: Option<T>,
    tenancy: Option<T>,
    access: Option<T>,
    notification: Option<T>,
    broadcast: Option<T>,
}

impl<T> Default for PerService<T> {
    fn default() -> Self {
        Self {
            gateway: None,
            identity: None,
            tenancy: None,
            access: None,
            notification: None,
            broadcast: None,
        }
    }
}

impl<T> PerService<T> {
    /// The services that have a value, and it.
    pub(crate) fn given(&self) -> impl Iterator<Item = (ServiceName, &T)> {
        [
            (GATEWAY, &self.gateway),
            (IDENTITY, &self.identity),
            (TENANCY, &self.tenancy),
            (ACCESS, &self.access),
            (NOTIFICATION, &self.notification),
            (BROADCAST, &self.broadcast),
        ]
        .into_iter()
        .filter_map(|(service, value)| Some((service, value.as_ref()?)))
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
