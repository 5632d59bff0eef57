//! What a process or a command has to be told of a configured database.

use plaza_contracts::services::ALL;
use plaza_kernel::ServiceName;

use crate::config::Config;
use crate::hosting::Hosting;

/// What a configured database is wanted for: nobody has to be told more than that takes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose<'a> {
    /// To make the roles and their passwords.
    Roles,
    /// To look at what these services have there.
    Look(&'a [ServiceName]),
    /// To run these parts.
    Parts(&'a Hosting),
}

impl Purpose<'_> {
    /// The services whose passwords have to be derived, because they are not given.
    pub(super) fn derives(self, config: &Config) -> Vec<ServiceName> {
        match self {
            Self::Roles => ALL.to_vec(),
            Self::Look(services) => without_logins(services, config),
            Self::Parts(hosting) => without_logins(&hosting.assembles, config),
        }
    }

    pub(super) fn seals(self) -> bool {
        match self {
            Self::Roles | Self::Look(_) => false,
            Self::Parts(hosting) => hosting.seals(),
        }
    }

    /// What is missing where passwords cannot be derived: the key, or what makes it needless.
    pub(super) fn role_key_or_logins(self, services: &[ServiceName]) -> String {
        let key = "database.role_key (PLAZA_DATABASE_ROLE_KEY)";
        match (self, services) {
            (Self::Parts(_), [service]) => {
                let upper = service.as_str().to_ascii_uppercase();
                format!("{key}, or PLAZA_{upper}_DATABASE_URL and PLAZA_{upper}_SYSTEM_DATABASE_URL")
            }
            _ => key.to_owned(),
        }
    }
}

fn without_logins(services: &[ServiceName], config: &Config) -> Vec<ServiceName> {
    let services = services.iter().copied();
    services
        .filter(|service| !config.has_logins_of(*service))
        .collect()
}
