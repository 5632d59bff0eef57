//! What can be configured.

use std::path::PathBuf;
use std::time::Duration;

use chrono::TimeDelta;
use ipnet::IpNet;
use serde::Deserialize;

use crate::client_address::ProxyHeader;
use crate::error::GatewayError;

/// How the public listener is guarded. Every default suits production, but for the domain.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GatewaySettings {
    /// Tenants are at `SLUG.<base_domain>`.
    pub base_domain: String,
    /// Further names under which the platform itself is reached; they name no tenant. The base domain and loopback
    /// names and addresses need not be listed.
    pub hosts: Vec<String>,
    /// A `routes.yaml` of one's own instead of the built-in one.
    pub routes_file: Option<PathBuf>,
    /// Origins whose pages may call the API: `https://console.example`, exactly as a browser sends them.
    pub cors_origins: Vec<String>,
    /// Whether people reach this listener over https (usually through a proxy): answers then demand it for the future.
    pub https: bool,
    /// Networks of proxies before this listener that are believed when they say whom they speak for: `10.0.0.0/8`. None unless
    /// named: then a client is where its connection is from.
    pub trusted_proxies: Vec<IpNet>,
    /// In which header they say it: `x-forwarded-for` or `forwarded`.
    pub proxy_header: ProxyHeader,
    /// `iss` of the access tokens that are accepted.
    pub issuer: String,
    /// How far clocks may be apart.
    pub leeway_seconds: u16,
    /// How long it may take until a logout, a changed role or a suspended tenant is seen.
    pub revocation_seconds: u16,
    /// How long the tenant of a host name is remembered …
    pub tenant_seconds: u16,
    /// … and that a host name has none.
    pub unknown_tenant_seconds: u16,
    /// How long identity's signing keys are remembered …
    pub keys_seconds: u16,
    /// … and how often a token with an unknown key may cause them to be asked for.
    pub keys_cooldown_seconds: u16,
    /// The way to services in other processes.
    pub remote: RemoteSettings,
}

impl Default for GatewaySettings {
    fn default() -> Self {
        Self {
            base_domain: "localhost".to_owned(),
            hosts: Vec::new(),
            routes_file: None,
            cors_origins: Vec::new(),
            https: false,
            trusted_proxies: Vec::new(),
            proxy_header: ProxyHeader::default(),
            issuer: "plaza".to_owned(),
            leeway_seconds: 5,
            revocation_seconds: 5,
            tenant_seconds: 30,
            unknown_tenant_seconds: 5,
            keys_seconds: 300,
            keys_cooldown_seconds: 30,
            remote: RemoteSettings::default(),
        }
    }
}

/// How services in other processes are reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RemoteSettings {
    /// How long a connection may take to come about.
    pub connect_milliseconds: u16,
    /// How long a service may take to begin its answer, once the request is with it. `timeout_seconds` in `routes.yaml`
    /// says otherwise for a route.
    pub deadline_seconds: u16,
    /// How long a connection is kept without a request. Shorter than the services' own 60 s, so that none of them
    /// closes a connection that is about to be used.
    pub idle_seconds: u16,
    /// How long an answer may pause in the middle; event streams have to send a comment now and then.
    pub stream_idle_seconds: u16,
    /// The most connections to one address; each carries one request at a time.
    pub connections: u16,
}

impl Default for RemoteSettings {
    fn default() -> Self {
        Self {
            connect_milliseconds: 1_000,
            deadline_seconds: 10,
            idle_seconds: 30,
            stream_idle_seconds: 60,
            connections: 1_024,
        }
    }
}

impl RemoteSettings {
    /// A limit of nothing lets nothing through.
    pub(crate) fn check(&self) -> Result<(), GatewayError> {
        let limits = [
            ("remote.connect_milliseconds", self.connect_milliseconds),
            ("remote.deadline_seconds", self.deadline_seconds),
            ("remote.stream_idle_seconds", self.stream_idle_seconds),
            ("remote.connections", self.connections),
        ];
        match limits.iter().find(|(_, limit)| *limit == 0) {
            None => Ok(()),
            Some((setting, _)) => Err(GatewayError::Setting {
                setting,
                reason: "0 lets nothing through".to_owned(),
            }),
        }
    }

    pub(crate) fn connect(&self) -> Duration {
        Duration::from_millis(self.connect_milliseconds.into())
    }

    pub(crate) fn deadline(&self) -> Duration {
        Duration::from_secs(self.deadline_seconds.into())
    }

    pub(crate) fn idle(&self) -> Duration {
        Duration::from_secs(self.idle_seconds.into())
    }

    pub(crate) fn stream_idle(&self) -> Duration {
        Duration::from_secs(self.stream_idle_seconds.into())
    }
}

/// A number of seconds from the settings as a span of time.
pub(crate) fn seconds(number: u16) -> TimeDelta {
    TimeDelta::seconds(i64::from(number))
}
