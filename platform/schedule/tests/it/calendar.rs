//! When schedules fire, where the clock jumps and where it does not.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use plaza_schedule::{Calendar, NotASchedule};

/// The next firings after a moment, as UTC without the date where it is the moment's.
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
fn firings(pattern: &'static str, zone: Tz, after: &str, many: usize) -> Vec<String> {
    let calendar = Calendar::new(pattern, zone).unwrap();
    let mut moment: DateTime<Utc> = after.parse().unwrap();
    let mut found = Vec::new();
    for _ in 0..many {
        moment = calendar.next_after(moment).unwrap();
        found.push(moment.format("%m-%dT%H:%M:%S").to_string());
    }
    found
}

// Berlin puts the clock forward on 2027-03-28 from 02:00 to 03:00 (01:00 UTC), back on 2027-10-31 from 03:00 to 02:00
// (01:00 UTC).
const BERLIN: Tz = chrono_tz::Europe::Berlin;

#[test]
fn a_time_that_does_not_exist_fires_once_when_the_gap_is_over() {
    assert_eq!(
        firings("30 2 * * *", BERLIN, "2027-03-27T00:00:00Z", 4),
        [
            "03-27T01:30:00",
            "03-28T01:00:00",
            "03-29T00:30:00",
            "03-30T00:30:00"
        ]
    );
}

#[test]
fn several_times_that_do_not_exist_are_one_firing() {
    assert_eq!(
        firings("*/20 2,4 * * *", BERLIN, "2027-03-27T23:00:00Z", 5),
        [
            "03-28T01:00:00",
            "03-28T02:00:00",
            "03-28T02:20:00",
            "03-28T02:40:00",
            "03-29T00:00:00"
        ]
    );
}

#[test]
fn the_end_of_the_gap_and_a_time_in_it_are_one_firing() {
    assert_eq!(
        firings("0,30 2,3 * * *", BERLIN, "2027-03-27T23:00:00Z", 3),
        ["03-28T01:00:00", "03-28T01:30:00", "03-29T00:00:00"]
    );
}

#[test]
fn a_time_that_exists_twice_fires_the_first_time_only() {
    assert_eq!(
        firings("30 2 * * *", BERLIN, "2027-10-30T00:00:00Z", 3),
        ["10-30T00:30:00", "10-31T00:30:00", "11-01T01:30:00"]
    );
}

#[test]
fn of_named_hours_none_fires_twice() {
    // croner itself takes a list of hours for an interval, and would run 02:30 at 00:30 and at 01:30.
    assert_eq!(
        firings("30 2,14 * * *", BERLIN, "2027-10-31T00:00:00Z", 3),
        ["10-31T00:30:00", "10-31T13:30:00", "11-01T01:30:00"]
    );
    assert_eq!(
        firings("0 */2 * * *", BERLIN, "2027-10-30T22:30:00Z", 3),
        ["10-31T00:00:00", "10-31T03:00:00", "10-31T05:00:00"]
    );
}

#[test]
fn asked_in_the_second_passage_of_the_hour_nothing_of_the_first_comes_again() {
    assert_eq!(
        firings("* 2 * * *", BERLIN, "2027-10-31T01:10:00Z", 1),
        ["11-01T01:00:00"]
    );
}

#[test]
fn every_hour_means_every_hour_that_passes() {
    assert_eq!(
        firings("30 * * * *", BERLIN, "2027-03-27T23:45:00Z", 3),
        ["03-28T00:30:00", "03-28T01:30:00", "03-28T02:30:00"]
    );
    assert_eq!(
        firings("30 * * * *", BERLIN, "2027-10-30T23:45:00Z", 4),
        [
            "10-31T00:30:00",
            "10-31T01:30:00",
            "10-31T02:30:00",
            "10-31T03:30:00"
        ]
    );
    assert_eq!(
        firings("*/15 * * * *", BERLIN, "2027-10-31T00:40:00Z", 6),
        [
            "10-31T00:45:00",
            "10-31T01:00:00",
            "10-31T01:15:00",
            "10-31T01:30:00",
            "10-31T01:45:00",
            "10-31T02:00:00"
        ]
    );
}

#[test]
fn zones_that_jump_at_midnight_by_half_an_hour_or_by_a_day() {
    // Beirut: 2027-03-28 00:00 does not exist, the day begins at 01:00 (2027-03-27T22:00 UTC).
    assert_eq!(
        firings("0 0 * * *", chrono_tz::Asia::Beirut, "2027-03-26T23:00:00Z", 2),
        ["03-27T22:00:00", "03-28T21:00:00"]
    );
    // Lord Howe: 2027-10-03 02:00 becomes 02:30 (2027-10-02T15:30 UTC).
    assert_eq!(
        firings(
            "15 2 * * *",
            chrono_tz::Australia::Lord_Howe,
            "2027-10-02T00:00:00Z",
            2
        ),
        ["10-02T15:30:00", "10-03T15:15:00"]
    );
    // Apia had no 30th of December 2011: the day after the 29th began at 10:00 UTC of the 30th.
    assert_eq!(
        firings("0 12 * * *", chrono_tz::Pacific::Apia, "2011-12-29T00:00:00Z", 3),
        ["12-29T22:00:00", "12-30T10:00:00", "12-30T22:00:00"]
    );
}

#[test]
fn a_year_of_days_has_as_many_firings_as_days_in_every_zone() {
    let (begin, end): (DateTime<Utc>, DateTime<Utc>) = (
        "2026-06-01T12:34:56Z".parse().unwrap(),
        "2027-06-01T12:34:56Z".parse().unwrap(),
    );
    for zone in chrono_tz::TZ_VARIANTS {
        for pattern in ["0 0 * * *", "30 1 * * *", "30 2 * * *", "30 23 * * *"] {
            let calendar = Calendar::new(pattern, zone).unwrap();
            let mut moment = begin;
            let mut count = 0;
            while let Some(next) = calendar.next_after(moment).filter(|next| *next <= end) {
                assert!(next > moment, "{zone} {pattern}");
                (moment, count) = (next, count + 1);
            }
            assert_eq!(count, 365, "{zone} {pattern}");
        }
    }
}

#[test]
fn seconds_days_and_names_are_understood() {
    let utc = Tz::UTC;
    assert_eq!(
        firings("*/20 * * * * *", utc, "2027-01-01T00:00:00.5Z", 3),
        ["01-01T00:00:20", "01-01T00:00:40", "01-01T00:01:00"]
    );
    assert_eq!(
        firings("0 9 * JAN MON#1", utc, "2027-01-01T00:00:00Z", 1),
        ["01-04T09:00:00"]
    );
    assert_eq!(
        firings("0 0 L * *", utc, "2027-02-01T00:00:00Z", 2),
        ["02-28T00:00:00", "03-31T00:00:00"]
    );
    assert_eq!(
        firings("0 0 13 * FRI", utc, "2027-01-01T00:00:00Z", 3),
        ["01-08T00:00:00", "01-13T00:00:00", "01-15T00:00:00"],
        "a day of month and a day of week: either"
    );
    assert_eq!(
        firings("@daily", utc, "2027-01-01T00:00:00Z", 1),
        ["01-02T00:00:00"]
    );
}

#[test]
fn what_is_no_pattern_is_refused() {
    for pattern in [
        "",
        "* * * *",
        "* * * * * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * * 13 *",
        "5-1 * * * *",
        "*/0 * * * *",
        "a * * * *",
        "@never",
        "0 0 * * MOON",
    ] {
        let refused = Calendar::new(pattern, Tz::UTC).unwrap_err();
        assert!(
            matches!(refused, NotASchedule::Pattern { .. }),
            "{pattern}: {refused}"
        );
        assert!(refused.to_string().contains(pattern));
    }
}

#[test]
fn a_pattern_whose_day_never_comes_is_refused() {
    assert_eq!(
        Calendar::new("0 0 31 2 *", Tz::UTC).unwrap_err(),
        NotASchedule::Never("0 0 31 2 *".to_owned())
    );
    assert!(Calendar::new("0 0 29 2 *", Tz::UTC).is_ok());
}
