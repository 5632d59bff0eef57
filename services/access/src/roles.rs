//! Roles: named sets of permissions of one tenant. No I/O here.

pub(crate) mod assign;
pub(crate) mod create;
pub(crate) mod http;
pub(crate) mod provision;
pub(crate) mod store;

use chrono::{DateTime, Utc};
use plaza_contracts::permissions::{CATALOGUE, CatalogueEntry};
use plaza_kernel::PermissionSet;

plaza_kernel::typed_id!(
    /// A role of a tenant.
    RoleId
);

/// A role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Role {
    pub(crate) id: RoleId,
    pub(crate) name: RoleName,
    /// The default role it was made from, if it was.
    pub(crate) template: Option<Template>,
    pub(crate) permissions: PermissionSet,
    pub(crate) created_at: DateTime<Utc>,
}

/// The roles that every tenant starts with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Template {
    /// Everything.
    Administrator,
    /// Makes and sends campaigns.
    Editor,
    /// Sees campaigns and templates, but nobody's number: what a new member gets.
    Viewer,
}

impl Template {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Administrator, Self::Editor, Self::Viewer];

    /// The name in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Editor => "editor",
            Self::Viewer => "viewer",
        }
    }

    /// The name for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Administrator => "Administrator",
            Self::Editor => "Editor",
            Self::Viewer => "Viewer",
        }
    }

    /// What it grants.
    pub fn permissions(self) -> PermissionSet {
        let granted = CATALOGUE.iter().filter(|entry| self.grants(entry));
        granted.fold(PermissionSet::none(), |set, entry| set.with(entry.bit))
    }

    fn grants(self, entry: &CatalogueEntry) -> bool {
        match self {
            Self::Administrator => true,
            Self::Editor => match entry.menu {
                "campaigns" | "recipients" | "templates" | "logs" => entry.action != "delete",
                "senders" | "suppressions" => entry.action == "view",
                _ => false,
            },
            // Numbers of people are nobody's business by default: neither recipients nor logs.
            Self::Viewer => matches!(entry.menu, "campaigns" | "templates") && entry.action == "view",
        }
    }
}

/// A role's name: 1 to 60 printable characters, none that people would take for a system role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RoleName {
    text: String,
    norm: String,
}

/// Names that sound like power over the platform or the whole tenant.
const RESERVED: &[&str] = &[
    "admin",
    "member",
    "owner",
    "platform",
    "platformadmin",
    "platformadministrator",
    "root",
    "service",
    "superadmin",
    "superuser",
    "system",
];

/// A text cannot be a role's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotAName {
    #[error("a name has 1 to 60 printable characters")]
    Form,
    #[error("this name is reserved")]
    Reserved,
}

impl RoleName {
    /// Reads a name.
    pub(crate) fn parse(text: &str) -> Result<Self, NotAName> {
        let text = text.trim();
        let norm: String = text
            .chars()
            .filter(|c| c.is_alphanumeric())
            .flat_map(char::to_lowercase)
            .collect();
        if norm.is_empty() || text.chars().count() > 60 || text.contains(char::is_control) {
            return Err(NotAName::Form);
        }
        // Greek or Cyrillic letters among Latin ones are how a reserved name is imitated (`Plаtform Admin`).
        let latin = norm.contains(|c: char| c.is_ascii_alphabetic());
        let lookalike = norm.contains(|c: char| ('\u{370}'..='\u{52f}').contains(&c));
        if (latin && lookalike) || RESERVED.contains(&norm.as_str()) {
            return Err(NotAName::Reserved);
        }
        Ok(Self {
            text: text.to_owned(),
            norm,
        })
    }

    /// A name that was parsed before it was stored, or is one of the templates'.
    pub(crate) fn known(text: &str) -> Self {
        let norm = text
            .chars()
            .filter(|c| c.is_alphanumeric())
            .flat_map(char::to_lowercase)
            .collect();
        Self {
            text: text.to_owned(),
            norm,
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// As it is compared.
    pub(crate) fn norm(&self) -> &str {
        &self.norm
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_viewer_sees_no_numbers() {
        let viewer = Template::Viewer.permissions();
        for entry in CATALOGUE {
            if matches!(entry.menu, "recipients" | "logs" | "users") {
                assert!(!viewer.contains(entry.bit), "{}.{}", entry.menu, entry.action);
            }
        }
        assert!(
            Template::Administrator
                .permissions()
                .includes(&Template::Editor.permissions())
        );
        assert!(Template::Editor.permissions().includes(&viewer));
    }

    #[test]
    fn names_that_sound_like_power_are_refused() {
        for name in [
            "Platform Admin",
            "platform-admin",
            "OWNER",
            " root ",
            "Plаtform Admin",
        ] {
            assert_eq!(RoleName::parse(name), Err(NotAName::Reserved), "{name}");
        }
        for name in ["", "   ", "---", &"a".repeat(61), "a\u{0}b"] {
            assert_eq!(RoleName::parse(name), Err(NotAName::Form), "{name:?}");
        }
        for name in ["Sales", "Vertrieb Süd", "менеджер", "セールス"] {
            assert!(RoleName::parse(name).is_ok(), "{name}");
        }
    }
}
