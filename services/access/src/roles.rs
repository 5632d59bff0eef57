//! Roles: named sets of permissions of one tenant. No I/O here.

pub(crate) mod assign;
pub(crate) mod create;
pub(crate) mod http;
pub(crate) mod internal;
mod name;
mod parse;
pub(crate) mod provision;
pub(crate) mod store;
pub(crate) mod update;

use chrono::{DateTime, Utc};
use plaza_contracts::permissions::{CATALOGUE, CatalogueEntry};
use plaza_kernel::PermissionSet;
use plaza_web::Version;

pub(crate) use name::{NotAName, RoleName};

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
    /// Of a default role those of its template, whatever was stored with it.
    pub(crate) permissions: PermissionSet,
    pub(crate) version: Version,
    pub(crate) created_at: DateTime<Utc>,
    /// When it was changed last, if it was.
    pub(crate) updated_at: Option<DateTime<Utc>>,
}

/// The roles that every tenant starts with. What they grant is decided here, not where they are stored: a permission that
/// is new in the catalogue reaches the default roles of every tenant with the program that knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Template {
    /// Everything.
    Administrator,
    /// Makes and sends campaigns, writes single messages and answers people.
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

    /// The default role of this name in the database.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|template| template.as_str() == name)
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
                "conversations" | "messages" => true,
                "senders" | "suppressions" => entry.action == "view",
                _ => false,
            },
            // Numbers of people are nobody's business by default: neither recipients nor logs nor conversations.
            Self::Viewer => matches!(entry.menu, "campaigns" | "templates") && entry.action == "view",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_viewer_sees_no_numbers() {
        let viewer = Template::Viewer.permissions();
        for entry in CATALOGUE {
            if matches!(
                entry.menu,
                "recipients" | "logs" | "users" | "conversations" | "audit"
            ) {
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
}
