//! The senders that this process works now, and what it knows of their rates.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use plaza_contracts::ids::SenderId;
use plaza_kernel::TenantId;
use tokio::sync::Notify;

use super::breaker::Breaker;
use super::bucket::Bucket;
use super::pairs::Pairs;

/// A sender of a tenant.
pub(super) type Key = (TenantId, SenderId);

/// The senders that this process works now.
#[derive(Clone, Default)]
pub(super) struct Working(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    /// Each with whether it was found due once more while it was worked.
    busy: HashMap<Key, bool>,
    /// Kept between two workers of a sender, or each would begin with a burst of its own.
    memories: HashMap<Key, Memory>,
}

/// What is remembered of a sender from one of its workers to the next.
#[derive(Debug)]
pub(super) struct Memory {
    pub(super) bucket: Bucket,
    pub(super) pairs: Pairs,
    pub(super) breaker: Breaker,
}

impl Working {
    /// Marks the sender as worked, unless it is: then whoever works it now will be followed by another.
    pub(super) fn begin(&self, key: Key, due: &Arc<Notify>) -> Option<Place> {
        let mut known = self.known();
        if let Some(again) = known.busy.get_mut(&key) {
            *again = true;
            return None;
        }
        known.busy.insert(key, false);
        Some(Place {
            working: self.clone(),
            key,
            due: Arc::clone(due),
        })
    }

    // Every change is one call on a map, so a panic elsewhere cannot leave it half changed.
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of the one worker of a sender. Given up when dropped, however the worker ends, a panic included; what
/// became due after the worker's last look is then looked for at once.
pub(super) struct Place {
    working: Working,
    key: Key,
    due: Arc<Notify>,
}

impl Place {
    /// Whose place it is.
    pub(super) fn key(&self) -> Key {
        self.key
    }

    /// What the worker before remembered. A bucket for another rate is of no use.
    pub(super) fn memory(&self, rate: i32, now: DateTime<Utc>) -> Memory {
        let kept = self.working.known().memories.remove(&self.key);
        let mut memory = kept.unwrap_or_else(|| Memory {
            bucket: Bucket::new(rate, now),
            pairs: Pairs::default(),
            breaker: Breaker::default(),
        });
        if memory.bucket.rate() != rate {
            memory.bucket = Bucket::new(rate, now);
        }
        memory
    }

    /// Keeps it for the next worker.
    pub(super) fn keep(&self, memory: Memory) {
        self.working.known().memories.insert(self.key, memory);
    }

    /// Has the sender looked at once more when the place is given up: as long as it was leased nobody else could find
    /// it, and something may have become due after the worker's last look.
    pub(super) fn look_again(&self) {
        if let Some(again) = self.working.known().busy.get_mut(&self.key) {
            *again = true;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.working.known().busy.remove(&self.key) == Some(true) {
            self.due.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use plaza_kernel::Clock;

    use super::*;

    #[test]
    fn what_is_found_due_while_it_is_worked_is_looked_at_once_more() {
        let clock = Clock::system();
        let key = (TenantId::generate(&clock), SenderId::generate(&clock));
        let (working, due) = (Working::default(), Arc::new(Notify::new()));
        let place = working.begin(key, &due).unwrap();
        drop(place);
        assert!(due.notified().now_or_never().is_none(), "nobody asked again");
        let place = working.begin(key, &due).unwrap();
        assert!(working.begin(key, &due).is_none());
        drop(place);
        assert!(due.notified().now_or_never().is_some());
        assert!(working.begin(key, &due).is_some());
    }
}
