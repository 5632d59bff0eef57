//! Time as an argument. Nothing outside this file reads the system clock.

use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::{ContextV7, Timestamp, Uuid};

/// The source of time and of time-ordered ids.
#[derive(Clone)]
pub struct Clock {
    source: Source,
    // Keeps ids of one millisecond in the order in which they were made (RFC 9562 §6.2).
    context: Arc<Mutex<ContextV7>>,
}

#[derive(Clone)]
enum Source {
    System,
    Manual(ManualClock),
}

impl Clock {
    /// The time of the machine.
    pub fn system() -> Self {
        Self {
            source: Source::System,
            context: Arc::new(Mutex::new(ContextV7::new())),
        }
    }

    /// A time that moves only when told to: for tests.
    pub fn manual(start: DateTime<Utc>) -> (Self, ManualClock) {
        let manual = ManualClock(Arc::new(Mutex::new(start)));
        let clock = Self {
            source: Source::Manual(manual.clone()),
            context: Arc::new(Mutex::new(ContextV7::new())),
        };
        (clock, manual)
    }

    /// Now.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one home of the system clock"
    )]
    pub fn now(&self) -> DateTime<Utc> {
        match &self.source {
            Source::System => Utc::now(),
            Source::Manual(manual) => manual.now(),
        }
    }

    /// A UUIDv7 that sorts after the ones this clock made before.
    pub fn uuid(&self) -> Uuid {
        let now = self.now();
        let context = self
            .context
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let seconds = u64::try_from(now.timestamp()).unwrap_or_default();
        Uuid::new_v7(Timestamp::from_unix(
            &*context,
            seconds,
            now.timestamp_subsec_nanos(),
        ))
    }
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}

/// The hand on a [`Clock::manual`].
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<Mutex<DateTime<Utc>>>);

impl ManualClock {
    /// The time it shows.
    pub fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Moves it forward.
    pub fn advance(&self, by: TimeDelta) {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner) += by;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_one_instant_keep_their_order() {
        let (clock, _) = Clock::manual(DateTime::from_timestamp(1_800_000_000, 0).unwrap());
        let ids: Vec<Uuid> = (0..1_000).map(|_| clock.uuid()).collect();
        assert!(ids.is_sorted());
    }
}
