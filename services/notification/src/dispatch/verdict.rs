//! What an answer of the provider means for a message and its sender. No I/O here.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::NotificationConfig;
use crate::config::milliseconds;
use crate::providers::{ErrorClass, SendFailure};

/// What becomes of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The provider has it.
    Accepted(String),
    /// It is tried again then.
    Later {
        due: DateTime<Utc>,
        /// Whether this counts towards the most that a message is tried.
        counts: bool,
        code: String,
        text: String,
    },
    /// The provider may have it; a receipt or that time will tell.
    Unknown(DateTime<Utc>),
    /// It will not be taken.
    Failed { code: String, text: String },
}

impl Verdict {
    /// Its name in figures.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Accepted(_) => "accepted",
            Self::Later { .. } => "later",
            Self::Unknown(_) => "unknown",
            Self::Failed { .. } => "failed",
        }
    }
}

/// What follows besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing.
    None,
    /// The sender sends slower for a while.
    SlowDown,
    /// The sender's provider cannot be reached: it rests for a while.
    Rest,
    /// The sender stops until somebody looks at it.
    Stop(Stop),
    /// The provider says that there is nobody at the address.
    Unreachable,
    /// The recipient told the provider that they want no advertising.
    OptedOut,
}

/// With what a sender is stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stop {
    /// `paused` or `needs_auth`.
    pub(super) status: &'static str,
    pub(super) class: ErrorClass,
    /// The provider's code.
    pub(super) code: String,
    /// For people.
    pub(super) reason: String,
}

/// One answer to one message.
pub(super) struct Answer<'a> {
    pub(super) result: &'a Result<String, SendFailure>,
    /// The how manieth try this was, from 1.
    pub(super) attempt: u32,
    /// Whether the try before this one met the same code.
    pub(super) again: bool,
    /// When the answer came.
    pub(super) now: DateTime<Utc>,
    /// Between 0 and 1, to spread what is tried again.
    pub(super) jitter: f64,
}

/// The decision.
pub(super) fn judge(config: &NotificationConfig, answer: &Answer<'_>) -> (Verdict, Effect) {
    match answer.result {
        Ok(provider_id) => (Verdict::Accepted(provider_id.clone()), Effect::None),
        Err(SendFailure::Unknown(_)) => (Verdict::Unknown(answer.now + config.unknown_wait()), Effect::None),
        Err(SendFailure::NotSent(text)) => {
            let due = answer.now + doubled(config, answer, answer.attempt.min(4));
            (Verdict::uncounted(due, "NOT_CONNECTED", text), Effect::Rest)
        }
        Err(SendFailure::NotTried) => {
            let text = "the claim on it had run out";
            (Verdict::uncounted(answer.now, "NOT_TRIED", text), Effect::None)
        }
        Err(SendFailure::Refused { class, code, text }) => {
            let effect = effect(*class, code, text);
            (refused(config, answer, *class, (code, text)), effect)
        }
    }
}

impl Verdict {
    /// It is tried again then, and that it was not taken is not held against it.
    pub(super) fn uncounted(due: DateTime<Utc>, code: &str, text: &str) -> Self {
        Self::Later {
            due,
            counts: false,
            code: code.to_owned(),
            text: text.to_owned(),
        }
    }
}

fn effect(class: ErrorClass, code: &str, text: &str) -> Effect {
    match class {
        ErrorClass::Throttled => Effect::SlowDown,
        ErrorClass::Unreachable => Effect::Unreachable,
        ErrorClass::OptedOut => Effect::OptedOut,
        ErrorClass::StopSender
        | ErrorClass::Credentials
        | ErrorClass::Backoff
        | ErrorClass::Pair
        | ErrorClass::Pacing
        | ErrorClass::Template { .. }
        | ErrorClass::WindowClosed
        | ErrorClass::Final => class.stops_sender().map_or(Effect::None, |status| {
            Effect::Stop(Stop {
                status,
                class,
                code: code.to_owned(),
                reason: format!("{code}: {text}"),
            })
        }),
    }
}

fn refused(
    config: &NotificationConfig,
    answer: &Answer<'_>,
    class: ErrorClass,
    (code, text): (&str, &str),
) -> Verdict {
    let failed = || Verdict::Failed {
        code: code.to_owned(),
        text: text.to_owned(),
    };
    let later = |wait: TimeDelta| Verdict::Later {
        due: answer.now + wait,
        counts: true,
        code: code.to_owned(),
        text: text.to_owned(),
    };
    match class {
        ErrorClass::Final
        | ErrorClass::Template { .. }
        | ErrorClass::Unreachable
        | ErrorClass::OptedOut
        | ErrorClass::WindowClosed => failed(),
        // What waits for a sender waits as long as it takes: the message did nothing wrong.
        ErrorClass::StopSender | ErrorClass::Credentials => Verdict::uncounted(answer.now, code, text),
        ErrorClass::Backoff | ErrorClass::Throttled | ErrorClass::Pair
            if answer.attempt >= config.attempts =>
        {
            failed()
        }
        ErrorClass::Backoff | ErrorClass::Throttled => {
            later(TimeDelta::from_std(doubled(config, answer, answer.attempt - 1)).unwrap_or_default())
        }
        // Meta's rule for a recipient: 4^n seconds, n from 0.
        ErrorClass::Pair => {
            let times = answer.attempt.saturating_sub(1).min(10);
            later(TimeDelta::seconds(4_i64.saturating_pow(times)))
        }
        // Once, when a day is over and an hour more.
        ErrorClass::Pacing if answer.again => failed(),
        ErrorClass::Pacing => later(TimeDelta::hours(25)),
    }
}

/// The first delay doubled so many times, ±20 %, an hour at the most.
fn doubled(config: &NotificationConfig, answer: &Answer<'_>, times: u32) -> Duration {
    let base = config
        .retry_milliseconds
        .saturating_mul(1_u64 << times.min(20))
        .min(3_600_000);
    let spread = base as f64 * (0.8 + 0.4 * answer.jitter);
    milliseconds(spread as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(result: Result<String, SendFailure>, attempt: u32) -> (Verdict, Effect) {
        judged_after(false, result, attempt)
    }

    fn judged_after(again: bool, result: Result<String, SendFailure>, attempt: u32) -> (Verdict, Effect) {
        let config = NotificationConfig {
            retry_milliseconds: 1_000,
            attempts: 3,
            ..Default::default()
        };
        judge(
            &config,
            &Answer {
                result: &result,
                attempt,
                again,
                now: DateTime::UNIX_EPOCH,
                jitter: 0.5,
            },
        )
    }

    fn refusal(class: ErrorClass) -> Result<String, SendFailure> {
        Err(SendFailure::Refused {
            class,
            code: "1".to_owned(),
            text: "no".to_owned(),
        })
    }

    #[test]
    fn what_may_pass_is_tried_again_later_and_later_and_not_for_ever() {
        for (attempt, seconds) in [(1, 1), (2, 2)] {
            let (verdict, _) = judged(refusal(ErrorClass::Backoff), attempt);
            let expected = DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds);
            assert!(
                matches!(verdict, Verdict::Later { due, counts: true, .. } if due == expected),
                "{verdict:?}"
            );
        }
        assert!(matches!(
            judged(refusal(ErrorClass::Backoff), 3).0,
            Verdict::Failed { .. }
        ));
    }

    #[test]
    fn silence_is_unknown_and_never_a_plain_retry() {
        let (verdict, _) = judged(Err(SendFailure::Unknown("no answer in time".to_owned())), 1);
        assert_eq!(
            verdict,
            Verdict::Unknown(DateTime::UNIX_EPOCH + TimeDelta::seconds(60))
        );
    }

    #[test]
    fn a_request_that_never_left_costs_the_message_nothing() {
        let (verdict, effect) = judged(Err(SendFailure::NotSent("no connection".to_owned())), 99);
        assert!(
            matches!(verdict, Verdict::Later { counts: false, .. }),
            "{verdict:?}"
        );
        assert_eq!(effect, Effect::Rest, "or the whole queue would bounce");
    }

    #[test]
    fn lost_credentials_stop_the_sender_and_keep_the_message() {
        let (verdict, effect) = judged(refusal(ErrorClass::Credentials), 99);
        assert!(matches!(verdict, Verdict::Later { counts: false, .. }));
        let Effect::Stop(stop) = effect else {
            panic!("{effect:?}")
        };
        assert_eq!((stop.status, stop.reason.as_str()), ("needs_auth", "1: no"));
    }

    #[test]
    fn whom_the_provider_spares_gets_it_a_day_later_and_only_once() {
        let (verdict, effect) = judged(refusal(ErrorClass::Pacing), 2);
        let expected = DateTime::UNIX_EPOCH + TimeDelta::hours(25);
        assert!(
            matches!(verdict, Verdict::Later { due, .. } if due == expected),
            "{verdict:?}"
        );
        assert_eq!(effect, Effect::None);
        let (verdict, _) = judged_after(true, refusal(ErrorClass::Pacing), 3);
        assert!(matches!(verdict, Verdict::Failed { .. }), "{verdict:?}");
    }

    #[test]
    fn what_is_about_the_recipient_fails_at_once_and_is_remembered() {
        for (class, expected) in [
            (ErrorClass::Unreachable, Effect::Unreachable),
            (ErrorClass::OptedOut, Effect::OptedOut),
            (ErrorClass::WindowClosed, Effect::None),
            (ErrorClass::Template { stop: true }, Effect::None),
        ] {
            let (verdict, effect) = judged(refusal(class), 1);
            assert!(matches!(verdict, Verdict::Failed { .. }), "{class:?}");
            assert_eq!(effect, expected);
        }
    }

    #[test]
    fn a_complaint_about_the_rate_slows_the_sender() {
        assert_eq!(judged(refusal(ErrorClass::Throttled), 1).1, Effect::SlowDown);
    }
}
