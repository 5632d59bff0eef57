//! What can be configured.

use std::path::PathBuf;

use chrono::TimeDelta;
use serde::Deserialize;

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
}

impl Default for GatewaySettings {
    fn default() -> Self {
        Self {
            base_domain: "localhost".to_owned(),
            hosts: Vec::new(),
            routes_file: None,
            cors_origins: Vec::new(),
            https: false,
            issuer: "plaza".to_owned(),
            leeway_seconds: 5,
            revocation_seconds: 5,
            tenant_seconds: 30,
            unknown_tenant_seconds: 5,
            keys_seconds: 300,
            keys_cooldown_seconds: 30,
        }
    }
}

/// A number of seconds from the settings as a span of time.
pub(crate) fn seconds(number: u16) -> TimeDelta {
    TimeDelta::seconds(i64::from(number))
}
