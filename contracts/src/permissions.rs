//! The catalogue of permissions: menu × action. Global, versioned with the code, never edited by a tenant.

use plaza_kernel::Permission;

/// One entry of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CatalogueEntry {
    /// The menu.
    pub menu: &'static str,
    /// The action.
    pub action: &'static str,
    /// Its bit in a `PermissionSet`.
    pub bit: u16,
}

macro_rules! catalogue {
    ($($(#[$meta:meta])* $name:ident = $bit:literal, $menu:literal, $action:literal;)*) => {
        $(
            $(#[$meta])*
            #[derive(Debug, Clone, Copy)]
            pub struct $name;

            impl Permission for $name {
                const MENU: &'static str = $menu;
                const ACTION: &'static str = $action;
                const BIT: u16 = $bit;
            }
        )*

        /// Every permission there is, by bit.
        pub const CATALOGUE: &[CatalogueEntry] =
            &[$(CatalogueEntry { menu: $menu, action: $action, bit: $bit }),*];
    };
}

// A bit, once given, is never given to another permission: cached sets and stored grants outlive a deploy.
catalogue! {
    /// See the tenant's users.
    ViewUsers = 0, "users", "view";
    /// Add users.
    CreateUsers = 1, "users", "create";
    /// Change users.
    UpdateUsers = 2, "users", "update";
    /// Remove users.
    DeleteUsers = 3, "users", "delete";
    /// See roles and what they grant.
    ViewRoles = 4, "roles", "view";
    /// Make roles.
    CreateRoles = 5, "roles", "create";
    /// Change roles.
    UpdateRoles = 6, "roles", "update";
    /// Remove roles.
    DeleteRoles = 7, "roles", "delete";
    /// Give roles to members and take them away.
    AssignRoles = 8, "roles", "assign";
    /// See campaigns.
    ViewCampaigns = 9, "campaigns", "view";
    /// Make campaigns.
    CreateCampaigns = 10, "campaigns", "create";
    /// Change campaigns.
    UpdateCampaigns = 11, "campaigns", "update";
    /// Remove campaigns.
    DeleteCampaigns = 12, "campaigns", "delete";
    /// Send campaigns.
    SendCampaigns = 13, "campaigns", "send";
    /// See recipients: names and numbers of people.
    ViewRecipients = 14, "recipients", "view";
    /// Add recipients.
    CreateRecipients = 15, "recipients", "create";
    /// Import recipients from files.
    ImportRecipients = 16, "recipients", "import";
    /// Remove recipients.
    DeleteRecipients = 17, "recipients", "delete";
    /// See templates.
    ViewTemplates = 18, "templates", "view";
    /// Make templates.
    CreateTemplates = 19, "templates", "create";
    /// Change templates.
    UpdateTemplates = 20, "templates", "update";
    /// Remove templates.
    DeleteTemplates = 21, "templates", "delete";
    /// See what was sent to whom and what became of it.
    ViewLogs = 22, "logs", "view";
    /// See senders (never their secrets).
    ViewSenders = 23, "senders", "view";
    /// Make and change senders and their secrets.
    ManageSenders = 24, "senders", "manage";
    /// See who must not be written to.
    ViewSuppressions = 25, "suppressions", "view";
    /// Suppress addresses and lift suppressions.
    ManageSuppressions = 26, "suppressions", "manage";
    /// See who did what.
    ViewAudit = 27, "audit", "view";
    /// See conversations: what people wrote, and their numbers.
    ViewConversations = 28, "conversations", "view";
    /// Reply in conversations.
    ReplyConversations = 29, "conversations", "reply";
    /// Send single messages.
    SendMessages = 30, "messages", "send";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_has_a_bit_and_a_name_of_its_own() {
        for (at, entry) in CATALOGUE.iter().enumerate() {
            assert_eq!(usize::from(entry.bit), at, "bits are given in order");
            assert!(
                !CATALOGUE[..at]
                    .iter()
                    .any(|other| (other.menu, other.action) == (entry.menu, entry.action))
            );
        }
    }
}
