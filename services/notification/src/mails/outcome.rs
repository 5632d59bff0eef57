//! What becomes of a mail, by what the server said. No I/O here.

use std::time::Duration;

use chrono::TimeDelta;

use crate::MailConfig;
use crate::config::milliseconds;
use crate::providers::MailFailure;

/// The longest pause before a mail is tried again. Milliseconds.
const LONGEST_PAUSE: u64 = 3_600_000;

/// How long a mail waits for a server that cannot be reached: the links in it are over by then.
const WAITS: TimeDelta = TimeDelta::days(1);

/// How often a mail is sent again because nobody knows whether the server has it.
const AGAIN: i32 = 1;

/// One try.
pub(super) struct Tried<'a> {
    pub(super) result: &'a Result<String, MailFailure>,
    /// How often it was refused for now before.
    pub(super) attempts: i32,
    /// How often nobody knew before whether the server has it.
    pub(super) doubts: i32,
    /// How long ago it was asked for.
    pub(super) age: TimeDelta,
    /// The how manieth try in a row this is for which no server was reached, from 0.
    pub(super) unreached: u32,
    /// Between 0 and 1, to spread what is tried again.
    pub(super) jitter: f64,
}

/// What is written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Next {
    pub(super) state: &'static str,
    /// After which it is due.
    pub(super) after: Duration,
    /// What is added to the attempts and to the doubts.
    pub(super) attempts: i32,
    pub(super) doubts: i32,
    pub(super) error: Option<String>,
    pub(super) accepted_as: Option<String>,
}

/// The decision.
pub(super) fn next(config: &MailConfig, tried: &Tried<'_>) -> Next {
    match tried.result {
        Ok(said) => Next {
            accepted_as: Some(said.clone()),
            ..Next::over("sent", None)
        },
        Err(MailFailure::Refused(text)) => Next::over("failed", Some(text.clone())),
        Err(MailFailure::Later(text)) => {
            let times = u32::try_from(tried.attempts).unwrap_or_default();
            let last = times.saturating_add(1) >= config.attempts;
            let state = if last { "failed" } else { "queued" };
            Next {
                after: doubled(config, times, tried.jitter),
                attempts: 1,
                ..Next::over(state, Some(text.clone()))
            }
        }
        Err(MailFailure::Unknown(text)) => {
            let last = tried.doubts >= AGAIN;
            let state = if last { "failed" } else { "queued" };
            Next {
                after: doubled(config, 0, tried.jitter),
                doubts: 1,
                ..Next::over(state, Some(text.clone()))
            }
        }
        // Says nothing about the mail, which waits; but not until nobody has any use for it.
        Err(MailFailure::NotReached(text)) => {
            let state = if tried.age >= WAITS { "failed" } else { "queued" };
            Next {
                after: rest(config, tried.unreached, tried.jitter),
                ..Next::over(state, Some(text.clone()))
            }
        }
    }
}

impl Next {
    fn over(state: &'static str, error: Option<String>) -> Self {
        Self {
            state,
            after: Duration::ZERO,
            attempts: 0,
            doubts: 0,
            error,
            accepted_as: None,
        }
    }
}

/// How long nothing is sent to a server that could not be reached so many times in a row: a minute at the most, or nobody
/// would notice that it is back.
pub(super) fn rest(config: &MailConfig, unreached: u32, jitter: f64) -> Duration {
    doubled(config, unreached, jitter).min(Duration::from_secs(60))
}

/// The first delay doubled so many times, ±20 %.
fn doubled(config: &MailConfig, times: u32, jitter: f64) -> Duration {
    let base = config
        .retry_milliseconds
        .saturating_mul(1_u64 << times.min(20))
        .min(LONGEST_PAUSE);
    let spread = base as f64 * (0.8 + 0.4 * jitter);
    milliseconds(spread as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(result: Result<String, MailFailure>, attempts: i32, doubts: i32, hours: i64) -> Next {
        let config = MailConfig {
            retry_milliseconds: 1_000,
            attempts: 3,
            ..MailConfig::default()
        };
        let tried = Tried {
            result: &result,
            attempts,
            doubts,
            age: TimeDelta::hours(hours),
            unreached: 0,
            jitter: 0.5,
        };
        next(&config, &tried)
    }

    #[test]
    fn what_is_refused_for_now_is_tried_again_later_and_later_and_not_for_ever() {
        let greylisted = || Err(MailFailure::Later("450 later".to_owned()));
        for (attempts, state, seconds) in [(0, "queued", 1), (1, "queued", 2), (2, "failed", 4)] {
            let next = after(greylisted(), attempts, 0, 0);
            assert_eq!(
                (next.state, next.attempts, next.after),
                (state, 1, Duration::from_secs(seconds)),
            );
        }
    }

    #[test]
    fn what_is_refused_for_good_has_failed_at_once() {
        let next = after(Err(MailFailure::Refused("550 no such user".to_owned())), 0, 0, 0);
        assert_eq!(
            (next.state, next.error.as_deref()),
            ("failed", Some("550 no such user"))
        );
    }

    #[test]
    fn a_server_that_is_away_costs_the_mail_nothing_for_a_day() {
        let away = || Err(MailFailure::NotReached("no connection".to_owned()));
        let next = after(away(), 2, 1, 23);
        assert_eq!((next.state, next.attempts, next.doubts), ("queued", 0, 0));
        assert_eq!(after(away(), 0, 0, 24).state, "failed");
    }

    #[test]
    fn a_mail_that_may_be_there_is_sent_once_more_and_no_more() {
        let silent = || Err(MailFailure::Unknown("no answer in time".to_owned()));
        assert_eq!(
            (after(silent(), 2, 0, 0).state, after(silent(), 0, 0, 0).doubts),
            ("queued", 1)
        );
        assert_eq!(after(silent(), 0, 1, 0).state, "failed");
    }

    #[test]
    fn nobody_rests_longer_than_a_minute() {
        let config = MailConfig::default();
        let rests: Vec<u64> = (0..6).map(|times| rest(&config, times, 0.5).as_secs()).collect();
        assert_eq!(rests, [5, 10, 20, 40, 60, 60]);
    }
}
