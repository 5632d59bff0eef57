//! `messaging`: when, how much and how fast a tenant's messages go to people. Notification keeps to it.

use std::collections::BTreeSet;

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Checks;

/// The longest list of words of one kind.
const WORDS: usize = 50;
/// The longest word.
const LETTERS: usize = 40;

/// When, how much and how fast messages go out. What is left out is not limited, or as the platform has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Messaging {
    /// When no marketing goes out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) quiet_hours: Option<QuietHours>,
    /// How often marketing goes to one person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) frequency_cap: Option<FrequencyCap>,
    /// Messages a second over all senders, 1 to 10000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 10000)]
    pub(crate) messages_per_second: Option<u32>,
    /// Words by which people say that they want no more messages, besides those that Plaza knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) opt_out: Option<OptOut>,
    /// When a campaign that fails too often is held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) breaker: Option<Breaker>,
}

/// The time of a day in which no marketing goes out, where the recipient is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct QuietHours {
    /// From then on: `HH:MM`.
    #[schema(example = "21:00")]
    pub(crate) from: String,
    /// Until then, on the next day if that is earlier: `HH:MM`. The same time as `from` leaves only whole days quiet.
    #[schema(example = "08:00")]
    pub(crate) to: String,
    /// The time zone of people of whom no other is known: a name of the IANA database; Greenwich's unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "Europe/Berlin")]
    pub(crate) zone: Option<String>,
    /// Days that are quiet as a whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) days: Vec<Day>,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// How often marketing goes to one person at the most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FrequencyCap {
    /// In 24 hours, 1 to 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 100)]
    pub(crate) per_day: Option<u32>,
    /// In seven days, 1 to 100; not less than in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 100)]
    pub(crate) per_week: Option<u32>,
}

/// Words of people, each of 1 to 40 characters and at most 50 of a kind. They are compared without case and punctuation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OptOut {
    /// No more messages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) stop: Vec<String>,
    /// Messages again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) start: Vec<String>,
    /// What is this?
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) help: Vec<String>,
    /// What is answered, once, to who wants no more messages: 1 to 1000 printable characters in one line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) confirmation: Option<String>,
}

/// When a campaign is held because too much of it fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Breaker {
    /// How many of the latest answers are looked at, 10 to 10000.
    #[schema(minimum = 10, maximum = 10000)]
    pub(crate) window: u32,
    /// How many of them have to be failures of one kind, 1 to the window.
    #[schema(minimum = 1, maximum = 10000)]
    pub(crate) failures: u32,
    /// And what share of them, in percent, 1 to 100.
    #[schema(minimum = 1, maximum = 100)]
    pub(crate) share: u32,
}

impl Messaging {
    pub(super) fn check(&self, checks: &mut Checks) {
        if let Some(hours) = &self.quiet_hours {
            hours.check(checks);
        }
        if let Some(cap) = &self.frequency_cap {
            cap.check(checks);
        }
        if let Some(rate) = self.messages_per_second {
            checks.number(rate, (1, 10_000), "/messages_per_second");
        }
        if let Some(words) = &self.opt_out {
            words.check(checks);
        }
        if let Some(breaker) = &self.breaker {
            breaker.check(checks);
        }
    }
}

impl QuietHours {
    fn check(&self, checks: &mut Checks) {
        for (time, pointer) in [(&self.from, "/quiet_hours/from"), (&self.to, "/quiet_hours/to")] {
            checks.that(is_time(time), pointer, "INVALID_TIME", "a time of day, `HH:MM`");
        }
        let known = self.zone.as_ref().is_none_or(|zone| zone.parse::<Tz>().is_ok());
        checks.that(
            known,
            "/quiet_hours/zone",
            "INVALID_ZONE",
            "a time zone's name: `Europe/Berlin`",
        );
        let days: BTreeSet<Day> = self.days.iter().copied().collect();
        let some_left = days.len() == self.days.len() && days.len() < 7;
        let wanted = "each day once, and not all seven: nothing would ever go out";
        checks.that(some_left, "/quiet_hours/days", "INVALID_DAYS", wanted);
    }
}

fn is_time(text: &str) -> bool {
    let two_digits = |text: &str, below: u8| {
        let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        digits && text.parse::<u8>().is_ok_and(|number| number < below)
    };
    let parts = text.split_once(':');
    parts.is_some_and(|(hour, minute)| two_digits(hour, 24) && two_digits(minute, 60))
}

impl FrequencyCap {
    fn check(&self, checks: &mut Checks) {
        let all = [
            (self.per_day, "/frequency_cap/per_day"),
            (self.per_week, "/frequency_cap/per_week"),
        ];
        for (cap, pointer) in all {
            if let Some(cap) = cap {
                checks.number(cap, (1, 100), pointer);
            }
        }
        let ordered = self
            .per_day
            .zip(self.per_week)
            .is_none_or(|(day, week)| day <= week);
        let wanted = "not less than in one day";
        checks.that(ordered, "/frequency_cap/per_week", "OUT_OF_RANGE", wanted);
    }
}

impl OptOut {
    fn check(&self, checks: &mut Checks) {
        for (words, kind) in [(&self.stop, "stop"), (&self.start, "start"), (&self.help, "help")] {
            let pointer = format!("/opt_out/{kind}");
            let wanted = format!("at most {WORDS} words");
            checks.that(words.len() <= WORDS, &pointer, "TOO_MANY", &wanted);
            for (at, word) in words.iter().enumerate().take(WORDS) {
                checks.line(word, LETTERS, &format!("{pointer}/{at}"));
            }
        }
        if let Some(text) = &self.confirmation {
            checks.line(text, 1_000, "/opt_out/confirmation");
        }
    }
}

impl Breaker {
    fn check(&self, checks: &mut Checks) {
        checks.number(self.window, (10, 10_000), "/breaker/window");
        let most = self.window.clamp(1, 10_000);
        checks.number(self.failures, (1, most), "/breaker/failures");
        checks.number(self.share, (1, 100), "/breaker/share");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn problems(document: Value) -> Vec<String> {
        let messaging: Messaging = serde_json::from_value(document).unwrap();
        let mut checks = Checks::default();
        messaging.check(&mut checks);
        checks.found().into_iter().map(|field| field.pointer).collect()
    }

    #[test]
    fn a_whole_document_is_kept_as_it_was_said() {
        let document = json!({
            "quiet_hours": {"from": "21:00", "to": "08:00", "zone": "Asia/Kathmandu", "days": ["sun"]},
            "frequency_cap": {"per_day": 1, "per_week": 3},
            "messages_per_second": 80,
            "opt_out": {"stop": ["baja"], "start": ["alta"], "help": ["ayuda"], "confirmation": "Listo."},
            "breaker": {"window": 200, "failures": 20, "share": 25},
        });
        assert_eq!(problems(document.clone()), Vec::<String>::new());
        let messaging: Messaging = serde_json::from_value(document.clone()).unwrap();
        assert_eq!(serde_json::to_value(messaging).unwrap(), document);
        assert_eq!(serde_json::to_value(Messaging::default()).unwrap(), json!({}));
    }

    #[test]
    fn every_wrong_value_is_told_with_its_place() {
        let found = problems(json!({
            "quiet_hours": {"from": "24:00", "to": "8:00", "zone": "Mars/Olympus", "days": ["sun", "sun"]},
            "frequency_cap": {"per_day": 9, "per_week": 3},
            "messages_per_second": 0,
            "opt_out": {"stop": ["", "a\nb"], "help": ["x".repeat(41)], "confirmation": " "},
            "breaker": {"window": 100, "failures": 101, "share": 0},
        }));
        assert_eq!(
            found,
            [
                "/quiet_hours/from",
                "/quiet_hours/to",
                "/quiet_hours/zone",
                "/quiet_hours/days",
                "/frequency_cap/per_week",
                "/messages_per_second",
                "/opt_out/stop/0",
                "/opt_out/stop/1",
                "/opt_out/help/0",
                "/opt_out/confirmation",
                "/breaker/failures",
                "/breaker/share",
            ]
        );
        let all_days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
        let never = json!({"quiet_hours": {"from": "21:00", "to": "08:00", "days": all_days}});
        assert_eq!(problems(never), ["/quiet_hours/days"]);
        let days_only = json!({"quiet_hours": {"from": "00:00", "to": "00:00", "days": ["sat", "sun"]}});
        assert_eq!(problems(days_only), Vec::<String>::new());
        let many = json!({"opt_out": {"start": vec!["go"; 51]}});
        assert_eq!(problems(many), ["/opt_out/start"]);
    }
}
