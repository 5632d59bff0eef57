//! How events travel.

use std::time::Duration;

/// How events travel.
#[derive(Debug, Clone)]
pub struct MessagingSettings {
    /// How many rows a relay publishes at once.
    pub batch: u32,
    /// How long a relay or runner waits when nobody wakes it.
    pub poll: Duration,
    /// The delays before the second, third, fourth and fifth delivery. After the last one comes a dead letter.
    pub delays: Vec<Duration>,
    /// How long a relay's or runner's lease lasts.
    pub lease: Duration,
    /// How many events the consumers of one service work on at the same time, all of different keys. One consumer
    /// of several leaves at least one place to the others. Each place holds a connection while it works.
    pub concurrency: usize,
    /// How long a consumer may work on one event.
    pub deadline: Duration,
    /// The pause after the first failed publication of an event; it doubles up to a minute.
    pub backoff: Duration,
    /// After how many failed publications an event is parked while others get through.
    pub publications: u32,
    /// How long a consumed event is remembered. Repetitions after that would take effect again.
    pub memory: Duration,
}

impl Default for MessagingSettings {
    fn default() -> Self {
        Self {
            batch: 500,
            poll: Duration::from_millis(500),
            delays: [10, 60, 600, 600].map(Duration::from_secs).to_vec(),
            lease: Duration::from_secs(10),
            concurrency: 4,
            deadline: Duration::from_secs(30),
            backoff: Duration::from_millis(500),
            publications: 20,
            memory: Duration::from_secs(14 * 24 * 3600),
        }
    }
}

impl MessagingSettings {
    /// The delay after the delivery of this number, counted from 1; none after the last one.
    pub(crate) fn delay_after(&self, delivery: i32) -> Option<Duration> {
        usize::try_from(delivery)
            .ok()?
            .checked_sub(1)
            .and_then(|at| self.delays.get(at))
            .copied()
    }

    /// How many places one of this many consumers may take: it leaves at least one to the others.
    pub(crate) fn most_of_one(&self, consumers: usize) -> usize {
        let all = self.concurrency.max(1);
        if consumers > 1 {
            all.saturating_sub(1).max(1)
        } else {
            all
        }
    }

    /// How many deliveries there are in all.
    pub(crate) fn deliveries(&self) -> i32 {
        i32::try_from(self.delays.len())
            .unwrap_or(i32::MAX)
            .saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_delays_make_five_deliveries() {
        let settings = MessagingSettings::default();
        assert_eq!(settings.deliveries(), 5);
        assert_eq!(settings.delay_after(1), Some(Duration::from_secs(10)));
        assert_eq!(settings.delay_after(4), Some(Duration::from_secs(600)));
        assert_eq!(settings.delay_after(5), None);
    }
}
