//! How much one number may send, and to one person, where the settings say so. What is refused does not count. Forgotten with the
//! process, as a provider's own counters are nobody's business.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use crate::settings::SimulatorSettings;

/// Too much from one number.
const NUMBER: u32 = 130_429;

/// Too much to one person.
const PAIR: u32 = 131_056;

/// How many may go to one person at once: they borrow from the time after.
const PAIR_AT_ONCE: i32 = 45;

/// When what was taken is paid off: of each number, and of each number with a person.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    numbers: HashMap<Arc<str>, DateTime<Utc>>,
    pairs: HashMap<(Arc<str>, Box<str>), DateTime<Utc>>,
}

impl Limits {
    /// Counts a message, or says with which code it is refused.
    pub(crate) fn take(
        &mut self,
        settings: &SimulatorSettings,
        (from, to): (&Arc<str>, &str),
        now: DateTime<Utc>,
    ) -> Result<(), u32> {
        let second = TimeDelta::seconds(1);
        let each = second / i32::try_from(settings.number_rate).unwrap_or(i32::MAX).max(1);
        let pair = TimeDelta::seconds(settings.pair_seconds.into());
        let person = (Arc::clone(from), to.into());
        let number_paid = paid(self.numbers.get(from), now);
        let pair_paid = paid(self.pairs.get(&person), now);
        // A second's worth may go at once.
        if settings.number_rate > 0 && number_paid + each > now + second {
            return Err(NUMBER);
        }
        if settings.pair_seconds > 0 && pair_paid > now + pair * (PAIR_AT_ONCE - 1) {
            return Err(PAIR);
        }
        if settings.number_rate > 0 {
            self.numbers.insert(Arc::clone(from), number_paid + each);
        }
        if settings.pair_seconds > 0 {
            self.pairs.insert(person, pair_paid + pair);
        }
        Ok(())
    }
}

fn paid(until: Option<&DateTime<Utc>>, now: DateTime<Utc>) -> DateTime<Utc> {
    until.copied().unwrap_or(now).max(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: DateTime<Utc> = DateTime::UNIX_EPOCH;

    fn settings(number_rate: u32, pair_seconds: u32) -> SimulatorSettings {
        SimulatorSettings {
            number_rate,
            pair_seconds,
            ..SimulatorSettings::default()
        }
    }

    #[test]
    fn a_number_carries_a_seconds_worth_at_once_and_then_its_rate() {
        let (mut limits, settings) = (Limits::default(), settings(80, 0));
        let from: Arc<str> = "1".into();
        let mut take = |at: i64| limits.take(&settings, (&from, "2"), START + TimeDelta::milliseconds(at));
        assert!((0..80).all(|_| take(0) == Ok(())));
        assert_eq!(take(0), Err(130_429));
        assert_eq!(take(13), Ok(()), "80 a second are one in 12.5 ms");
        assert_eq!(take(13), Err(130_429), "what was refused costs nothing");
    }

    #[test]
    fn forty_five_to_one_person_and_then_one_each_six_seconds() {
        let (mut limits, settings) = (Limits::default(), settings(0, 6));
        let from: Arc<str> = "1".into();
        let mut take =
            |to: &str, at: i64| limits.take(&settings, (&from, to), START + TimeDelta::seconds(at));
        assert!((0..45).all(|_| take("2", 0) == Ok(())));
        assert_eq!((take("2", 0), take("2", 5)), (Err(131_056), Err(131_056)));
        assert_eq!(take("3", 0), Ok(()));
        assert_eq!((take("2", 6), take("2", 6)), (Ok(()), Err(131_056)));
    }

    #[test]
    fn without_settings_there_is_no_limit() {
        let (mut limits, settings) = (Limits::default(), settings(0, 0));
        let from: Arc<str> = "1".into();
        assert!((0..1_000).all(|_| limits.take(&settings, (&from, "2"), START).is_ok()));
        assert!(limits.numbers.is_empty() && limits.pairs.is_empty());
    }
}
