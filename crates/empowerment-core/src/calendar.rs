//! Days and years in UTC, for wallets and for words.

use protocol::Millis;
use protocol::time::DAY_MS;

/// Year, month and day of a moment, by the proleptic Gregorian calendar.
///
/// Counted in eras of 400 years that begin on the first of March, so that the leap day is the last of its year
/// (Howard Hinnant, "chrono-compatible low-level date algorithms").
pub(crate) fn date(at: Millis) -> (i64, i64, i64) {
    let since_march_0000 = i64::from(at.day()) + 719_468;
    let era = since_march_0000.div_euclid(146_097);
    let of_era = since_march_0000.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// As in `2026-08-02`.
pub(crate) fn day(at: Millis) -> String {
    let (year, month, day) = date(at);
    format!("{year:04}-{month:02}-{day:02}")
}

/// As in `2026`.
pub(crate) fn year(at: Millis) -> String {
    format!("{:04}", date(at).0)
}

/// As in `2026-08-02 14:30 UTC`.
pub(crate) fn moment(at: Millis) -> String {
    let minutes = at.0 % DAY_MS / 60_000;
    format!("{} {:02}:{:02} UTC", day(at), minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_the_calendar_has_them() {
        for (ms, expected) in [
            (0, "1970-01-01 00:00 UTC"),
            (951_782_400_000, "2000-02-29 00:00 UTC"),
            (1_709_251_199_999, "2024-02-29 23:59 UTC"),
            (1_709_251_200_000, "2024-03-01 00:00 UTC"),
            (1_798_761_599_999, "2026-12-31 23:59 UTC"),
            (1_798_761_600_000, "2027-01-01 00:00 UTC"),
            (4_107_542_400_000, "2100-03-01 00:00 UTC"),
        ] {
            assert_eq!(moment(Millis(ms)), expected);
        }
        assert_eq!(year(Millis(1_798_761_599_999)), "2026");
    }

    #[test]
    fn the_end_of_time_has_a_date_too() {
        assert!(!moment(Millis(u64::MAX)).is_empty());
    }
}
