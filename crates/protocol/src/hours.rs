//! Opening hours: several spans a day, holidays, a time zone with its daylight saving.
//!
//! Local times become moments as RFC 5545 and the Temporal proposal have it: a time that the clocks skip in spring is as long after
//! the hour before it, a time that comes twice in autumn is the first of the two.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::time::{DAY_MS, Millis};
use crate::token::SubjectToken;

/// How far ahead a change is looked for, days: a year and a bit, so that a day that opens once a year is found.
const DAYS_AHEAD_MAX: u32 = 400;
/// The longest year, ms.
const YEAR_MS: u64 = 366 * DAY_MS;
/// Minutes of a day.
const DAY_MINUTES: u16 = 24 * 60;

/// When queues are open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hours {
    /// Their name.
    pub name: SubjectToken,
    /// The time zone, as IANA has it: `Europe/Amsterdam`.
    pub zone: String,
    /// The spans of each day of the week, in order; a day that is not named is closed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub week: BTreeMap<Weekday, Vec<Span>>,
    /// Days that are otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holidays: Vec<Holiday>,
}

/// A day of the week.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Weekday {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

impl Weekday {
    /// All of them, Monday first.
    pub const ALL: [Self; 7] = [Self::Mon, Self::Tue, Self::Wed, Self::Thu, Self::Fri, Self::Sat, Self::Sun];

    fn of(date: Date) -> Self {
        match date.weekday() {
            jiff::civil::Weekday::Monday => Self::Mon,
            jiff::civil::Weekday::Tuesday => Self::Tue,
            jiff::civil::Weekday::Wednesday => Self::Wed,
            jiff::civil::Weekday::Thursday => Self::Thu,
            jiff::civil::Weekday::Friday => Self::Fri,
            jiff::civil::Weekday::Saturday => Self::Sat,
            jiff::civil::Weekday::Sunday => Self::Sun,
        }
    }
}

/// Open from one local time to another on the same day, `09:00-12:30`; `24:00` ends with the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span {
    from_minute: u16,
    to_minute: u16,
}

impl Span {
    /// When nobody minds to be written to: from nine in the morning to eight in the evening.
    pub(crate) const DAYTIME: Self = Self { from_minute: 9 * 60, to_minute: 20 * 60 };
}

/// A text that is no span.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no span of a day: write it as in 09:00-17:30, the end after the beginning, 24:00 at most")]
pub struct NotASpan(pub String);

fn minute(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let digits = |part: &str| (part.len() == 2).then(|| part.parse::<u16>().ok()).flatten();
    let (hours, minutes) = (digits(hours)?, digits(minutes)?);
    let whole = hours * 60 + minutes;
    (minutes < 60 && whole <= DAY_MINUTES).then_some(whole)
}

impl FromStr for Span {
    type Err = NotASpan;
    fn from_str(text: &str) -> Result<Self, NotASpan> {
        let read = || {
            let (from, to) = text.split_once('-')?;
            Some((minute(from.trim())?, minute(to.trim())?))
        };
        match read() {
            Some((from_minute, to_minute)) if from_minute < to_minute => Ok(Self { from_minute, to_minute }),
            Some(_) | None => Err(NotASpan(text.chars().take(40).collect())),
        }
    }
}

impl TryFrom<String> for Span {
    type Error = NotASpan;
    fn try_from(text: String) -> Result<Self, NotASpan> {
        text.parse()
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        span.to_string()
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from_minute, to_minute } = self;
        write!(
            f,
            "{:02}:{:02}-{:02}:{:02}",
            from_minute / 60,
            from_minute % 60,
            to_minute / 60,
            to_minute % 60
        )
    }
}

/// A day with hours of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Holiday {
    /// Which, `2026-12-25`.
    pub date: Day,
    /// When it is open all the same; empty for closed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<Span>,
}

/// A date of the calendar, `2026-12-25`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Day(Date);

/// A text that is no date.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no date: write it as in 2026-12-25")]
pub struct NotADay(pub String);

impl FromStr for Day {
    type Err = NotADay;
    fn from_str(text: &str) -> Result<Self, NotADay> {
        let refused = || NotADay(text.chars().take(40).collect());
        if text.len() != "2026-12-25".len() {
            return Err(refused());
        }
        text.parse().map(Self).map_err(|_| refused())
    }
}

impl TryFrom<String> for Day {
    type Error = NotADay;
    fn try_from(text: String) -> Result<Self, NotADay> {
        text.parse()
    }
}

impl From<Day> for String {
    fn from(day: Day) -> Self {
        day.to_string()
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Hours {
    /// Everything that is wrong with them, each with its place.
    pub(crate) fn faults(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        if TimeZone::get(&self.zone).is_err() {
            let message =
                format!("there is no time zone {:?}: expected a name such as Europe/Amsterdam", self.zone);
            found.push(("zone".to_owned(), message));
        }
        for (day, spans) in &self.week {
            if overlaps(spans) {
                let day = format!("{day:?}").to_lowercase();
                found.push((format!("week.{day}"), OVERLAP.to_owned()));
            }
        }
        let mut seen = BTreeSet::new();
        for (n, holiday) in self.holidays.iter().enumerate() {
            if overlaps(&holiday.open) {
                found.push((format!("holidays[{n}].open"), OVERLAP.to_owned()));
            }
            if !seen.insert(holiday.date) {
                found.push((format!("holidays[{n}].date"), format!("{} stands twice", holiday.date)));
            }
        }
        found
    }
}

const OVERLAP: &str = "spans follow each other: expected each to begin after the one before has ended";

fn overlaps(spans: &[Span]) -> bool {
    spans.windows(2).any(|pair| matches!(pair, [one, next] if next.from_minute <= one.to_minute))
}

/// Opening hours that can be asked about moments.
#[derive(Clone, Debug)]
pub struct Calendar {
    zone: TimeZone,
    week: BTreeMap<Weekday, Vec<Span>>,
    holidays: BTreeMap<Date, Vec<Span>>,
}

impl Calendar {
    /// Of hours without faults; one whose zone is not known is always closed.
    #[must_use]
    pub fn new(hours: &Hours) -> Option<Self> {
        let zone = TimeZone::get(&hours.zone).ok()?;
        let holidays = hours.holidays.iter().map(|holiday| (holiday.date.0, holiday.open.clone())).collect();
        Some(Self { zone, week: hours.week.clone(), holidays })
    }

    /// Whether it is open.
    #[must_use]
    pub fn is_open(&self, at: Millis) -> bool {
        self.spans_from(at).next().is_some_and(|(from, _)| from <= at)
    }

    /// When it next opens or closes; `None`: not within a year.
    #[must_use]
    pub fn next_change(&self, at: Millis) -> Option<Millis> {
        let (from, to) = self.spans_from(at).next()?;
        // What is open until the end of the search is open for longer.
        Some(if from > at { from } else { to }).filter(|change| change.since(at) < YEAR_MS)
    }

    /// When it is open next, now included; `None`: not within a year.
    #[must_use]
    pub fn opens_at(&self, at: Millis) -> Option<Millis> {
        self.spans_from(at).next().map(|(from, _)| from.max(at))
    }

    /// The moment at which it has been open for so long since `at`, ms; `None`: not within a year.
    #[must_use]
    pub fn after(&self, at: Millis, mut open_ms: u64) -> Option<Millis> {
        for (from, to) in self.spans_from(at) {
            let from = from.max(at);
            let lasts = to.since(from);
            // An end that is reached exactly is the end of that span, not the beginning of the next.
            if open_ms <= lasts {
                return Some(from.plus(open_ms));
            }
            open_ms -= lasts;
        }
        None
    }

    /// For how long it is open between two moments, ms.
    #[must_use]
    pub fn open_between(&self, from: Millis, to: Millis) -> u64 {
        let spans = self.spans_from(from).take_while(|(begins, _)| *begins < to);
        spans.map(|(begins, ends)| ends.min(to).since(begins.max(from))).sum()
    }

    /// Spans that end after a moment, in order, those that touch as one.
    fn spans_from(&self, at: Millis) -> impl Iterator<Item = (Millis, Millis)> + '_ {
        let days = self.days_from(at);
        let mut single = days.flat_map(|date| self.spans_of(date)).filter(move |(_, to)| *to > at).peekable();
        std::iter::from_fn(move || {
            let (from, mut to) = single.next()?;
            while let Some((_, later)) = single.next_if(|(next, _)| *next <= to) {
                to = to.max(later);
            }
            Some((from, to))
        })
    }

    /// From the day before, as clocks that are set back can make a day reach into the next.
    fn days_from(&self, at: Millis) -> impl Iterator<Item = Date> + use<> {
        let ms = i64::try_from(at.0).unwrap_or(i64::MAX);
        let first = Timestamp::from_millisecond(ms).ok().map(|moment| self.zone.to_datetime(moment).date());
        let first = first.and_then(|date| date.yesterday().ok());
        let days = std::iter::successors(first, |date| date.tomorrow().ok());
        days.take(usize::try_from(DAYS_AHEAD_MAX).unwrap_or(usize::MAX))
    }

    fn spans_of(&self, date: Date) -> impl Iterator<Item = (Millis, Millis)> + '_ {
        let spans = self.holidays.get(&date).or_else(|| self.week.get(&Weekday::of(date)));
        let moments = move |span: &Span| {
            Some((self.moment(date, span.from_minute)?, self.moment(date, span.to_minute)?))
        };
        // A span that the clocks skip as a whole has no length.
        spans.into_iter().flatten().filter_map(moments).filter(|(from, to)| from < to)
    }

    fn moment(&self, date: Date, minute: u16) -> Option<Millis> {
        let (date, minute) = if minute == DAY_MINUTES { (date.tomorrow().ok()?, 0) } else { (date, minute) };
        let (hour, minute) = (i8::try_from(minute / 60).ok()?, i8::try_from(minute % 60).ok()?);
        let moment = self.zone.to_ambiguous_timestamp(date.at(hour, minute, 0, 0)).compatible().ok()?;
        u64::try_from(moment.as_millisecond()).ok().map(Millis)
    }
}

#[cfg(test)]
mod tests;
