//! Where a running Plaza listens: printed, and kept in the data folder for scripts.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::json;

use crate::secrets::write_private;

/// The addresses of one process, as the operating system gave them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Addresses {
    /// The gateway.
    pub(crate) public: Option<SocketAddr>,
    /// Metrics and health.
    pub(crate) internal: SocketAddr,
    /// The provider simulator.
    pub(crate) simulator: Option<SocketAddr>,
}

impl Addresses {
    /// Writes `addresses.json`: each listener as `host:port` and as a URL.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub(crate) fn write(&self, folder: &Path) -> anyhow::Result<()> {
        let url = |address: Option<SocketAddr>| address.map(|address| format!("http://{address}"));
        let text = json!({
            "public": self.public,
            "public_url": url(self.public),
            "internal": self.internal,
            "internal_url": url(Some(self.internal)),
            "simulator": self.simulator,
            "simulator_url": url(self.simulator),
        });
        write_private(&folder.join("addresses.json"), &format!("{text:#}\n"))
    }
}
