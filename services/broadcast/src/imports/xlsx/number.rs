//! Numbers as a person would have written them: a workbook knows quantities and days, not telephone numbers.

use chrono::{Days, NaiveDate, NaiveDateTime, TimeDelta};

/// A quantity as digits. What was rounded stays as it is (`4.91517E+11`), and is known by that later.
///
/// Some programs write every large number with an exponent, and leave zeros at its end away; up to three of them come
/// back. Of one with more missing nobody knows whether they were zeros: a spreadsheet shows six digits of a telephone
/// number that is too wide for its column, and whoever saves what is shown has lost the others.
pub(super) fn plain(raw: &str) -> String {
    let raw = raw.trim();
    whole(raw).unwrap_or_else(|| raw.to_owned())
}

fn whole(raw: &str) -> Option<String> {
    let (mantissa, exponent) = raw.split_once(['E', 'e']).unwrap_or((raw, "0"));
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let after = after.trim_end_matches('0');
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if before.is_empty() || !are_digits(before) || !are_digits(after) {
        return None;
    }
    let exponent = usize::try_from(exponent.parse::<i32>().ok()?).ok()?;
    let missing = exponent
        .checked_sub(after.len())
        .filter(|missing| *missing <= 3)?;
    Some(format!("{sign}{before}{after}{}", "0".repeat(missing)))
}

/// A day, or a time, that is kept as a number of days: `2026-11-21`, `2026-11-21 09:30:00`, `09:30:00`.
pub(super) fn day(raw: &str, since_1904: bool) -> Option<String> {
    let days: f64 = raw.trim().parse().ok()?;
    // Up to the year 9999.
    if !(0.0..2_958_466.0).contains(&days) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "less than 2^42 seconds")]
    let seconds = (days * 86_400.0).round() as i64;
    let (day, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let time = NaiveDateTime::default() + TimeDelta::seconds(second);
    if day == 0 {
        return Some(time.format("%H:%M:%S").to_string());
    }
    let date = first_day(day, since_1904)?.checked_add_days(Days::new(u64::try_from(day).ok()?))?;
    let date = date.format("%Y-%m-%d");
    Some(match second {
        0 => date.to_string(),
        _ => format!("{date} {}", time.format("%H:%M:%S")),
    })
}

/// The day before day 1. Spreadsheets believe that there was a 29 February 1900, which was day 60.
fn first_day(day: i64, since_1904: bool) -> Option<NaiveDate> {
    match (since_1904, day) {
        (true, _) => NaiveDate::from_ymd_opt(1904, 1, 1),
        (false, ..60) => NaiveDate::from_ymd_opt(1899, 12, 31),
        (false, _) => NaiveDate::from_ymd_opt(1899, 12, 30),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantity_becomes_the_digits_it_came_from() {
        for (raw, expected) in [
            ("31633223090", "31633223090"),
            (" 4915117404120.0 ", "4915117404120"),
            ("4.91511740412E12", "4915117404120"),
            ("4.91511740412E+12", "4915117404120"),
            ("1.5E1", "15"),
            ("-2", "-2"),
            ("0.5", "0.5"),
            ("1E-3", "1E-3"),
            // Rounded: what is missing is not known.
            ("4.91517E+11", "4.91517E+11"),
            ("1.23E+11", "1.23E+11"),
            ("1E400", "1E400"),
            ("1E99999999999", "1E99999999999"),
            ("", ""),
            ("x", "x"),
            ("1,5", "1,5"),
        ] {
            assert_eq!(plain(raw), expected, "{raw}");
        }
    }

    #[test]
    fn a_number_of_days_becomes_a_day() {
        for (raw, since_1904, expected) in [
            ("46347", false, Some("2026-11-21")),
            ("46347.395833333336", false, Some("2026-11-21 09:30:00")),
            ("0.5", false, Some("12:00:00")),
            ("1", false, Some("1900-01-01")),
            ("61", false, Some("1900-03-01")),
            ("44885", true, Some("2026-11-21")),
            ("2958465", false, Some("9999-12-31")),
            ("2958466", false, None),
            ("-1", false, None),
            ("NaN", false, None),
            ("x", false, None),
        ] {
            assert_eq!(day(raw, since_1904).as_deref(), expected, "{raw}");
        }
    }
}
