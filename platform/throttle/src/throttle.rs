//! The door that permits are taken at.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use plaza_database::{Database, DatabaseError};
use plaza_kernel::Clock;

use crate::local::Local;
use crate::{Ladder, Rule, Throttled, counted};

/// Counts in the database of one service. Cheap to clone.
#[derive(Clone)]
pub struct Throttle(Arc<Inner>);

struct Inner {
    database: Database,
    clock: Clock,
    local: Local,
    /// The database was away the last time.
    away: AtomicBool,
}

impl Throttle {
    /// Counts in this database; `clock` paces what is counted here while it is away.
    pub fn new(database: Database, clock: Clock) -> Self {
        Self(Arc::new(Inner {
            database,
            clock,
            local: Local::default(),
            away: AtomicBool::new(false),
        }))
    }

    /// Takes one permit from each of these buckets, or from none.
    ///
    /// # Errors
    /// The refusal of the bucket that takes longest to have one again.
    pub async fn take(&self, rules: &[Rule<'_>]) -> Result<(), Throttled> {
        self.take_all(rules, None).await
    }

    /// The same, and counts a try on a ladder: before it is known how the try ends, so that of many at once no more are made than
    /// may. [`Throttle::forget`] it when it succeeds.
    ///
    /// # Errors
    /// The refusal of a bucket, or of the ladder while its pause lasts.
    pub async fn attempt(&self, rules: &[Rule<'_>], ladder: &Ladder<'_>) -> Result<(), Throttled> {
        self.take_all(rules, Some(ladder)).await
    }

    /// Forgives what was counted under a label.
    pub async fn forget(&self, label: &str) {
        self.0.local.forget(label);
        let forgotten = counted::forget(&self.0.database, label).await;
        // A pause that was not forgiven ends by itself.
        self.note(forgotten.err().as_ref());
    }

    async fn take_all(&self, rules: &[Rule<'_>], ladder: Option<&Ladder<'_>>) -> Result<(), Throttled> {
        let counted = counted::take(&self.0.database, rules, ladder).await;
        self.note(counted.as_ref().err());
        let taken = counted.unwrap_or_else(|_| self.0.local.take(self.0.clock.now(), rules, ladder));
        if let Err(throttled) = &taken {
            metrics::counter!("plaza_throttled_total", "policy" => throttled.limits.policy).increment(1);
        }
        taken
    }

    /// Says once that the database is away, not with every request.
    fn note(&self, error: Option<&DatabaseError>) {
        let was_away = self.0.away.swap(error.is_some(), Ordering::Relaxed);
        if let Some(error) = error.filter(|_| !was_away) {
            tracing::warn!(
                error = error as &dyn std::error::Error,
                "limits are counted in this process alone"
            );
        }
    }
}
