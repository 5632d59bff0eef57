//! How many requests may be sent a second time: one for five that were sent at all, so that a service in trouble does
//! not get twice the load of one in health.

use std::sync::atomic::{AtomicU32, Ordering};

/// What one retry costs, in requests.
const COST: u32 = 5;

/// What is saved up at most: a process that dies takes all requests with it that it was working on.
const MOST: u32 = 100 * COST;

/// What was saved for retries.
#[derive(Debug)]
pub(super) struct RetryBudget(AtomicU32);

impl RetryBudget {
    pub(super) fn new() -> Self {
        Self(AtomicU32::new(MOST))
    }

    /// A request was sent.
    pub(super) fn earn(&self) {
        // A few too many when threads meet here do no harm; a full purse costs no write to shared memory.
        if self.0.load(Ordering::Relaxed) < MOST {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether one may be sent again.
    pub(super) fn spend(&self) -> bool {
        let paid = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |saved| {
                saved.checked_sub(COST)
            });
        paid.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_request_in_five_may_be_sent_again() {
        let budget = RetryBudget::new();
        let saved = (0..1_000).filter(|_| budget.spend()).count();
        assert_eq!(saved, 100);
        let retried = (0..1_000)
            .filter(|_| {
                budget.earn();
                budget.spend()
            })
            .count();
        assert_eq!(retried, 200);
    }

    #[test]
    fn health_is_not_saved_up_without_end() {
        let budget = RetryBudget::new();
        (0..100_000).for_each(|_| budget.earn());
        assert_eq!((0..1_000).filter(|_| budget.spend()).count(), 100);
    }
}
