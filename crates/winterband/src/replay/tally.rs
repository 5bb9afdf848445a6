//! What became of the rows, and the report of it.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::endpoint::No;
use super::rows::BadRow;

/// Most refusals that are listed one by one; all are counted.
const LISTED_MAX: usize = 10;

/// A run in figures: `rows` = `accepted` + `duplicates` + `refused` + `not_sent`.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Tally {
    /// The file's name without its folders.
    pub(super) file: String,
    /// Data rows of the file, at most `--limit`.
    pub(super) rows: u64,
    /// Durable at the server and new to it.
    pub(super) accepted: u64,
    /// Known to the server already.
    pub(super) duplicates: u64,
    /// Refused for good, by the server's reason; `bad_row` for what could not be sent at all.
    pub(super) refused: BTreeMap<String, u64>,
    /// Rows that were not tried, or of which the fate is not known: running it again is safe.
    pub(super) not_sent: u64,
    /// Further tries, over all rows.
    pub(super) retried: u64,
    /// Seconds.
    pub(super) elapsed_s: f64,
    /// Answered rows a second.
    pub(super) rate_per_s: f64,
    /// Why it ended early, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stopped: Option<String>,
    /// The first refusals.
    pub(super) first_refusals: Vec<Refusal>,
}

/// One row that was refused.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Refusal {
    row: u64,
    line: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<String>,
    reason: String,
    words: String,
}

impl Tally {
    pub(super) fn taken(&mut self, is_duplicate: bool) {
        let count = if is_duplicate { &mut self.duplicates } else { &mut self.accepted };
        *count += 1;
    }

    pub(super) fn refused(&mut self, row: u64, line: u64, no: No) {
        self.refuse(Refusal { row, line, column: None, reason: no.code, words: no.words });
    }

    pub(super) fn bad(&mut self, bad: BadRow) {
        let BadRow { number: row, line, column, what: words } = bad;
        self.refuse(Refusal { row, line, column, reason: "bad_row".to_owned(), words });
    }

    fn refuse(&mut self, refusal: Refusal) {
        *self.refused.entry(refusal.reason.clone()).or_default() += 1;
        // Rows end out of order; those first in the file are shown.
        let place = self.first_refusals.partition_point(|listed| listed.row < refusal.row);
        self.first_refusals.insert(place, refusal);
        self.first_refusals.truncate(LISTED_MAX);
    }

    /// Closes the books.
    pub(super) fn finish(&mut self, rows: u64, elapsed: Duration) {
        let answered = self.accepted + self.duplicates + self.refused.values().sum::<u64>();
        self.rows = rows.max(answered);
        self.not_sent = self.rows - answered;
        self.elapsed_s = elapsed.as_secs_f64();
        let per_second = Duration::from_secs(answered).as_secs_f64() / self.elapsed_s.max(0.001);
        self.rate_per_s = (per_second * 10.0).round() / 10.0;
    }

    /// Whether every row is at the server.
    pub(super) fn is_whole(&self) -> bool {
        self.refused.is_empty() && self.not_sent == 0
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}: {} rows in {:.1} s ({:.1}/s)",
            self.file, self.rows, self.elapsed_s, self.rate_per_s
        )?;
        writeln!(f, "  accepted    {:>8}", self.accepted)?;
        writeln!(f, "  duplicates  {:>8}", self.duplicates)?;
        for (reason, count) in &self.refused {
            writeln!(f, "  refused     {count:>8}  {reason}")?;
        }
        if self.not_sent > 0 {
            writeln!(
                f,
                "  not sent    {:>8}  run it again: what was accepted is not doubled",
                self.not_sent
            )?;
        }
        writeln!(f, "  retried     {:>8}", self.retried)?;
        if let Some(why) = &self.stopped {
            writeln!(f, "ended early: {why}")?;
        }
        for Refusal { row, line, column, reason, words } in &self.first_refusals {
            let column = column.as_ref().map(|name| format!(", column {name}")).unwrap_or_default();
            writeln!(f, "  row {row} (line {line}{column}): {reason}: {words}")?;
        }
        let listed = u64::try_from(self.first_refusals.len()).unwrap_or(u64::MAX);
        let others = self.refused.values().sum::<u64>().saturating_sub(listed);
        if others > 0 {
            writeln!(f, "  and {others} others")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn no(code: &str) -> No {
        No { code: code.to_owned(), words: "because".to_owned() }
    }

    #[test]
    fn the_books_balance() {
        let mut tally = Tally { file: "a.csv".into(), ..Tally::default() };
        for n in 0..5 {
            tally.taken(n == 0);
        }
        tally.refused(9, 10, no("too_long"));
        tally.finish(8, Duration::from_secs(2));
        assert_eq!((tally.accepted, tally.duplicates, tally.not_sent), (4, 1, 2));
        assert!((tally.rate_per_s - 3.0).abs() < f64::EPSILON);
        assert!(!tally.is_whole());
        let text = tally.to_string();
        assert!(text.contains("row 9 (line 10): too_long: because"), "{text}");
        assert!(text.contains("not sent"), "{text}");
        let json = serde_json::to_value(&tally).unwrap();
        assert_eq!(json["refused"]["too_long"], 1);
    }

    #[test]
    fn all_refusals_are_counted_and_the_first_ten_of_the_file_listed() {
        let mut tally = Tally::default();
        for row in (1..=30).rev() {
            tally.refused(row, row + 1, no("unknown_account"));
        }
        tally.finish(30, Duration::from_secs(1));
        assert_eq!(tally.refused["unknown_account"], 30);
        let rows: Vec<u64> = tally.first_refusals.iter().map(|refusal| refusal.row).collect();
        assert_eq!(rows, (1..=10).collect::<Vec<_>>());
        assert!(tally.to_string().contains("and 20 others"));
    }
}
