//! A tenant's own terms of sending, as it configured them. No I/O here.
//!
//! They come as the document of the namespace `messaging` of tenancy's configuration, which has checked it. What cannot be
//! read here is as if it were not set: a document that a later version wrote must not stop the sending.

pub(crate) mod consumers;
pub(crate) mod store;

use chrono::NaiveTime;
use chrono_tz::Tz;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::windows::Quiet;

/// A tenant's terms.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Terms {
    /// When no advertising goes out, by the clock of its recipient.
    pub(crate) quiet: Option<Quiet>,
    /// Where recipients are of whom nothing tells it.
    pub(crate) zone: Option<Tz>,
    /// How much advertising an address gets.
    pub(crate) cap: Cap,
    /// Messages a second of all senders together.
    pub(crate) messages_per_second: Option<u32>,
    /// Words that mean stop, start and help besides the usual ones, and what is answered to a stop.
    pub(crate) opt_out: OptOutWords,
    /// When a source is stopped for its failures.
    pub(crate) breaker: BreakerTerms,
}

/// How many messages of advertising an address gets, of all senders of a tenant together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Cap {
    /// In 24 hours.
    pub(crate) per_day: Option<i32>,
    /// In 7 days.
    pub(crate) per_week: Option<i32>,
}

impl Cap {
    /// Whether there is one.
    pub(crate) fn is_set(self) -> bool {
        self.per_day.is_some() || self.per_week.is_some()
    }
}

/// Words of a tenant's own languages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct OptOutWords {
    pub(crate) stop: Vec<String>,
    pub(crate) start: Vec<String>,
    pub(crate) help: Vec<String>,
    /// What somebody is answered who wrote stop. Nothing without it.
    pub(crate) confirmation: Option<String>,
}

/// When a source is stopped: of the last `window` answers at least `failures`, and at least this share, failed for one
/// sort of reason.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct BreakerTerms {
    pub(crate) window: usize,
    pub(crate) failures: usize,
    /// In percent.
    pub(crate) share: u32,
}

impl Default for BreakerTerms {
    fn default() -> Self {
        Self {
            window: 200,
            failures: 20,
            share: 25,
        }
    }
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Document {
    #[serde(deserialize_with = "or_none")]
    quiet_hours: Option<QuietHours>,
    #[serde(deserialize_with = "or_none")]
    frequency_cap: Option<FrequencyCap>,
    #[serde(deserialize_with = "or_none")]
    messages_per_second: Option<u32>,
    #[serde(deserialize_with = "or_none")]
    opt_out: Option<OptOutWords>,
    #[serde(deserialize_with = "or_none")]
    breaker: Option<BreakerTerms>,
}

#[derive(Deserialize)]
struct QuietHours {
    from: String,
    to: String,
    #[serde(default)]
    zone: Option<String>,
    /// Days of the week that are quiet as a whole.
    #[serde(default)]
    days: Vec<String>,
}

#[derive(Deserialize)]
struct FrequencyCap {
    #[serde(default)]
    per_day: Option<u16>,
    #[serde(default)]
    per_week: Option<u16>,
}

/// One part that cannot be read does not cost the others.
fn or_none<'de, D: Deserializer<'de>, T: for<'a> Deserialize<'a>>(from: D) -> Result<Option<T>, D::Error> {
    let value = Value::deserialize(from)?;
    Ok(serde_json::from_value(value).unwrap_or_default())
}

impl Terms {
    /// The terms that a document says.
    pub(crate) fn parse(document: &str) -> Self {
        let document: Document = serde_json::from_str(document).unwrap_or_default();
        let zone = document
            .quiet_hours
            .as_ref()
            .and_then(|quiet| quiet.zone.as_deref());
        let cap = document.frequency_cap.map(|cap| Cap {
            per_day: cap.per_day.map(i32::from),
            per_week: cap.per_week.map(i32::from),
        });
        Self {
            zone: zone.and_then(|zone| zone.parse().ok()),
            quiet: document.quiet_hours.and_then(|quiet| quiet.parse()),
            cap: cap.unwrap_or_default(),
            messages_per_second: document.messages_per_second.filter(|rate| *rate > 0),
            opt_out: document.opt_out.unwrap_or_default(),
            breaker: document.breaker.unwrap_or_default(),
        }
    }
}

impl QuietHours {
    fn parse(&self) -> Option<Quiet> {
        let time = |text: &str| NaiveTime::parse_from_str(text, "%H:%M").ok();
        let days = self.days.iter().filter_map(|day| day.parse().ok()).collect();
        Quiet::new(time(&self.from)?, time(&self.to)?, days)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_read_and_what_it_leaves_out_is_off() {
        let terms = Terms::parse(
            r#"{"quiet_hours": {"from": "21:00", "to": "08:00", "zone": "Europe/Berlin", "days": ["sun"]},
                "frequency_cap": {"per_day": 1, "per_week": 3}, "messages_per_second": 20,
                "opt_out": {"stop": ["abmelden"], "confirmation": "Done."},
                "breaker": {"window": 50, "failures": 5, "share": 10}}"#,
        );
        assert!(terms.quiet.is_some());
        assert_eq!(terms.zone, Some(Tz::Europe__Berlin));
        assert_eq!((terms.cap.per_day, terms.cap.per_week), (Some(1), Some(3)));
        assert_eq!(terms.messages_per_second, Some(20));
        assert_eq!(terms.opt_out.confirmation.as_deref(), Some("Done."));
        assert_eq!(terms.breaker.window, 50);
        assert_eq!(Terms::parse("{}"), Terms::default());
    }

    #[test]
    fn what_cannot_be_read_does_not_cost_the_rest() {
        for document in [
            "",
            "[]",
            "nonsense",
            r#"{"quiet_hours": 7}"#,
            r#"{"breaker": {"window": "x"}}"#,
        ] {
            assert_eq!(Terms::parse(document), Terms::default(), "{document}");
        }
        let terms =
            Terms::parse(r#"{"quiet_hours": {"from": "9 pm"}, "messages_per_second": 3, "later": {}}"#);
        assert_eq!((terms.quiet, terms.messages_per_second), (None, Some(3)));
    }
}
