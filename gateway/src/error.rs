//! Why the gateway cannot start.

use std::path::PathBuf;

/// The configuration and the operations do not make a gateway.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The file of routes cannot be read.
    #[error("cannot read the routes in `{path}`")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file of routes is not one.
    #[error("the routes do not have the form `routes: [{{path, target_url, auth_required, roles}}]`")]
    Syntax(#[from] serde_yaml_ng::Error),
    /// A route in it makes no sense.
    #[error("route `{path}`: {reason}")]
    Route {
        /// The route's path.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An operation cannot be offered.
    #[error("operation {method} {path}: {reason}")]
    Operation {
        /// Its method.
        method: String,
        /// Its path.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A setting is not acceptable.
    #[error("setting `{setting}`: {reason}")]
    Setting {
        /// Which.
        setting: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}
