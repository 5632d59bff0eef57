//! The refusal.

use std::time::Duration;

use plaza_kernel::{Failure, Kind, Limits};

/// Too often: 429 `THROTTLED`, with when to come again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("that was too often; try again later")]
pub struct Throttled {
    /// In how many seconds it makes sense to try again; at least one.
    pub retry_after: u32,
    /// The limit that was met.
    pub limits: Limits,
}

impl Throttled {
    /// Refused by a limit until this much time is over.
    pub(crate) fn new(policy: &'static str, quota: u32, window: Duration, wait: Duration) -> Self {
        let retry_after = whole_seconds(wait);
        Self {
            retry_after,
            limits: Limits {
                policy,
                quota,
                window_seconds: whole_seconds(window),
                remaining: 0,
                reset_seconds: retry_after,
            },
        }
    }
}

/// Rounded up: who comes a moment too early is refused again.
fn whole_seconds(time: Duration) -> u32 {
    let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    u32::try_from(seconds).unwrap_or(u32::MAX).max(1)
}

impl Failure for Throttled {
    fn kind(&self) -> Kind {
        Kind::Throttled
    }

    fn code(&self) -> &'static str {
        "THROTTLED"
    }

    fn retry_after(&self) -> Option<u32> {
        Some(self.retry_after)
    }

    fn limits(&self) -> Option<Limits> {
        Some(self.limits)
    }
}
