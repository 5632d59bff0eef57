//! Grants: what a member may do, as bits of the catalogue. No I/O here.

pub(crate) mod explain;
pub(crate) mod hand_out;
pub(crate) mod http;
pub(crate) mod store;

use plaza_contracts::permissions::CATALOGUE;
use plaza_kernel::{Caller, PermissionSet, SystemRole};

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
}
