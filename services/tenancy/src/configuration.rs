//! Configuration: what a tenant decides about how Plaza works for it, in namespaces that have a schema each. Nothing in it
//! is secret (`secrets.rs`). No I/O here.

mod branding;
mod checks;
pub(crate) mod http;
mod messaging;
pub(crate) mod put;
mod read;
pub(crate) mod store;

use chrono::{DateTime, Utc};
use plaza_kernel::FieldError;
use plaza_web::Version;
use serde_json::Value;

pub(crate) use branding::Branding;
use checks::Checks;
pub(crate) use messaging::Messaging;

/// A part of the configuration with a schema of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Namespace {
    /// How the tenant shows itself.
    Branding,
    /// When, how much and how fast is written to people.
    Messaging,
}

impl Namespace {
    /// All of them, by name.
    pub(crate) const ALL: [Self; 2] = [Self::Branding, Self::Messaging];

    /// The name on the wire and in the database.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Branding => "branding",
            Self::Messaging => "messaging",
        }
    }

    /// The one of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|namespace| namespace.as_str() == name)
    }
}

/// A namespace's document, in its schema.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Document {
    Branding(Branding),
    Messaging(Messaging),
}

impl Document {
    pub(crate) const fn namespace(&self) -> Namespace {
        match self {
            Self::Branding(_) => Namespace::Branding,
            Self::Messaging(_) => Namespace::Messaging,
        }
    }

    /// What is wrong with its values, as pointers that begin in the document.
    pub(crate) fn problems(&self) -> Vec<FieldError> {
        let mut checks = Checks::default();
        match self {
            Self::Branding(branding) => branding.check(&mut checks),
            Self::Messaging(messaging) => messaging.check(&mut checks),
        }
        checks.found()
    }

    /// As it is stored and told: only what was said.
    pub(crate) fn to_json(&self) -> Value {
        let json = match self {
            Self::Branding(branding) => serde_json::to_value(branding),
            Self::Messaging(messaging) => serde_json::to_value(messaging),
        };
        // Cannot fail: texts, numbers and lists of them, no map with other keys than texts.
        json.unwrap_or_default()
    }
}

/// A namespace as it stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stored {
    pub(crate) namespace: Namespace,
    pub(crate) document: Value,
    /// When it was said, by the tenant's own count of changes.
    pub(crate) version: Version,
    /// None as long as nothing was said.
    pub(crate) updated_at: Option<DateTime<Utc>>,
}

impl Stored {
    /// A namespace about which nothing was said.
    pub(crate) fn empty(namespace: Namespace) -> Self {
        Self {
            namespace,
            document: Value::Object(serde_json::Map::new()),
            version: Version(0),
            updated_at: None,
        }
    }
}

/// The version of the whole. Every change is counted for the tenant as a whole, so it is that of the namespace which was
/// changed last, and no change leaves it as it was.
pub(crate) fn version(all: &[Stored]) -> Version {
    all.iter()
        .map(|stored| stored.version)
        .max()
        .unwrap_or(Version(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_namespace_has_a_name_that_finds_it() {
        for namespace in Namespace::ALL {
            assert_eq!(Namespace::named(namespace.as_str()), Some(namespace));
        }
        assert_eq!(Namespace::named("security"), None);
    }
}
