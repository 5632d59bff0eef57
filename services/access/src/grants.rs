//! Grants: what a member may do, as bits of the catalogue. No I/O here.

pub(crate) mod explain;
pub(crate) mod hand_out;
pub(crate) mod http;
pub(crate) mod store;

use plaza_contracts::permissions::CATALOGUE;
use plaza_kernel::{Caller, PermissionSet, SystemRole};

use crate::roles::Template;

/// All permissions of a member at one version of the tenant's grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grants {
    /// The version.
    pub version: i64,
    /// The permissions.
    pub permissions: PermissionSet,
}

/// The bit of a permission, if the catalogue has it.
pub(crate) fn bit(menu: &str, action: &str) -> Option<u16> {
    CATALOGUE
        .iter()
        .find(|entry| entry.menu == menu && entry.action == action)
        .map(|entry| entry.bit)
}

/// Permissions given as `menu.action`. Unknown ones are left out: a grant may outlive its permission.
pub(crate) fn set_of<'a>(names: impl IntoIterator<Item = &'a str>) -> PermissionSet {
    names
        .into_iter()
        .filter_map(|name| name.split_once('.'))
        .filter_map(|(menu, action)| bit(menu, action))
        .fold(PermissionSet::none(), PermissionSet::with)
}

/// What roles grant in a tenant: those of its own by what was stored with them, default roles by what the program says.
/// Nothing is granted in a product area that the tenant does not have.
pub(crate) fn granted<'a>(
    own: impl IntoIterator<Item = &'a str>,
    templates: impl IntoIterator<Item = Template>,
    menus: &[String],
) -> PermissionSet {
    let own = set_of(own);
    let sets: Vec<PermissionSet> = templates.into_iter().map(Template::permissions).collect();
    CATALOGUE
        .iter()
        .filter(|entry| menus.iter().any(|menu| menu == entry.menu))
        .filter(|entry| own.contains(entry.bit) || sets.iter().any(|set| set.contains(entry.bit)))
        .fold(PermissionSet::none(), |set, entry| set.with(entry.bit))
}

/// The permissions of a set as `menu.action`, in the catalogue's order.
pub(crate) fn names(set: &PermissionSet) -> Vec<String> {
    let held = CATALOGUE.iter().filter(|entry| set.contains(entry.bit));
    held.map(|entry| format!("{}.{}", entry.menu, entry.action))
        .collect()
}

/// What of a set may be done in one product area.
pub(crate) fn actions(menu: &str, set: &PermissionSet) -> Vec<String> {
    let of_menu = CATALOGUE
        .iter()
        .filter(|entry| entry.menu == menu && set.contains(entry.bit));
    of_menu.map(|entry| entry.action.to_owned()).collect()
}

/// The whole catalogue: what an owner holds.
pub(crate) fn everything() -> PermissionSet {
    CATALOGUE
        .iter()
        .fold(PermissionSet::none(), |set, entry| set.with(entry.bit))
}

/// What this caller holds, given what the caller's roles grant.
pub(crate) fn held(caller: &Caller, granted: PermissionSet) -> PermissionSet {
    if caller.role == SystemRole::Owner {
        everything()
    } else {
        granted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_bits_and_unknown_names_nothing() {
        let set = set_of(["users.view", "no.such", "rubbish", "logs.view"]);
        assert_eq!(set, PermissionSet::none().with(0).with(22));
    }

    #[test]
    fn default_roles_grant_what_the_program_says_and_nothing_counts_where_the_menu_is_off() {
        let menus: Vec<String> = ["campaigns", "logs"].map(str::to_owned).into();
        let set = granted(["logs.view", "users.view"], [Template::Viewer], &menus);
        assert_eq!(names(&set), ["campaigns.view", "logs.view"]);
        let set = granted([], [Template::Administrator], &menus);
        assert_eq!(
            names(&set),
            names(&everything())
                .into_iter()
                .filter(|name| name.starts_with("campaigns.") || name.starts_with("logs."))
                .collect::<Vec<_>>()
        );
        assert_eq!(granted([], Template::ALL, &[]), PermissionSet::none());
    }
}
