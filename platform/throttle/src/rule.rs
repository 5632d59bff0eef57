//! What may be done how often.

use std::time::Duration;

use plaza_crypto::sha256;

/// `burst` at once, and as many again in every `per`: ten in a minute are ten at once and then one every six seconds.
#[derive(Debug, Clone, Copy)]
pub struct Rule<'a> {
    /// The name of the limit, as the client may be told: `login`.
    pub policy: &'static str,
    /// Who or what is counted: `login/ip/192.0.2.7`. Kept as a digest only.
    pub label: &'a str,
    /// How many at once; at least one.
    pub burst: u32,
    /// In which time that many come back.
    pub per: Duration,
}

/// Growing pauses between tries that fail: so many are free, then each pause is twice the one before. A success is forgiven by
/// [`Throttle::forget`](crate::Throttle::forget).
#[derive(Debug, Clone, Copy)]
pub struct Ladder<'a> {
    /// The name of the limit, as the client may be told.
    pub policy: &'static str,
    /// Whose tries are counted. Kept as a digest only.
    pub label: &'a str,
    /// After how many tries the first pause comes; at least one.
    pub free: u32,
    /// The first pause.
    pub first: Duration,
    /// The longest pause.
    pub most: Duration,
    /// How long after the last try all is forgotten.
    pub memory: Duration,
}

/// A label as it is kept.
pub(crate) type Key = [u8; 32];

pub(crate) fn key(label: &str) -> Key {
    sha256(label.as_bytes())
}

impl Rule<'_> {
    /// How much time one costs.
    pub(crate) fn step(&self) -> Duration {
        self.per / self.burst.max(1)
    }
}

impl Ladder<'_> {
    /// The pause after this many tries.
    pub(crate) fn pause(&self, tries: u32) -> Duration {
        match tries.checked_sub(self.free) {
            None => Duration::ZERO,
            // Beyond 2³⁰ times a pause is the longest one whatever it began with.
            Some(doublings) => self.first.saturating_mul(1 << doublings.min(30)).min(self.most),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_after_the_free_tries_up_to_the_longest() {
        let second = Duration::from_secs(1);
        let ladder = Ladder {
            policy: "login",
            label: "",
            free: 5,
            first: second,
            most: 60 * second,
            memory: 3600 * second,
        };
        let pauses: Vec<u64> = (1..13).map(|tries| ladder.pause(tries).as_secs()).collect();
        assert_eq!(pauses, [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(ladder.pause(u32::MAX).as_secs(), 60);
    }

    #[test]
    fn a_rule_of_nothing_at_once_is_one_of_one() {
        let rule = Rule {
            policy: "login",
            label: "",
            burst: 0,
            per: Duration::from_secs(6),
        };
        assert_eq!(rule.step(), Duration::from_secs(6));
    }
}
