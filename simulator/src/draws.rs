//! Chance that can be repeated: a stream of numbers from the seed and the names of what is drawn for.

use aws_lc_rs::hmac;

/// SplitMix64 (Steele, Lea, Flood 2014), started from HMAC-SHA-256 of the names under the seed. Written out here so
/// that no new version of a library changes what a seed means.
pub(crate) struct Draws {
    state: u64,
}

impl Draws {
    pub(crate) fn new(seed: u64, names: &[&str]) -> Self {
        Self {
            state: u64::from_le_bytes(first_bytes(&digest(seed, names))),
        }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// True in `share` of all draws: never for 0, always for 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit a f64 exactly")]
    pub(crate) fn chance(&mut self, share: f64) -> bool {
        ((self.next() >> 11) as f64 / (1_u64 << 53) as f64) < share
    }

    /// Between both, which are possible too.
    pub(crate) fn between(&mut self, [least, most]: [u64; 2]) -> u64 {
        match (most - least).checked_add(1) {
            Some(width) => least + self.next() % width,
            None => self.next(),
        }
    }
}

/// Bytes that belong to the names under the seed, and look random.
pub(crate) fn digest(seed: u64, names: &[&str]) -> [u8; 32] {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &seed.to_le_bytes()));
    for name in names {
        context.update(&(name.len() as u64).to_le_bytes());
        context.update(name.as_bytes());
    }
    first_bytes(context.sign().as_ref())
}

/// The first `N` of at least `N` bytes.
fn first_bytes<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut first = [0; N];
    first.copy_from_slice(&bytes[..N]);
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_means_the_same_forever() {
        let mut draws = Draws::new(1, &["message", "a"]);
        let drawn: Vec<u64> = (0..4).map(|_| draws.between([0, 999])).collect();
        assert_eq!(drawn, [149, 722, 534, 924]);
    }

    #[test]
    fn names_and_seeds_have_their_own_chance() {
        let first = |seed, names: &[&str]| Draws::new(seed, names).next();
        assert_ne!(first(1, &["a"]), first(2, &["a"]));
        assert_ne!(first(1, &["a", "b"]), first(1, &["ab"]));
    }

    #[test]
    fn a_share_is_kept() {
        let mut draws = Draws::new(7, &[]);
        let hits = (0..10_000).filter(|_| draws.chance(0.2)).count();
        assert!((1_900..2_100).contains(&hits), "{hits}");
        assert!(!(0..1_000).any(|_| draws.chance(0.0)));
        assert!((0..1_000).all(|_| draws.chance(1.0)));
    }

    #[test]
    fn the_borders_are_drawn_too() {
        let mut draws = Draws::new(7, &[]);
        let drawn: std::collections::BTreeSet<u64> = (0..200).map(|_| draws.between([3, 5])).collect();
        assert_eq!(drawn.into_iter().collect::<Vec<_>>(), [3, 4, 5]);
        draws.between([0, u64::MAX]);
    }
}
