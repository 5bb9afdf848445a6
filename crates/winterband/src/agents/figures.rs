//! A rehearsal in figures. Pure.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use protocol::command::Refusal;
use serde::Serialize;

use super::witness::Violation;

/// Most violations that are told one by one; all are counted.
const VIOLATIONS_LISTED_MAX: usize = 20;
/// Steps between two powers of two: a quantile is off by at most a sixteenth.
const STEPS: u64 = 16;

/// Something that a simulated agent did or saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Note {
    /// Asked.
    Offer,
    /// The offer was taken.
    Accepted,
    /// The offer was left to others.
    Declined,
    /// The offer's time was up.
    Missed,
    /// Wrote to a customer.
    Replied,
    /// Ended a contact.
    Resolved,
    /// A command was sent again under its id.
    Resent,
    /// A command was not carried out.
    Refused(Refusal),
    /// The gateway could not use a frame.
    FrameError(String),
    /// Something did not fit.
    Violation(Violation),
}

/// What all agents together did and saw.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Figures {
    pub(super) agents: u32,
    pub(super) seed: u64,
    pub(super) elapsed_s: f64,
    pub(super) offers: u64,
    pub(super) accepted: u64,
    pub(super) declined: u64,
    pub(super) missed: u64,
    pub(super) replies: u64,
    pub(super) resolved: u64,
    pub(super) resent: u64,
    pub(super) reconnects: u64,
    pub(super) refusals: BTreeMap<String, u64>,
    pub(super) frame_errors: BTreeMap<String, u64>,
    pub(super) violations: BTreeMap<&'static str, u64>,
    pub(super) first_violations: Vec<String>,
    pub(super) command_us: RoundTrips,
}

impl Figures {
    /// Counts what an agent noted.
    pub(super) fn note(&mut self, agent: &str, note: Note) {
        match note {
            Note::Offer => self.offers += 1,
            Note::Accepted => self.accepted += 1,
            Note::Declined => self.declined += 1,
            Note::Missed => self.missed += 1,
            Note::Replied => self.replies += 1,
            Note::Resolved => self.resolved += 1,
            Note::Resent => self.resent += 1,
            Note::Refused(refusal) => *self.refusals.entry(code(refusal)).or_default() += 1,
            Note::FrameError(code) => *self.frame_errors.entry(code).or_default() += 1,
            Note::Violation(violation) => {
                *self.violations.entry(violation.broken.as_str()).or_default() += 1;
                if self.first_violations.len() < VIOLATIONS_LISTED_MAX {
                    self.first_violations.push(format!("{agent}: {violation}"));
                }
            }
        }
    }

    /// One line for a person who watches.
    pub(super) fn line(&self) -> String {
        let refused: u64 = self.refusals.values().sum();
        let broken: u64 = self.violations.values().sum();
        format!(
            "{} offers, {} accepted, {} declined, {} missed, {} replies, {} resolved, {} reconnects, {refused} refused, command p50 {} p99 {}, {broken} violations",
            self.offers,
            self.accepted,
            self.declined,
            self.missed,
            self.replies,
            self.resolved,
            self.reconnects,
            in_ms(self.command_us.quantile(50)),
            in_ms(self.command_us.quantile(99)),
        )
    }
}

/// The refusal's word on the wire.
fn code(refusal: Refusal) -> String {
    match serde_json::to_value(refusal) {
        Ok(serde_json::Value::String(code)) => code,
        Ok(_) | Err(_) => format!("{refusal:?}"),
    }
}

fn in_ms(us: u64) -> String {
    format!("{}.{} ms", us / 1000, us % 1000 / 100)
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} simulated agents, {:.1} s, seed {}", self.agents, self.elapsed_s, self.seed)?;
        let counts = [
            ("offers", self.offers),
            ("accepted", self.accepted),
            ("declined", self.declined),
            ("missed", self.missed),
            ("replies", self.replies),
            ("resolved", self.resolved),
            ("reconnects", self.reconnects),
            ("sent again", self.resent),
        ];
        for (what, count) in counts {
            writeln!(f, "  {what:<11} {count:>8}")?;
        }
        for (code, count) in &self.refusals {
            writeln!(f, "  refused     {count:>8}  {code}")?;
        }
        for (code, count) in &self.frame_errors {
            writeln!(f, "  frame error {count:>8}  {code}")?;
        }
        let (p50, p99) = (self.command_us.quantile(50), self.command_us.quantile(99));
        writeln!(f, "  command to answer: p50 {}, p99 {}", in_ms(p50), in_ms(p99))?;
        for (broken, count) in &self.violations {
            writeln!(f, "  VIOLATION   {count:>8}  {broken}")?;
        }
        for violation in &self.first_violations {
            writeln!(f, "    {violation}")?;
        }
        Ok(())
    }
}

/// Times from a command's first sending to its answer, in a fixed space.
#[derive(Clone, Debug, Default)]
pub(super) struct RoundTrips {
    count: u64,
    buckets: BTreeMap<u64, u64>,
}

impl RoundTrips {
    pub(super) fn add(&mut self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.count += 1;
        *self.buckets.entry(bucket(us)).or_default() += 1;
    }

    /// Microseconds below which `percent` of the times lie; 0 without any.
    pub(super) fn quantile(&self, percent: u64) -> u64 {
        let rank = self.count.saturating_mul(percent).div_ceil(100).max(1);
        let mut seen = 0;
        for (lowest, count) in &self.buckets {
            seen += count;
            if seen >= rank {
                return *lowest;
            }
        }
        0
    }
}

/// The lowest value that shares a bucket with this one: its leading five bits.
fn bucket(us: u64) -> u64 {
    if us < STEPS * 2 {
        return us;
    }
    let shift = us.ilog2().saturating_sub(STEPS.ilog2());
    us >> shift << shift
}

impl Serialize for RoundTrips {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let shown =
            BTreeMap::from([("count", self.count), ("p50", self.quantile(50)), ("p99", self.quantile(99))]);
        shown.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agents::witness::Broken;

    #[test]
    fn quantiles_are_right_within_a_sixteenth() {
        let mut trips = RoundTrips::default();
        assert_eq!(trips.quantile(50), 0);
        for ms in 1..=1000 {
            trips.add(Duration::from_millis(ms));
        }
        for (percent, exact) in [(50, 500_000), (99, 990_000), (100, 1_000_000)] {
            let found = trips.quantile(percent);
            assert!(found <= exact && found >= exact - exact / 16, "p{percent} {found}");
        }
        let mut few = RoundTrips::default();
        few.add(Duration::from_micros(7));
        assert_eq!((few.quantile(0), few.quantile(99)), (7, 7));
        trips.add(Duration::MAX);
        assert!(trips.buckets.len() < 300);
    }

    #[test]
    fn notes_are_counted_and_told() {
        let mut figures = Figures::default();
        figures.note("sim-001", Note::Refused(Refusal::OfferEnded));
        figures.note("sim-001", Note::Offer);
        for n in 0..50 {
            let violation = Violation { broken: Broken::Gap, place: format!("cnv_{n}") };
            figures.note("sim-002", Note::Violation(violation));
        }
        assert_eq!(figures.refusals, BTreeMap::from([("offer_ended".to_owned(), 1)]));
        assert_eq!(figures.violations, BTreeMap::from([("gap", 50)]));
        assert_eq!(figures.first_violations.len(), VIOLATIONS_LISTED_MAX);
        assert_eq!(figures.first_violations[0], "sim-002: gap: cnv_0");
        assert!(figures.line().contains("1 offers") && figures.to_string().contains("offer_ended"));
        assert_eq!(serde_json::to_value(&figures).unwrap()["command_us"]["count"], 0);
    }
}
