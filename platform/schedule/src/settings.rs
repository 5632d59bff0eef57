//! How firings are claimed and held.

use std::time::Duration;

/// How firings are claimed and held.
#[derive(Debug, Clone)]
pub struct ScheduleSettings {
    /// The longest pause between two looks at the table; a firing that is known to come is waited for exactly.
    pub poll: Duration,
    /// How long a lease lasts; it is renewed three times as often. So long a firing waits after its process died.
    pub lease: Duration,
    /// How late a firing of [`Misfire::Skip`](crate::Misfire::Skip) may begin.
    pub grace: Duration,
    /// The pause after the first failure of a firing; it doubles up to [`longest_backoff`](Self::longest_backoff).
    pub backoff: Duration,
    /// The longest pause after a failure.
    pub longest_backoff: Duration,
    /// How often a firing may be taken up after its process died in it, once the next firing is due as well.
    pub takings: u32,
    /// How long work may go on after the process was told to stop. Then it is broken off and the firing given back.
    pub patience: Duration,
    /// How often a process says which schedules it has.
    pub declare: Duration,
    /// When a schedule that no process has had for so long is forgotten.
    pub forget: Duration,
}

impl Default for ScheduleSettings {
    fn default() -> Self {
        Self {
            poll: Duration::from_secs(5),
            lease: Duration::from_secs(30),
            grace: Duration::from_secs(60),
            backoff: Duration::from_secs(5),
            longest_backoff: Duration::from_secs(600),
            takings: 5,
            patience: Duration::from_secs(10),
            declare: Duration::from_secs(60),
            forget: Duration::from_secs(7 * 24 * 3600),
        }
    }
}
