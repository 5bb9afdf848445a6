//! Moments as the API writes them: `Fri, 24 May 2019 17:44:46 +0000` (RFC 2822 3.3).

use std::ops::RangeInclusive;

use channel::Millis;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Reads one; `None` if it is none, or lies before 1970.
pub(crate) fn read(text: &str) -> Option<Millis> {
    // The day of the week says nothing that the date does not.
    let text = text.split_once(", ").map_or(text, |(_, rest)| rest);
    let mut parts = text.split(' ');
    let day = number(parts.next()?, 1..=2)?;
    let name = parts.next()?;
    let month = i64::try_from(MONTHS.iter().position(|month| *month == name)?).ok()? + 1;
    let year = number(parts.next()?, 4..=4)?;
    let clock = seconds(parts.next()?)?;
    let zone = zone(parts.next()?)?;
    if parts.next().is_some() || !(1..=days_in(year, month)).contains(&day) {
        return None;
    }
    let at = days(year, month, day) * 86_400 + clock - zone;
    u64::try_from(at).ok()?.checked_mul(1000).map(Millis)
}

/// A number of so many digits and nothing else.
fn number(text: &str, digits: RangeInclusive<usize>) -> Option<i64> {
    let is_one = digits.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_one { text.parse().ok() } else { None }
}

/// `17:44:46`, since midnight.
fn seconds(text: &str) -> Option<i64> {
    let mut parts = text.split(':').map(|part| number(part, 2..=2));
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    let is_clock = hour < 24 && minute < 60 && second < 60 && parts.next().is_none();
    is_clock.then_some(hour * 3600 + minute * 60 + second)
}

/// `+0130`, seconds east of Greenwich.
fn zone(text: &str) -> Option<i64> {
    let (sign, digits) = text.split_at_checked(1)?;
    let number = number(digits, 4..=4)?;
    let (hours, minutes) = (number / 100, number % 100);
    let east = (minutes < 60).then_some(hours * 3600 + minutes * 60)?;
    match sign {
        "+" => Some(east),
        "-" => Some(-east),
        _ => None,
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01, counted in years that begin in March, so that a leap day is their last
/// (https://howardhinnant.github.io/date_algorithms.html#days_from_civil).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds as `date --date=... +%s` gives them.
    #[test]
    fn moments_are_what_they_say() {
        for (text, seconds) in [
            ("Thu, 01 Jan 1970 00:00:00 +0000", 0),
            ("Fri, 24 May 2019 17:44:46 +0000", 1_558_719_886),
            ("24 May 2019 17:44:46 +0000", 1_558_719_886),
            ("Fri, 24 May 2019 19:44:46 +0200", 1_558_719_886),
            ("Fri, 24 May 2019 12:14:46 -0530", 1_558_719_886),
            ("Sat, 29 Feb 2020 23:59:59 +0000", 1_583_020_799),
            ("Sun, 1 Mar 2020 00:00:00 +0000", 1_583_020_800),
            ("Tue, 29 Feb 2000 12:00:00 +0000", 951_825_600),
            ("Thu, 31 Dec 2026 23:59:59 -0000", 1_798_761_599),
        ] {
            assert_eq!(read(text), Some(Millis(seconds * 1000)), "{text}");
        }
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let mut last = read("31 Dec 1999 00:00:00 +0000").unwrap().0;
        for year in 2000..2101 {
            for (n, month) in MONTHS.iter().enumerate() {
                for day in 1..=days_in(year, i64::try_from(n).unwrap() + 1) {
                    let at = read(&format!("{day:02} {month} {year} 00:00:00 +0000")).unwrap().0;
                    assert_eq!(at, last + 86_400_000, "{day} {month} {year}");
                    last = at;
                }
            }
        }
        assert_eq!(read("31 Dec 2100 00:00:00 +0000"), Some(Millis(4_133_894_400_000)));
    }

    #[test]
    fn what_is_no_moment_is_none() {
        for text in [
            "",
            "2019-05-24T17:44:46Z",
            "Fri, 24 May 2019 17:44:46",
            "Fri, 24 May 2019 17:44:46 GMT",
            "Fri, 24 May 2019 17:44:46 +00:00",
            "Fri, 24 May 2019 17:44:46 +0060",
            "Fri, 24 May 2019 17:44:46 0000",
            "Fri, 24 May 2019 17:44:46 é0000",
            "Fri, 24 May 2019 24:00:00 +0000",
            "Fri, 24 May 2019 17:60:00 +0000",
            "Fri, 24 May 2019 17:44 +0000",
            "Fri, 24 may 2019 17:44:46 +0000",
            "Fri, 0 May 2019 17:44:46 +0000",
            "Fri, 32 May 2019 17:44:46 +0000",
            "Fri, 29 Feb 2019 17:44:46 +0000",
            "Fri, 29 Feb 2100 17:44:46 +0000",
            "Fri, -1 May 2019 17:44:46 +0000",
            "Fri, 24 May 19 17:44:46 +0000",
            "Fri, 24 May 1969 17:44:46 +0000",
            "Fri, 24 May 2019 17:44:46 +0000 ",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
