//! What customers answered when they were asked after a contact, by day, queue and agent.
//!
//! An answer counts where its question does: on the day of the first question, for the queue that the contact was in and the agent
//! who resolved it then, whoever has it later.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use protocol::feedback::Question;
use protocol::record::EntryKind;
use protocol::time::DAY_MS;
use protocol::views::{FeedbackLine, FeedbackQuestion, FeedbackReport, ScoreCount};
use protocol::{ContactId, ConversationId, Event, Millis};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use crate::answer::Asked;
use crate::store::{StoreError, read_progress, signed, unsigned};

/// Fewer answers than this say nothing of a queue or an agent, and much of whoever gave them.
const ANSWERS_MIN: u64 = 5;

pub(crate) const TABLES: &str = "
CREATE TABLE feedback_open (
  conversation TEXT PRIMARY KEY,
  day INTEGER NOT NULL,
  queue TEXT NOT NULL,
  agent TEXT NOT NULL,
  is_first INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE feedback_contacts (
  day INTEGER NOT NULL,
  queue TEXT NOT NULL,
  agent TEXT NOT NULL,
  asked INTEGER NOT NULL DEFAULT 0,
  answered INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (day, queue, agent)
) STRICT, WITHOUT ROWID;
CREATE TABLE feedback_scores (
  day INTEGER NOT NULL,
  queue TEXT NOT NULL,
  agent TEXT NOT NULL,
  question TEXT NOT NULL,
  score INTEGER NOT NULL,
  times INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (day, queue, agent, question, score)
) STRICT, WITHOUT ROWID;
";

/// Most lines of agents in a report, those with the most answers; there are fewer queues than that.
const LINES_MAX: usize = 200;
/// In the column of scores: that the question was asked.
const WAS_ASKED: i64 = -1;

/// What was answered.
pub(crate) struct Feedback;

impl Asked for Feedback {
    type Question = FeedbackQuestion;
    type Answer = FeedbackReport;
    const ABOUT: &'static str = "views feedback";

    fn answer(
        connection: &mut Connection,
        question: &FeedbackQuestion,
        now: Millis,
    ) -> Result<FeedbackReport, StoreError> {
        // One snapshot, so that the cursor told is true for the rows told.
        let tx = connection.transaction()?;
        let before = u64::from(question.days).saturating_sub(1);
        let from = signed((now.0 / DAY_MS).saturating_sub(before));
        let (mut queues, mut agents) = (BTreeMap::new(), BTreeMap::new());
        each(&tx, question, from, |queue, agent, counted| {
            for (sums, of) in [(&mut queues, queue), (&mut agents, agent)] {
                sums.entry(of.to_owned()).or_insert_with(Sum::default).add(counted);
            }
        })?;
        let mut agents = lines(agents)?;
        agents.sort_by_key(|line: &FeedbackLine<_>| (std::cmp::Reverse(line.answered), line.of));
        agents.truncate(LINES_MAX);
        let mut queues = lines(queues)?;
        queues.truncate(LINES_MAX);
        Ok(FeedbackReport { log_seq: read_progress(&tx)?.log_seq, answers_min: ANSWERS_MIN, queues, agents })
    }
}

/// What one row counts.
#[derive(Clone, Copy)]
enum Counted {
    Contacts { asked: u64, answered: u64 },
    Asked(Question, u64),
    Given(Question, u8, u64),
}

/// What was counted of one queue or one agent.
#[derive(Default)]
struct Sum {
    asked: u64,
    answered: u64,
    questions: BTreeMap<Question, (u64, BTreeMap<u8, u64>)>,
}

impl Sum {
    fn add(&mut self, counted: Counted) {
        match counted {
            Counted::Contacts { asked, answered } => {
                self.asked += asked;
                self.answered += answered;
            }
            Counted::Asked(question, times) => self.questions.entry(question).or_default().0 += times,
            Counted::Given(question, score, times) => {
                *self.questions.entry(question).or_default().1.entry(score).or_default() += times;
            }
        }
    }

    fn line<T>(self, of: T) -> FeedbackLine<T> {
        let count = |(question, (asked, given)): (Question, (u64, BTreeMap<u8, u64>))| {
            let answered = given.values().sum();
            let (least, greatest) = question.range();
            let scores = (least..=greatest).map(|score| given.get(&score).copied().unwrap_or_default());
            let scores = scores.take_while(|_| answered >= ANSWERS_MIN).collect();
            ScoreCount { question, asked, answered, scores }
        };
        let questions = self.questions.into_iter().map(count).collect();
        FeedbackLine { of, asked: self.asked, answered: self.answered, questions }
    }
}

fn lines<T: FromStr<Err: Display>>(sums: BTreeMap<String, Sum>) -> Result<Vec<FeedbackLine<T>>, StoreError> {
    let line = |(of, sum): (String, Sum)| {
        let of = of.parse().map_err(|error: T::Err| StoreError::Row(error.to_string()))?;
        Ok(sum.line(of))
    };
    sums.into_iter().map(line).collect()
}

/// Goes through all that counts, by queue and agent.
fn each(
    tx: &Transaction<'_>,
    question: &FeedbackQuestion,
    from: i64,
    mut counts: impl FnMut(&str, &str, Counted),
) -> Result<(), StoreError> {
    // An empty text is nobody's id: it stands for everybody.
    let agent = question.agent.map(|agent| agent.to_string()).unwrap_or_default();
    let is_meant = |queue: &str| {
        question.queues.as_ref().is_none_or(|queues| queues.iter().any(|one| one.as_str() == queue))
    };
    let mut each = |sql, read: fn(&Row<'_>) -> Result<Counted, StoreError>| {
        let mut select = tx.prepare_cached(sql)?;
        let mut rows = select.query(params![from, agent])?;
        while let Some(row) = rows.next()? {
            let (queue, agent): (String, String) = (row.get(0)?, row.get(1)?);
            if is_meant(&queue) {
                counts(&queue, &agent, read(row)?);
            }
        }
        Ok::<(), StoreError>(())
    };
    each(
        "SELECT queue, agent, sum(asked), sum(answered) FROM feedback_contacts
         WHERE day >= ?1 AND (?2 = '' OR agent = ?2) GROUP BY queue, agent",
        |row| Ok(Counted::Contacts { asked: unsigned(row.get(2)?)?, answered: unsigned(row.get(3)?)? }),
    )?;
    each(
        "SELECT queue, agent, question, score, sum(times) FROM feedback_scores
         WHERE day >= ?1 AND (?2 = '' OR agent = ?2) GROUP BY queue, agent, question, score",
        counted_score,
    )
}

fn counted_score(row: &Row<'_>) -> Result<Counted, StoreError> {
    let word: String = row.get(2)?;
    let question = Question::ALL.into_iter().find(|question| question.as_str() == word);
    let question = question.ok_or(StoreError::Row(word))?;
    let (score, times): (i64, u64) = (row.get(3)?, unsigned(row.get(4)?)?);
    if score == WAS_ASKED {
        return Ok(Counted::Asked(question, times));
    }
    let score = u8::try_from(score).map_err(|_| StoreError::Row(format!("{score} is no answer")))?;
    Ok(Counted::Given(question, score, times))
}

/// Where a question and its answer count.
#[derive(Clone)]
struct Place {
    day: i64,
    queue: String,
    agent: String,
}

/// What was answered within one record, and where it counted: the question that follows there counts there too.
#[derive(Default)]
pub(crate) struct Follows(BTreeMap<ConversationId, Place>);

/// After the contact's own row is changed: who resolved it stands there when its customer is asked.
pub(crate) fn fold_event(
    tx: &Connection,
    at: Millis,
    event: &Event,
    follows: &mut Follows,
) -> Result<(), StoreError> {
    let Event::EntryAdded { conversation, contact, entry, .. } = event else { return Ok(()) };
    if let EntryKind::FeedbackAsked { question } = entry {
        let (place, is_first) = match follows.0.remove(conversation) {
            Some(place) => (Some(place), false),
            None => (place_of(tx, *contact, at)?, true),
        };
        place.map_or(Ok(()), |place| asked(tx, *conversation, &place, *question, is_first))
    } else if let EntryKind::FeedbackGiven { question, score } = entry {
        if let Some(place) = given(tx, *conversation, *question, *score)? {
            follows.0.insert(*conversation, place);
        }
        Ok(())
    } else {
        Ok(())
    }
}

/// Where a contact counts whose customer is asked now; nowhere if it is only practised.
fn place_of(tx: &Connection, contact: ContactId, at: Millis) -> Result<Option<Place>, StoreError> {
    let day = signed(at.0 / DAY_MS);
    let found = tx
        .prepare_cached("SELECT queue, owner FROM contacts WHERE contact = ?1 AND practice = 0")?
        .query_row([contact.to_string()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((Some(queue), Some(agent))) = found else { return Ok(None) };
    Ok(Some(Place { day, queue, agent }))
}

fn asked(
    tx: &Connection,
    conversation: ConversationId,
    place: &Place,
    question: Question,
    is_first: bool,
) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT OR REPLACE INTO feedback_open (conversation, day, queue, agent, is_first)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![conversation.to_string(), place.day, place.queue, place.agent, is_first])?;
    if is_first {
        count_contact(tx, place, "asked")?;
    }
    count_score(tx, place, question, WAS_ASKED)
}

/// Gives where it counted; nowhere if nothing was asked that counts.
fn given(
    tx: &Connection,
    conversation: ConversationId,
    question: Question,
    score: u8,
) -> Result<Option<Place>, StoreError> {
    let found = tx
        .prepare_cached(
            "DELETE FROM feedback_open WHERE conversation = ?1 RETURNING day, queue, agent, is_first",
        )?
        .query_row([conversation.to_string()], |row| {
            Ok((Place { day: row.get(0)?, queue: row.get(1)?, agent: row.get(2)? }, row.get(3)?))
        })
        .optional()?;
    let Some((place, is_first)) = found else { return Ok(None) };
    if is_first {
        count_contact(tx, &place, "answered")?;
    }
    count_score(tx, &place, question, score.into())?;
    Ok(Some(place))
}

/// `column` is one of ours.
fn count_contact(tx: &Connection, place: &Place, column: &'static str) -> Result<(), StoreError> {
    let sql = format!(
        "INSERT INTO feedback_contacts (day, queue, agent, {column}) VALUES (?1, ?2, ?3, 1)
         ON CONFLICT (day, queue, agent) DO UPDATE SET {column} = {column} + 1"
    );
    tx.prepare_cached(&sql)?.execute(params![place.day, place.queue, place.agent])?;
    Ok(())
}

fn count_score(tx: &Connection, place: &Place, question: Question, score: i64) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT INTO feedback_scores (day, queue, agent, question, score, times) VALUES (?1, ?2, ?3, ?4, ?5, 1)
         ON CONFLICT (day, queue, agent, question, score) DO UPDATE SET times = times + 1",
    )?
    .execute(params![place.day, place.queue, place.agent, question.as_str(), score])?;
    Ok(())
}

#[cfg(test)]
mod tests;
