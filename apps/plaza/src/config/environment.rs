//! Environment variables, those of `.env` among them, as one set that is read once.

use std::collections::BTreeMap;
use std::path::PathBuf;

use plaza_contracts::services;
use plaza_database::Login;
use plaza_kernel::ServiceName;
use secrecy::SecretString;

use super::sealed::{Opener, Seen};

/// The variables of the process.
#[derive(Clone)]
pub(crate) struct Environment(BTreeMap<String, String>);

/// Variables that have a name of their own: the designs' names and the short ones.
const NAMED: &[(&str, &str)] = &[
    ("PLAZA_DATA", "data"),
    ("PLAZA_LISTEN", "server.listen"),
    ("PLAZA_INTERNAL_LISTEN", "server.internal_listen"),
    ("PLAZA_SIMULATOR_LISTEN", "simulator.listen"),
    ("DATABASE_URL", "database.url"),
    ("PLAZA_DATABASE_ROLE_KEY", "database.role_key"),
    ("PLAZA_PG_BIN", "database.programs"),
    ("RABBITMQ_URL", "events.rabbitmq_url"),
    ("PLAZA_INTERNAL_KEY", "internal.key"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "telemetry.otlp_endpoint"),
    ("OTEL_EXPORTER_OTLP_HEADERS", "telemetry.otlp_headers"),
    ("OTEL_SERVICE_NAME", "telemetry.service_name"),
    ("BASE_DOMAIN", "gateway.base_domain"),
    ("FRONTEND_URL", "server.frontend_url"),
    ("ENCRYPTION_KEY", "encryption_key"),
    ("PLAZA_LOG", "telemetry.filter"),
];

impl Environment {
    /// The environment of this process over the `.env` file of the working directory.
    pub(crate) fn read() -> Self {
        let file = dotenvy::from_filename_iter(".env")
            .into_iter()
            .flatten()
            .filter_map(Result::ok);
        let process = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Self::of(file.chain(process))
    }

    /// These variables; later ones win.
    pub(crate) fn of(variables: impl Iterator<Item = (String, String)>) -> Self {
        Self(variables.collect())
    }

    /// One variable, if it is set and not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// The same with its sealed values opened.
    pub(super) fn opened(&self, opener: &Opener, seen: &mut Seen) -> Self {
        let opened = self.0.iter().map(|(name, value)| {
            let mut here = Seen::default();
            let opened = opener.open(name, value, &mut here);
            // What is a setting too was seen already.
            if name.ends_with("_DATABASE_URL") {
                seen.problems.append(&mut here.problems);
                seen.sealed.append(&mut here.sealed);
            }
            (name.clone(), opened.unwrap_or_else(|| value.clone()))
        });
        Self(opened.collect())
    }

    /// The file that `PLAZA_CONFIG` names.
    pub(super) fn config_file(&self) -> Option<PathBuf> {
        self.get("PLAZA_CONFIG").map(PathBuf::from)
    }

    /// Dotted keys and values, the weaker first.
    pub(super) fn overlay(&self) -> Vec<(String, String)> {
        let port = self
            .get("PORT")
            .map(|port| ("server.listen".to_owned(), format!("127.0.0.1:{port}")));
        let named = NAMED
            .iter()
            .filter_map(|(name, key)| Some(((*key).to_owned(), self.get(name)?.to_owned())));
        let sections = self
            .0
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .filter_map(|(name, value)| {
                let key = name.strip_prefix("PLAZA_").filter(|key| key.contains("__"))?;
                Some((key.to_ascii_lowercase().replace("__", "."), value.clone()))
            });
        port.into_iter().chain(named).chain(sections).collect()
    }

    /// `PLAZA_<SERVICE>_DATABASE_URL` and `PLAZA_<SERVICE>_SYSTEM_DATABASE_URL`.
    pub(super) fn logins(&self) -> BTreeMap<ServiceName, Login> {
        let secret = |name: String| self.get(&name).map(SecretString::from);
        services::ALL
            .into_iter()
            .map(|service| {
                let upper = service.as_str().to_ascii_uppercase();
                let login = Login {
                    service: secret(format!("PLAZA_{upper}_DATABASE_URL")),
                    system: secret(format!("PLAZA_{upper}_SYSTEM_DATABASE_URL")),
                };
                (service, login)
            })
            .collect()
    }
}
