//! Permissions: menu × action, a closed catalogue that the code declares (see `contracts`).

/// One thing a caller may be allowed to do. Implemented by the types of the catalogue.
pub trait Permission: Send + Sync + 'static {
    /// The page or product area.
    const MENU: &'static str;
    /// What is done there: `view`, `create`, `update`, `delete`, or a verb of its own.
    const ACTION: &'static str;
    /// Its place in a [`PermissionSet`]. Given by the catalogue, never reused.
    const BIT: u16;
}

/// A set of permissions: one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct PermissionSet([u64; PermissionSet::WORDS]);

impl PermissionSet {
    const WORDS: usize = 4;
    /// How many permissions the catalogue may have.
    pub const CAPACITY: u16 = 256;

    /// The empty set.
    pub const fn none() -> Self {
        Self([0; Self::WORDS])
    }

    /// The set with one more permission. A bit outside the catalogue is ignored.
    #[must_use]
    pub const fn with(mut self, bit: u16) -> Self {
        if bit < Self::CAPACITY {
            self.0[(bit / 64) as usize] |= 1 << (bit % 64);
        }
        self
    }

    /// Whether the permission is in it.
    pub const fn contains(&self, bit: u16) -> bool {
        bit < Self::CAPACITY && self.0[(bit / 64) as usize] & (1 << (bit % 64)) != 0
    }

    /// Whether every permission of `other` is in this one too.
    pub fn includes(&self, other: &Self) -> bool {
        self.0
            .iter()
            .zip(other.0)
            .all(|(mine, theirs)| mine & theirs == theirs)
    }

    /// The words, least significant bit first, for the wire.
    pub const fn words(&self) -> [u64; 4] {
        self.0
    }

    /// From [`PermissionSet::words`]; missing words are empty, further ones are ignored.
    pub fn from_words(words: &[u64]) -> Self {
        Self(std::array::from_fn(|word| {
            words.get(word).copied().unwrap_or_default()
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_put_in_and_nothing_else() {
        let set = PermissionSet::none().with(0).with(65).with(255).with(256);
        let held: Vec<u16> = (0..300).filter(|bit| set.contains(*bit)).collect();
        assert_eq!(held, [0, 65, 255]);
        assert_eq!(PermissionSet::from_words(&set.words()), set);
        assert!(set.includes(&PermissionSet::none().with(65)));
        assert!(!set.includes(&PermissionSet::none().with(1)));
    }
}
