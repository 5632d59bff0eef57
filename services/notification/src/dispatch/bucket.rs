//! A sender's rate: a token bucket that gives way when the provider says so. No I/O here.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::config::milliseconds;

/// Tokens of one sender. One message takes one.
#[derive(Debug)]
pub(super) struct Bucket {
    /// What the sender is set to: messages a second, 0 without limit.
    rate: i32,
    /// Tokens a second at full rate; none is without limit.
    full: Option<f64>,
    /// Between 1/16 and 1: how much of the full rate the provider takes now.
    share: f64,
    tokens: f64,
    at: DateTime<Utc>,
    /// The last complaint that was acted on.
    slowed_at: Option<DateTime<Utc>>,
    /// Nothing goes before: the provider could not be reached.
    rests_until: Option<DateTime<Utc>>,
    /// How often in a row it could not be reached.
    unreached: u32,
}

/// How fast the rate recovers after the provider complained: by this part of the full rate a second.
const RECOVERY: f64 = 0.05;

/// How much may go at once after a pause, in seconds' worth.
const BURST: f64 = 0.2;

/// Complaints about messages that were in flight together are one complaint.
const ONE_COMPLAINT: TimeDelta = TimeDelta::seconds(1);

/// The longest rest.
const LONGEST_REST: Duration = Duration::from_secs(30);

impl Bucket {
    /// An empty bucket would delay the first messages; this one starts with half of what may go at once.
    pub(super) fn new(rate: i32, now: DateTime<Utc>) -> Self {
        let full = (rate > 0).then(|| f64::from(rate));
        Self {
            rate,
            full,
            share: 1.0,
            tokens: full.unwrap_or_default() * BURST / 2.0,
            at: now,
            slowed_at: None,
            rests_until: None,
            unreached: 0,
        }
    }

    /// The rate that it was made for.
    pub(super) fn rate(&self) -> i32 {
        self.rate
    }

    /// Takes up to `wanted` tokens.
    pub(super) fn take(&mut self, wanted: usize, now: DateTime<Utc>) -> usize {
        if self.rests_until.is_some_and(|until| now < until) {
            return 0;
        }
        let Some(full) = self.full else { return wanted };
        self.refill(full, now);
        let mut taken = 0;
        while taken < wanted && self.tokens >= 1.0 {
            self.tokens -= 1.0;
            taken += 1;
        }
        taken
    }

    /// Gives tokens back that nothing was sent for.
    pub(super) fn give_back(&mut self, tokens: usize) {
        if self.full.is_some() {
            self.tokens += tokens as f64;
        }
    }

    /// How long until the next token. Never nothing, so that whoever waits for it cannot spin.
    pub(super) fn wait(&self, now: DateTime<Utc>) -> Duration {
        let token = self
            .full
            .map_or(0.0, |full| (1.0 - self.tokens) / (full * self.share));
        let rest = self.rests_until.and_then(|until| (until - now).to_std().ok());
        Duration::from_secs_f64(token.clamp(0.001, 60.0)).max(rest.unwrap_or_default())
    }

    /// The provider complained: half as fast from now on, recovering slowly. A sender without limit gets one.
    pub(super) fn slow_down(&mut self, now: DateTime<Utc>) {
        if self.slowed_at.is_some_and(|at| now - at < ONE_COMPLAINT) {
            return;
        }
        self.slowed_at = Some(now);
        self.full.get_or_insert(80.0);
        self.share = (self.share / 2.0).max(1.0 / 16.0);
        self.tokens = 0.0;
        self.at = now;
    }

    /// The provider could not be reached: nothing goes for a while, longer each time in a row.
    pub(super) fn unreached(&mut self, now: DateTime<Utc>, first: u64) {
        if self.rests_until.is_some_and(|until| now < until) {
            return;
        }
        let rest = milliseconds(first.saturating_mul(1 << self.unreached.min(10)));
        self.unreached = self.unreached.saturating_add(1);
        self.rests_until = Some(now + rest.min(LONGEST_REST));
    }

    /// The provider answered.
    pub(super) fn reached(&mut self) {
        self.rests_until = None;
        self.unreached = 0;
    }

    fn refill(&mut self, full: f64, now: DateTime<Utc>) {
        let seconds = (now - self.at).num_microseconds().unwrap_or_default().max(0) as f64 / 1e6;
        self.at = now;
        let rate = full * self.share;
        self.tokens = (self.tokens + seconds * rate).min((rate * BURST).max(1.0));
        self.share = (self.share + seconds * RECOVERY).min(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent_in(bucket: &mut Bucket, from: DateTime<Utc>, milliseconds: i64) -> usize {
        (1..=milliseconds)
            .map(|at| bucket.take(8, from + TimeDelta::milliseconds(at)))
            .sum()
    }

    #[test]
    fn a_minute_carries_a_minutes_worth() {
        let start = DateTime::UNIX_EPOCH;
        let mut bucket = Bucket::new(80, start);
        let sent = sent_in(&mut bucket, start, 60_000);
        assert!((4_800..=4_810).contains(&sent), "{sent}");
    }

    #[test]
    fn a_second_after_a_long_pause_carries_little_more_than_any_other() {
        let start = DateTime::UNIX_EPOCH;
        let mut bucket = Bucket::new(50, start);
        let sent = sent_in(&mut bucket, start + TimeDelta::hours(1), 1_000);
        assert!((50..=60).contains(&sent), "{sent}");
    }

    #[test]
    fn without_a_rate_everything_goes() {
        assert_eq!(
            Bucket::new(0, DateTime::UNIX_EPOCH).take(8, DateTime::UNIX_EPOCH),
            8
        );
    }

    #[test]
    fn a_complaint_halves_the_rate_and_it_recovers() {
        let start = DateTime::UNIX_EPOCH;
        let mut bucket = Bucket::new(100, start);
        for _ in 0..8 {
            bucket.slow_down(start);
        }
        let first = sent_in(&mut bucket, start, 1_000);
        assert!(
            (48..=60).contains(&first),
            "eight in flight together are one complaint: {first}"
        );
        let later = start + TimeDelta::seconds(30);
        bucket.take(1_000, later);
        let recovered = sent_in(&mut bucket, later, 1_000);
        assert!((99..=101).contains(&recovered), "{recovered}");
    }

    #[test]
    fn a_slow_sender_still_sends() {
        let start = DateTime::UNIX_EPOCH;
        let mut bucket = Bucket::new(1, start);
        assert_eq!(sent_in(&mut bucket, start, 5_000), 5);
    }

    #[test]
    fn an_unreachable_provider_gives_a_rest_that_grows_until_it_answers() {
        let (start, mut bucket) = (DateTime::UNIX_EPOCH, Bucket::new(0, DateTime::UNIX_EPOCH));
        bucket.unreached(start, 1_000);
        bucket.unreached(start, 1_000);
        assert_eq!(bucket.take(8, start + TimeDelta::milliseconds(999)), 0);
        assert_eq!(
            bucket.wait(start),
            Duration::from_secs(1),
            "one rest for all in flight together"
        );
        let again = start + TimeDelta::seconds(1);
        assert_eq!(bucket.take(8, again), 8);
        bucket.unreached(again, 1_000);
        assert_eq!(bucket.wait(again), Duration::from_secs(2));
        bucket.reached();
        assert_eq!(bucket.take(8, again), 8);
    }
}
