//! Pauses between attempts that fail: longer and longer, up to a limit, and never in step with others.

use std::time::Duration;

use rand::Rng as _;

const FIRST: Duration = Duration::from_millis(100);

/// Counts failures in a row.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The pause after one more failure: between half and all of a time that doubles up to the limit.
    pub(crate) fn pause(&mut self, limit: Duration) -> Duration {
        let whole = FIRST.saturating_mul(1 << self.failures.min(16)).min(limit);
        self.failures = self.failures.saturating_add(1);
        whole.mul_f64(rand::rng().random_range(0.5..=1.0))
    }

    /// It worked.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_the_limit() {
        let (mut backoff, limit) = (Backoff::default(), Duration::from_secs(5));
        let pauses: Vec<Duration> = (0..40).map(|_| backoff.pause(limit)).collect();
        assert!(pauses[0] <= FIRST && pauses[0] >= FIRST / 2);
        assert!(pauses[39] <= limit && pauses[39] >= limit / 2);
        assert!(pauses.windows(2).take(5).all(|pair| pair[1] >= pair[0]));
        backoff.reset();
        assert!(backoff.pause(limit) <= FIRST);
    }
}
