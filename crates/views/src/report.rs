//! Answers: what was given over some days, for leads and for each agent of themselves.

use std::str::FromStr;

use protocol::time::DAY_MS;
use protocol::views::{
    AskCount, EmpowermentQuestion, EmpowermentReport, GestureCount, PromiseCount, RemedyLine, StoryLine,
};
use protocol::{Currency, Millis, Money};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::de::DeserializeOwned;

use crate::answer::Asked;
use crate::remedies::word;
use crate::store::{StoreError, read_progress, signed, unsigned};

/// Most lines of each list in a report.
const LINES_MAX: i64 = 200;

/// What was given.
pub(crate) struct Report;

impl Asked for Report {
    type Question = EmpowermentQuestion;
    type Answer = EmpowermentReport;
    const ABOUT: &'static str = "views reports";

    fn answer(
        connection: &mut Connection,
        question: &EmpowermentQuestion,
        now: Millis,
    ) -> Result<EmpowermentReport, StoreError> {
        // One snapshot, so that the cursor told is true for the rows told.
        let tx = connection.transaction()?;
        let since = signed(now.0.saturating_sub(u64::from(question.days).saturating_mul(DAY_MS)));
        // An empty text is nobody's id: it stands for everybody.
        let agent = question.agent.map(|agent| agent.to_string()).unwrap_or_default();
        let scope = Scope { tx: &tx, since, agent: &agent };
        Ok(EmpowermentReport {
            log_seq: read_progress(&tx)?.log_seq,
            policy: policy(&tx)?,
            gestures: scope.gestures()?,
            asks: scope.asks()?,
            unknown: scope.standing(word::UNKNOWN)?,
            failed: scope.standing(word::FAILED)?,
            promises: scope.promises()?,
            stories: scope.stories()?,
        })
    }
}

fn policy(tx: &Connection) -> Result<Option<(protocol::Hash128, protocol::policy::Policy)>, StoreError> {
    let row: Option<(String, String)> = tx
        .prepare_cached("SELECT hash, json FROM policy WHERE one = 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    row.map(|(hash, json)| Ok((parsed(&hash)?, from_json(&json)?))).transpose()
}

struct Scope<'a> {
    tx: &'a Connection,
    since: i64,
    agent: &'a str,
}

impl Scope<'_> {
    fn all<T>(
        &self,
        sql: &str,
        params: impl rusqlite::Params,
        read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut select = self.tx.prepare_cached(sql)?;
        let mut rows = select.query(params)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(read(row)?);
        }
        Ok(found)
    }

    fn gestures(&self) -> Result<Vec<GestureCount>, StoreError> {
        self.all(
            "SELECT card, queue, channel, kind, currency, count(*), sum(cents) FROM remedies
             WHERE at >= ?1 AND (?2 = '' OR agent = ?2) AND state <> ?3
             GROUP BY card, queue, channel, kind, currency
             ORDER BY 6 DESC, card, queue, channel, kind, currency LIMIT ?4",
            params![self.since, self.agent, word::UNDONE, LINES_MAX],
            |row| {
                Ok(GestureCount {
                    card: optional(row, 0)?,
                    queue: parsed(&text(row, 1)?)?,
                    channel: from_word(&text(row, 2)?)?,
                    kind: from_word(&text(row, 3)?)?,
                    currency: optional(row, 4)?,
                    count: unsigned(row.get(5)?)?,
                    cents: unsigned(row.get(6)?)?,
                })
            },
        )
    }

    fn asks(&self) -> Result<Vec<AskCount>, StoreError> {
        self.all(
            "SELECT card, count(*), sum(state = ?3), sum(state = ?4), sum(promised) FROM asks
             WHERE at >= ?1 AND (?2 = '' OR agent = ?2) GROUP BY card ORDER BY 2 DESC, card LIMIT ?5",
            params![self.since, self.agent, word::YES, word::SOFT_YES, LINES_MAX],
            |row| {
                Ok(AskCount {
                    card: optional(row, 0)?,
                    asked: unsigned(row.get(1)?)?,
                    yes: unsigned(row.get(2)?)?,
                    soft_yes: unsigned(row.get(3)?)?,
                    promised: unsigned(row.get(4)?)?,
                })
            },
        )
    }

    /// However old: what is not settled does not go away by itself.
    fn standing(&self, state: &str) -> Result<Vec<RemedyLine>, StoreError> {
        self.all(
            "SELECT remedy, contact, agent, at, kind, currency, cents, reason FROM remedies
             WHERE state = ?1 AND (?2 = '' OR agent = ?2) ORDER BY at LIMIT ?3",
            params![state, self.agent, LINES_MAX],
            |row| {
                Ok(RemedyLine {
                    remedy: parsed(&text(row, 0)?)?,
                    contact: parsed(&text(row, 1)?)?,
                    agent: parsed(&text(row, 2)?)?,
                    at: Millis(unsigned(row.get(3)?)?),
                    kind: from_word(&text(row, 4)?)?,
                    money: money(row, 5, 6)?,
                    reason: text(row, 7)?,
                })
            },
        )
    }

    fn promises(&self) -> Result<PromiseCount, StoreError> {
        let counts = self
            .tx
            .prepare_cached(
                "SELECT count(*), coalesce(sum(state = ?3), 0), coalesce(sum(state = ?4), 0) FROM promises
             WHERE at >= ?1 AND (?2 = '' OR agent = ?2)",
            )?
            .query_row(params![self.since, self.agent, word::KEPT, word::BROKEN], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?;
        let (made, kept, broken): (i64, i64, i64) = counts;
        Ok(PromiseCount { made: unsigned(made)?, kept: unsigned(kept)?, broken: unsigned(broken)? })
    }

    /// The book is everybody's.
    fn stories(&self) -> Result<Vec<StoryLine>, StoreError> {
        self.all(
            "SELECT s.story, s.title, s.at, s.agent, r.kind, r.occasion, r.card, r.currency, r.cents, s.consent
             FROM stories s JOIN remedies r ON r.remedy = s.remedy ORDER BY s.row DESC LIMIT ?1",
            params![LINES_MAX],
            |row| {
                Ok(StoryLine {
                    story: parsed(&text(row, 0)?)?,
                    title: text(row, 1)?,
                    at: Millis(unsigned(row.get(2)?)?),
                    agent: parsed(&text(row, 3)?)?,
                    kind: from_word(&text(row, 4)?)?,
                    occasion: from_json(&text(row, 5)?)?,
                    card: optional(row, 6)?,
                    money: money(row, 7, 8)?,
                    consent: row.get(9)?,
                })
            },
        )
    }
}

fn text(row: &Row<'_>, at: usize) -> Result<String, StoreError> {
    Ok(row.get(at)?)
}

fn optional<T: FromStr<Err: std::fmt::Display>>(row: &Row<'_>, at: usize) -> Result<Option<T>, StoreError> {
    let found: Option<String> = row.get(at)?;
    found.map(|text| parsed(&text)).transpose()
}

fn money(row: &Row<'_>, currency: usize, cents: usize) -> Result<Option<Money>, StoreError> {
    let currency: Option<Currency> = optional(row, currency)?;
    let cents = row.get(cents)?;
    Ok(currency.map(|currency| Money { cents, currency }))
}

fn parsed<T: FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, StoreError> {
    text.parse().map_err(|error: T::Err| StoreError::Row(error.to_string()))
}

fn from_json<T: DeserializeOwned>(json: &str) -> Result<T, StoreError> {
    serde_json::from_str(json).map_err(|error| StoreError::Row(error.to_string()))
}

/// A word of one of our enums, which stands without quotes.
fn from_word<T: DeserializeOwned>(word: &str) -> Result<T, StoreError> {
    serde_json::from_value(word.into()).map_err(|error| StoreError::Row(error.to_string()))
}

#[cfg(test)]
mod tests;
