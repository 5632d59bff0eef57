//! How often one person is written to from one sender. No I/O here.
//!
//! Meta takes a message each six seconds from a number to one person, and up to 45 at once that borrow from the time after
//! (error 131056 beyond). A sender is worked by one process at a time, so its memory is enough; what is lost with the
//! process, the provider still refuses.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};

/// How many may go at once.
const AT_ONCE: i32 = 45;

/// Beyond so many people those are forgotten who may be written to as often as anybody.
const MANY: usize = 10_000;

/// When each person's messages are paid off (the theoretical arrival time of GCRA).
#[derive(Debug, Default)]
pub(super) struct Pairs {
    paid: HashMap<String, DateTime<Utc>>,
    tidied: usize,
}

impl Pairs {
    /// Counts a message to this person that takes so long, unless it has to wait: then until when.
    pub(super) fn take(
        &mut self,
        person: &str,
        each: TimeDelta,
        now: DateTime<Utc>,
    ) -> Result<(), DateTime<Utc>> {
        if each.is_zero() {
            return Ok(());
        }
        self.tidy(now);
        let paid = self.paid.get(person).copied().unwrap_or(now).max(now);
        let earliest = paid - each * (AT_ONCE - 1);
        if earliest > now {
            return Err(earliest);
        }
        self.paid.insert(person.to_owned(), paid + each);
        Ok(())
    }

    /// Each time there are twice as many as were left the last time: all in all not more work than there are messages.
    fn tidy(&mut self, now: DateTime<Utc>) {
        if self.paid.len() >= MANY.max(2 * self.tidied) {
            self.paid.retain(|_, paid| *paid > now);
            self.tidied = self.paid.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EACH: TimeDelta = TimeDelta::seconds(6);

    #[test]
    fn forty_five_at_once_and_then_one_each_six_seconds() {
        let (mut pairs, start) = (Pairs::default(), DateTime::UNIX_EPOCH);
        for _ in 0..45 {
            assert_eq!(pairs.take("a", EACH, start), Ok(()));
        }
        assert_eq!(pairs.take("a", EACH, start), Err(start + EACH));
        assert_eq!(
            pairs.take("b", EACH, start),
            Ok(()),
            "another person is another matter"
        );
        assert_eq!(pairs.take("a", EACH, start + EACH), Ok(()));
        assert_eq!(pairs.take("a", EACH, start + EACH), Err(start + EACH * 2));
        let later = start + EACH * 46;
        for _ in 0..45 {
            assert_eq!(pairs.take("a", EACH, later), Ok(()), "all is paid off");
        }
    }

    #[test]
    fn nobody_is_remembered_for_ever() {
        let (mut pairs, mut now) = (Pairs::default(), DateTime::UNIX_EPOCH);
        for person in 0..100_000 {
            now += TimeDelta::milliseconds(2);
            assert_eq!(pairs.take(&person.to_string(), EACH, now), Ok(()));
        }
        assert!(pairs.paid.len() <= 2 * MANY, "{}", pairs.paid.len());
    }
}
