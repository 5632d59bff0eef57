//! When advertising may go out, by the clock of whoever gets it. No I/O here.
//!
//! Where a person is follows from what they said, else from their number's country, else from the tenant's own zone. A
//! country with several zones counts as all of them: it has to be a decent time in each.

mod zones;

use chrono::{
    DateTime, Datelike, Days, LocalResult, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc, Weekday,
};
use chrono_tz::Tz;

use crate::terms::Terms;

/// How far ahead a time is looked for. Zones on opposite sides of the world may have none in common.
const DAYS: u64 = 9;

/// When nothing goes out: from one time of the day to another one, over midnight where the second is the earlier, and whole
/// days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Quiet {
    from: NaiveTime,
    to: NaiveTime,
    days: Vec<Weekday>,
}

impl Quiet {
    /// None where nothing would ever go out. The same time twice is no time of the day: only the days are quiet.
    pub(crate) fn new(from: NaiveTime, to: NaiveTime, days: Vec<Weekday>) -> Option<Self> {
        let all = (0..7).all(|day| days.iter().any(|quiet| quiet.num_days_from_monday() == day));
        (!all).then_some(Self { from, to, days })
    }

    /// Whether it is quiet where the clock shows this.
    fn is_quiet(&self, date: NaiveDate, time: NaiveTime) -> bool {
        let in_hours = if self.from <= self.to {
            self.from <= time && time < self.to
        } else {
            self.from <= time || time < self.to
        };
        in_hours || self.days.contains(&date.weekday())
    }

    /// Whether it is quiet in a zone.
    fn is_quiet_in(&self, zone: Tz, at: DateTime<Utc>) -> bool {
        let local = at.with_timezone(&zone).naive_local();
        self.is_quiet(local.date(), local.time())
    }

    /// The next time, from this one on, at which it is not quiet in a zone.
    fn over_in(&self, zone: Tz, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if !self.is_quiet_in(zone, now) {
            return Some(now);
        }
        // It ends at the end of the quiet hours, or at midnight after a quiet day.
        let today = now.with_timezone(&zone).date_naive();
        let ends = |ahead| {
            let date = today.checked_add_days(Days::new(ahead))?;
            Some([(date, NaiveTime::MIN), (date, self.to)])
        };
        (0..=DAYS)
            .filter_map(ends)
            .flatten()
            .filter_map(|(date, time)| instant(zone, date, time))
            .find(|at| *at > now && !self.is_quiet_in(zone, *at))
    }
}

/// When the clock of a zone shows this: the first time where it does so twice, and the moment after the gap where it does
/// not do so at all.
fn instant(zone: Tz, date: NaiveDate, time: NaiveTime) -> Option<DateTime<Utc>> {
    let at = date.and_time(time);
    // No zone has ever left out more than a day, and few more than an hour.
    (0..=24 * 4).find_map(|quarters| {
        let shown = zone.from_local_datetime(&at.checked_add_signed(TimeDelta::minutes(15 * quarters))?);
        match shown {
            LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => Some(at.to_utc()),
            LocalResult::None => None,
        }
    })
}

/// The next time, from `now` on, at which it is quiet in none of the zones. None when there is no such time for more than a
/// week.
fn over_in_all(quiet: &Quiet, zones: &[Tz], now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let last = now + TimeDelta::days(DAYS as i64);
    let mut at = now;
    while at <= last {
        let next = zones
            .iter()
            .map(|zone| quiet.over_in(*zone, at))
            .try_fold(at, |latest, over| Some(latest.max(over?)))?;
        if next == at {
            return Some(at);
        }
        at = next;
    }
    None
}

/// Until when a message of advertising has to wait; none when it may go out now. `zone` is what whoever asked for it said of
/// the place: an IANA name, or a country's two letters.
pub(crate) fn wait(
    terms: &Terms,
    zone: Option<&str>,
    address: &str,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let quiet = terms.quiet.as_ref()?;
    let zones = places(terms, zone, address);
    // Where the zones of a country never agree, one of them has to do.
    let over = over_in_all(quiet, &zones, now).or_else(|| quiet.over_in(*zones.first()?, now))?;
    (over > now).then_some(over)
}

/// The zones that a recipient may be in.
fn places(terms: &Terms, zone: Option<&str>, address: &str) -> Vec<Tz> {
    let named = zone.map(|zone| match zone.parse() {
        Ok(zone) => vec![zone],
        Err(_) => zones::of_country(zone),
    });
    named
        .filter(|zones| !zones.is_empty())
        .or_else(|| Some(zones::of_number(address)).filter(|zones| !zones.is_empty()))
        .unwrap_or_else(|| vec![terms.zone.unwrap_or(Tz::UTC)])
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn quiet(from: &str, to: &str, days: &[Weekday]) -> Quiet {
        let time = |text| NaiveTime::parse_from_str(text, "%H:%M").unwrap();
        Quiet::new(time(from), time(to), days.to_vec()).unwrap()
    }

    #[test]
    fn every_edge_of_the_clock_is_kept_to() {
        let vectors: Value =
            serde_json::from_str(include_str!("../../../testdata/vectors/windows.json")).unwrap();
        let rows = vectors["waits"].as_array().unwrap();
        assert!(rows.len() >= 20);
        for row in rows {
            let terms = Terms::parse(&format!("{{\"quiet_hours\": {}}}", row["quiet_hours"]));
            let time = |name: &str| {
                row[name]
                    .as_str()
                    .map(|text| text.parse::<DateTime<Utc>>().unwrap())
            };
            let address = row["address"].as_str().unwrap_or("+8835100000000");
            let found = wait(&terms, row["zone"].as_str(), address, time("now").unwrap());
            assert_eq!(found, time("until"), "{}", row["why"]);
        }
    }

    #[test]
    fn a_week_without_a_decent_hour_is_no_rule() {
        let every = [0, 1, 2, 3, 4, 5, 6].map(|day: u8| Weekday::try_from(day).unwrap());
        let time = NaiveTime::MIN;
        assert_eq!(Quiet::new(time, time, every.to_vec()), None);
    }

    #[test]
    fn every_country_and_every_calling_code_has_zones_that_exist() {
        zones::check();
    }

    proptest::proptest! {
        /// Whatever the zones, the hours and the day: what is found is not quiet, it is not earlier than asked for, and a
        /// quarter of an hour before it was quiet somewhere, unless it is now.
        #[test]
        fn the_time_that_is_found_is_the_first_decent_one(
            seconds in 1_600_000_000_i64..1_900_000_000,
            from in 0_u32..24, to in 0_u32..24, day in proptest::option::of(0_u8..7),
            picked in proptest::collection::vec(0_usize..chrono_tz::TZ_VARIANTS.len(), 1..4),
        ) {
            let now = DateTime::from_timestamp(seconds / 900 * 900, 0).unwrap();
            let days = day.map(|day| Weekday::try_from(day).unwrap());
            let hour = |hour| NaiveTime::from_hms_opt(hour, 0, 0).unwrap();
            let quiet = Quiet::new(hour(from), hour(to), days.into_iter().collect()).unwrap();
            let zones: Vec<Tz> = picked.into_iter().map(|at| chrono_tz::TZ_VARIANTS[at]).collect();
            let is_quiet = |at: DateTime<Utc>| zones.iter().any(|zone| quiet.is_quiet_in(*zone, at));
            if let Some(found) = over_in_all(&quiet, &zones, now) {
                proptest::prop_assert!(found >= now && !is_quiet(found));
                proptest::prop_assert!(found == now || is_quiet(found - TimeDelta::minutes(15)));
            } else {
                let mut at = now;
                while at < now + TimeDelta::days(7) {
                    proptest::prop_assert!(is_quiet(at), "{at} would have done");
                    at += TimeDelta::minutes(15);
                }
            }
        }
    }

    #[test]
    fn no_quiet_hours_are_no_wait() {
        assert_eq!(
            wait(&Terms::default(), None, "+4915117404120", DateTime::UNIX_EPOCH),
            None
        );
        let terms = Terms {
            quiet: Some(quiet("21:00", "08:00", &[])),
            ..Terms::default()
        };
        assert!(wait(&terms, None, "+4915117404120", DateTime::UNIX_EPOCH).is_some());
    }
}
