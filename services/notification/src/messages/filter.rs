//! Which messages somebody wants to see. No I/O here.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::State;

/// How far back messages are looked for of which nothing but the number, or the channel, is known.
const LATELY: TimeDelta = TimeDelta::days(30);

/// Which messages somebody wants to see.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    pub(crate) source: Option<String>,
    pub(crate) state: Option<State>,
    /// In any of its spellings.
    pub(crate) address: Option<String>,
    pub(crate) error_code: Option<String>,
    pub(crate) channel: Option<String>,
    /// Among these.
    pub(crate) among: Option<Vec<Uuid>>,
    /// Asked for not before, and before.
    pub(crate) from: Option<DateTime<Utc>>,
    pub(crate) to: Option<DateTime<Utc>>,
    /// Older than this one.
    pub(crate) after: Option<Uuid>,
    /// How many to pass over.
    pub(crate) skip: i64,
}

impl Filter {
    /// Leads to those of the last days where no index leads to what is asked for: messages to one number, or on one channel,
    /// are looked for among all of a time.
    pub(crate) fn lately(self, now: DateTime<Utc>) -> Self {
        let is_sought = self.address.is_some() || (self.channel.is_some() && self.error_code.is_none());
        let is_narrow = self.source.is_some() || self.among.is_some();
        let recently = (is_sought && !is_narrow).then(|| now - LATELY);
        Self {
            from: self.from.or(recently),
            ..self
        }
    }

    /// The ids between which the messages are: the first is one of them. Ids are made when a message is asked for, and
    /// begin with that time (UUIDv7, RFC 9562 §5.7).
    pub(super) fn range(&self) -> (Uuid, Uuid) {
        let until = self.to.map_or(Uuid::max(), first_of);
        let from = self.from.map_or(Uuid::nil(), first_of);
        (from, self.after.unwrap_or(Uuid::max()).min(until))
    }
}

/// The lowest id that can be made at a time.
fn first_of(at: DateTime<Utc>) -> Uuid {
    let milliseconds = u128::try_from(at.timestamp_millis()).unwrap_or_default();
    Uuid::from_u128(milliseconds.min((1 << 48) - 1) << 80)
}

#[cfg(test)]
mod tests {
    use plaza_contracts::ids::MessageId;
    use plaza_kernel::Clock;

    use super::*;

    #[test]
    fn the_ids_of_a_time_are_between_those_of_the_times_around_it() {
        let clock = Clock::system();
        let before = clock.now();
        let id = MessageId::generate(&clock).as_uuid();
        let after = clock.now() + chrono::TimeDelta::milliseconds(1);
        assert!(first_of(before) <= id && id < first_of(after));
        assert_eq!(first_of(DateTime::<Utc>::MIN_UTC), Uuid::nil());
    }

    #[test]
    fn a_cursor_and_a_time_give_the_narrower_range() {
        let at = DateTime::from_timestamp(1_700_000_000, 0);
        let filter = |to, after| Filter {
            to,
            after,
            ..Filter::default()
        };
        let low = Uuid::from_u128(7);
        assert_eq!(filter(None, None).range(), (Uuid::nil(), Uuid::max()));
        assert_eq!(filter(at, None).range().1, first_of(at.unwrap()));
        assert_eq!(filter(at, Some(low)).range().1, low);
        assert_eq!(filter(at, Some(Uuid::max())).range().1, first_of(at.unwrap()));
    }

    #[test]
    fn what_no_index_leads_to_is_looked_for_among_the_last_days() {
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let (lately, long_ago) = (Some(now - LATELY), Some(DateTime::UNIX_EPOCH));
        let sought = Filter {
            address: Some("+4915117404120".to_owned()),
            ..Filter::default()
        };
        let on_channel = Filter {
            channel: Some("sms".to_owned()),
            ..Filter::default()
        };
        assert_eq!(sought.clone().lately(now).from, lately);
        assert_eq!(on_channel.clone().lately(now).from, lately);
        assert_eq!(Filter::default().lately(now).from, None);
        for narrow in [
            Filter {
                source: Some("campaign:1".to_owned()),
                ..on_channel
            },
            Filter {
                among: Some(vec![Uuid::nil()]),
                ..sought.clone()
            },
        ] {
            assert_eq!(narrow.lately(now).from, None);
        }
        let told = Filter {
            from: long_ago,
            ..sought
        };
        assert_eq!(told.lately(now).from, long_ago, "who names a time means it");
    }
}
