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

/// What becomes of the sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing.
    None,
    /// It sends slower for a while.
    SlowDown,
    /// Its provider cannot be reached: it rests for a while.
    Rest,
    /// It stops until somebody looks at it: `paused` or `needs_auth`, and why.
    Stop { status: &'static str, reason: String },
}

/// One answer to one message.
pub(super) struct Answer<'a> {
    pub(super) result: &'a Result<String, SendFailure>,
    /// The how manieth try this was, from 1.
    pub(super) attempt: u32,
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
            let code = "NOT_CONNECTED".to_owned();
            (
                Verdict::Later {
                    due,
                    counts: false,
                    code,
                    text: text.clone(),
                },
                Effect::Rest,
            )
        }
        Err(SendFailure::NotTried) => {
            let (code, text) = ("NOT_TRIED".to_owned(), "the claim on it had run out".to_owned());
            (
                Verdict::Later {
                    due: answer.now,
                    counts: false,
                    code,
                    text,
                },
                Effect::None,
            )
        }
        Err(SendFailure::Refused { class, code, text }) => refused(config, answer, *class, code, text),
    }
}

fn refused(
    config: &NotificationConfig,
    answer: &Answer<'_>,
    class: ErrorClass,
    code: &str,
    text: &str,
) -> (Verdict, Effect) {
    let (code, text) = (code.to_owned(), text.to_owned());
    let stop = |status| Effect::Stop {
        status,
        reason: format!("{code}: {text}"),
    };
    match class {
        ErrorClass::Final => (Verdict::Failed { code, text }, Effect::None),
        // What waits for a sender waits as long as it takes: the message did nothing wrong.
        ErrorClass::StopSender => {
            let effect = stop("paused");
            (
                Verdict::Later {
                    due: answer.now,
                    counts: false,
                    code,
                    text,
                },
                effect,
            )
        }
        ErrorClass::Credentials => {
            let effect = stop("needs_auth");
            (
                Verdict::Later {
                    due: answer.now,
                    counts: false,
                    code,
                    text,
                },
                effect,
            )
        }
        ErrorClass::Backoff | ErrorClass::Throttled | ErrorClass::Pair
            if answer.attempt >= config.attempts =>
        {
            (Verdict::Failed { code, text }, Effect::None)
        }
        ErrorClass::Backoff => {
            let due = answer.now + doubled(config, answer, answer.attempt - 1);
            (
                Verdict::Later {
                    due,
                    counts: true,
                    code,
                    text,
                },
                Effect::None,
            )
        }
        ErrorClass::Throttled => {
            let due = answer.now + doubled(config, answer, answer.attempt - 1);
            (
                Verdict::Later {
                    due,
                    counts: true,
                    code,
                    text,
                },
                Effect::SlowDown,
            )
        }
        ErrorClass::Pair => {
            // Meta's rule for a recipient: 4^n seconds, n from 0.
            let seconds = 4_i64.saturating_pow(answer.attempt.saturating_sub(1).min(10));
            let due = answer.now + TimeDelta::seconds(seconds);
            (
                Verdict::Later {
                    due,
                    counts: true,
                    code,
                    text,
                },
                Effect::None,
            )
        }
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
        assert!(matches!(
            effect,
            Effect::Stop {
                status: "needs_auth",
                ..
            }
        ));
    }

    #[test]
    fn a_complaint_about_the_rate_slows_the_sender() {
        assert_eq!(judged(refusal(ErrorClass::Throttled), 1).1, Effect::SlowDown);
    }
}
