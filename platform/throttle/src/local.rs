//! Counting in this process, while the database is away: the same numbers, for this process alone.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::rule::{Key, key};
use crate::{Ladder, Rule, Throttled};

/// How many are remembered. Who comes when there is no room is refused: better a few too many than one too often.
const MOST: usize = 100_000;

/// One row, as the table has them.
#[derive(Debug, Clone, Copy)]
struct Row {
    tat: DateTime<Utc>,
    failures: u32,
    forgotten_at: DateTime<Utc>,
}

#[derive(Default)]
pub(crate) struct Local(Mutex<HashMap<Key, Row>>);

impl Local {
    /// Takes from every bucket and climbs the ladder, or does none of it.
    pub(crate) fn take(
        &self,
        now: DateTime<Utc>,
        rules: &[Rule<'_>],
        ladder: Option<&Ladder<'_>>,
    ) -> Result<(), Throttled> {
        // Rows are written together at the end, so a panic elsewhere leaves none half changed.
        let mut rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = Vec::with_capacity(rules.len() + 1);
        for rule in rules {
            let key = key(rule.label);
            taken.push((key, bucket(rule, rows.get(&key), now)?));
        }
        if let Some(ladder) = ladder {
            let key = key(ladder.label);
            taken.push((key, rung(ladder, rows.get(&key), now)?));
        }
        if rows.len() + taken.len() > MOST {
            rows.retain(|_, row| row.forgotten_at > now);
        }
        if rows.len() + taken.len() > MOST {
            let minute = Duration::from_secs(60);
            return Err(Throttled::new("server", 1, minute, minute));
        }
        rows.extend(taken);
        Ok(())
    }

    pub(crate) fn forget(&self, label: &str) {
        let mut rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rows.remove(&key(label));
    }
}

fn bucket(rule: &Rule<'_>, row: Option<&Row>, now: DateTime<Utc>) -> Result<Row, Throttled> {
    let tat = row.map_or(now, |row| row.tat.max(now)) + delta(rule.step());
    let ahead = tat - now;
    if ahead > delta(rule.per) {
        let wait = (ahead - delta(rule.per)).to_std().unwrap_or_default();
        return Err(Throttled::new(rule.policy, rule.burst, rule.per, wait));
    }
    Ok(Row {
        tat,
        failures: 0,
        forgotten_at: tat,
    })
}

fn rung(ladder: &Ladder<'_>, row: Option<&Row>, now: DateTime<Utc>) -> Result<Row, Throttled> {
    let row = row.filter(|row| row.forgotten_at > now);
    if let Some(row) = row
        && row.tat > now
    {
        let wait = (row.tat - now).to_std().unwrap_or_default();
        return Err(Throttled::new(ladder.policy, ladder.free, ladder.memory, wait));
    }
    let failures = row.map_or(0, |row| row.failures).saturating_add(1);
    Ok(Row {
        tat: now + delta(ladder.pause(failures)),
        failures,
        forgotten_at: now + delta(ladder.memory),
    })
}

/// Settings are far from the ends of time; what is not counts as a year.
fn delta(time: Duration) -> TimeDelta {
    TimeDelta::from_std(time).map_or(TimeDelta::days(365), |time| time.min(TimeDelta::days(365)))
}

#[cfg(test)]
mod tests {
    use plaza_kernel::Clock;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn rule(label: &str, burst: u32) -> Rule<'_> {
        Rule {
            policy: "login",
            label,
            burst,
            per: MINUTE,
        }
    }

    #[test]
    fn as_many_as_may_pass_at_once_and_then_one_by_one() {
        let (local, mut now) = (Local::default(), Clock::system().now());
        let passes = |now| local.take(now, &[rule("a", 10)], None);
        let passed = (0..20).filter(|_| passes(now).is_ok()).count();
        assert_eq!(passed, 10);
        assert_eq!(passes(now).unwrap_err().retry_after, 6);
        now += TimeDelta::seconds(6);
        assert!(passes(now).is_ok());
        assert!(passes(now).is_err());
        now += TimeDelta::minutes(1);
        assert_eq!((0..20).filter(|_| passes(now).is_ok()).count(), 10);
    }

    #[test]
    fn who_is_refused_by_one_limit_is_not_counted_by_another() {
        let (local, now) = (Local::default(), Clock::system().now());
        for _ in 0..5 {
            let _ = local.take(now, &[rule("all", 3), rule("one", 1)], None);
        }
        assert!(local.take(now, &[rule("all", 3)], None).is_ok());
        assert!(local.take(now, &[rule("all", 3)], None).is_ok());
        assert!(local.take(now, &[rule("all", 3)], None).is_err());
    }

    #[test]
    fn pauses_grow_and_are_forgiven() {
        let (local, mut now) = (Local::default(), Clock::system().now());
        let ladder = Ladder {
            policy: "password",
            label: "a",
            free: 2,
            first: Duration::from_secs(1),
            most: MINUTE,
            memory: 60 * MINUTE,
        };
        let attempt = |now| {
            local
                .take(now, &[], Some(&ladder))
                .map_err(|throttled| throttled.retry_after)
        };
        assert_eq!(
            [attempt(now), attempt(now), attempt(now)],
            [Ok(()), Ok(()), Err(1)]
        );
        now += TimeDelta::seconds(1);
        assert_eq!([attempt(now), attempt(now)], [Ok(()), Err(2)]);
        local.forget("a");
        assert_eq!(attempt(now), Ok(()));
    }

    #[test]
    fn without_room_everybody_is_refused_until_something_is_forgotten() {
        let (local, now) = (Local::default(), Clock::system().now());
        for one in 0..MOST {
            assert!(local.take(now, &[rule(&one.to_string(), 1)], None).is_ok());
        }
        assert!(local.take(now, &[rule("new", 1)], None).is_err());
        assert!(
            local
                .take(now + TimeDelta::minutes(2), &[rule("new", 1)], None)
                .is_ok()
        );
    }
}
