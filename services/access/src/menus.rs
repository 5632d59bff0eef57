//! Menus: the product areas that a tenant has. The catalogue says which there are; the platform turns them on and off.
//! No I/O here.

pub(crate) mod enable;
pub(crate) mod http;
pub(crate) mod store;

use plaza_contracts::permissions::CATALOGUE;

/// A product area of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Menu {
    name: &'static str,
    position: i16,
}

impl Menu {
    /// All of them, in the catalogue's order.
    pub(crate) fn all() -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        for entry in CATALOGUE {
            if all.iter().all(|menu| menu.name != entry.menu) {
                let position = all.last().map_or(1, |last| last.position + 1);
                let name = entry.menu;
                all.push(Self { name, position });
            }
        }
        all
    }

    /// The one of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|menu| menu.name == name)
    }

    pub(crate) const fn name(self) -> &'static str {
        self.name
    }

    /// Where it is shown, from 1.
    pub(crate) const fn position(self) -> i16 {
        self.position
    }

    /// Whether no tenant can do without it: nobody could be let in, or given anything to do.
    pub(crate) fn is_needed(self) -> bool {
        matches!(self.name, "users" | "roles")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_menu_of_the_catalogue_has_a_place_of_its_own() {
        let all = Menu::all();
        let places: Vec<usize> = all.iter().map(|menu| menu.position as usize).collect();
        assert_eq!(places, Vec::from_iter(1..=all.len()));
        for entry in CATALOGUE {
            assert_eq!(Menu::named(entry.menu).map(Menu::name), Some(entry.menu));
        }
        assert_eq!(Menu::named("no such"), None);
    }
}
