//! What was given, asked, promised and told, from REMEDIES. No customer's words stand here.

use protocol::policy::Policy;
use protocol::remedies::{Grant, RemedyCause, RemedyEvent, RemedyInput, RemedyRecord};
use protocol::remedy::EmpowermentInput;
use protocol::streams::REMEDIES;
use protocol::{AskId, Millis, PromiseId, RemedyId};
use rusqlite::{Connection, params};

use crate::store::{Model, StoreError, signed};

/// Where a remedy stands, as the word in its row.
pub(crate) mod word {
    pub(crate) const GRANTED: &str = "granted";
    pub(crate) const UNDONE: &str = "undone";
    pub(crate) const ORDERED: &str = "ordered";
    pub(crate) const DONE: &str = "done";
    pub(crate) const FAILED: &str = "failed";
    pub(crate) const UNKNOWN: &str = "unknown";
    /// Of an ask: a colleague said yes.
    pub(crate) const YES: &str = "yes";
    /// Of an ask: nobody answered, and it was little.
    pub(crate) const SOFT_YES: &str = "soft_yes";
    /// Of an ask or a promise: not ended yet.
    pub(crate) const OPEN: &str = "open";
    pub(crate) const MOOT: &str = "moot";
    pub(crate) const KEPT: &str = "kept";
    pub(crate) const BROKEN: &str = "broken";
}

/// Remedies, asks, promises and stories.
pub(crate) struct Remedies;

impl Model for Remedies {
    type Record = RemedyRecord;
    type Given = RemedyRecord;
    const LOG: &'static str = REMEDIES;
    const NAME: &'static str = "views remedies";
    const VERSION: i64 = 2;
    const TABLES: &'static [&'static str] = &["
CREATE TABLE policy (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  hash TEXT NOT NULL,
  json TEXT NOT NULL
) STRICT;
CREATE TABLE remedies (
  remedy TEXT PRIMARY KEY,
  contact TEXT NOT NULL,
  agent TEXT NOT NULL,
  at INTEGER NOT NULL,
  queue TEXT NOT NULL,
  channel TEXT NOT NULL,
  kind TEXT NOT NULL,
  occasion TEXT NOT NULL,
  card TEXT,
  currency TEXT,
  cents INTEGER NOT NULL,
  state TEXT NOT NULL,
  reason TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX remedies_by_time ON remedies (at);
CREATE INDEX remedies_by_state ON remedies (state);
CREATE TABLE practice (
  contact TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;
CREATE TABLE asks (
  ask TEXT PRIMARY KEY,
  agent TEXT NOT NULL,
  at INTEGER NOT NULL,
  card TEXT,
  state TEXT NOT NULL,
  promised INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX asks_by_time ON asks (at);
CREATE TABLE promises (
  promise TEXT PRIMARY KEY,
  agent TEXT NOT NULL,
  at INTEGER NOT NULL,
  state TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX promises_by_time ON promises (at);
CREATE TABLE stories (
  row INTEGER PRIMARY KEY,
  story TEXT NOT NULL UNIQUE,
  remedy TEXT NOT NULL,
  agent TEXT NOT NULL,
  at INTEGER NOT NULL,
  title TEXT NOT NULL,
  consent INTEGER NOT NULL
) STRICT;
"];

    fn fold(tx: &Connection, _seq: u64, record: &RemedyRecord) -> Result<(), StoreError> {
        learn_practice(tx, record)?;
        record.events.iter().try_for_each(|event| fold_event(tx, record, event))
    }
}

/// Contacts that are only practised are in no report.
fn learn_practice(tx: &Connection, record: &RemedyRecord) -> Result<(), StoreError> {
    let RemedyCause::Contacts { input: RemedyInput::Command { context: Some(context), .. }, .. } =
        &record.cause
    else {
        return Ok(());
    };
    if context.practice {
        tx.prepare_cached("INSERT OR IGNORE INTO practice (contact) VALUES (?1)")?
            .execute([context.contact.to_string()])?;
    }
    Ok(())
}

fn fold_event(tx: &Connection, record: &RemedyRecord, event: &RemedyEvent) -> Result<(), StoreError> {
    match event {
        RemedyEvent::PolicyApplied => policy_applied(tx, &record.cause),
        // What is only practised is in no report.
        RemedyEvent::Granted(grant) if grant.context.practice => Ok(()),
        RemedyEvent::Granted(grant) => granted(tx, record.at, grant),
        RemedyEvent::Undone { remedy } => stands(tx, *remedy, word::UNDONE, ""),
        RemedyEvent::Ordered { remedy } => stands(tx, *remedy, word::ORDERED, ""),
        RemedyEvent::Done { remedy, .. } => stands(tx, *remedy, word::DONE, ""),
        RemedyEvent::Failed { remedy, reason } => stands(tx, *remedy, word::FAILED, reason),
        RemedyEvent::Unknown { remedy, reason, .. } => stands(tx, *remedy, word::UNKNOWN, reason),
        RemedyEvent::AskOpened { context, .. } if context.practice => Ok(()),
        RemedyEvent::AskOpened { ask, agent, card, .. } => {
            tx.prepare_cached(
                "INSERT OR IGNORE INTO asks (ask, agent, at, card, state, promised) VALUES (?1, ?2, ?3, ?4, ?5, 0)",
            )?
            .execute(params![
                ask.to_string(),
                agent.to_string(),
                signed(record.at.0),
                card.as_ref().map(|card| card.as_str()),
                word::OPEN
            ])?;
            Ok(())
        }
        RemedyEvent::AskAnswered { ask, by } => {
            ask_ended(tx, *ask, if by.is_some() { word::YES } else { word::SOFT_YES })
        }
        RemedyEvent::AskMoot { ask, .. } => ask_ended(tx, *ask, word::MOOT),
        RemedyEvent::AskPromised { ask, .. } => {
            tx.prepare_cached("UPDATE asks SET promised = 1 WHERE ask = ?1")?.execute([ask.to_string()])?;
            Ok(())
        }
        RemedyEvent::PromiseMade { promise, agent, contact, .. } => {
            tx.prepare_cached(
                "INSERT OR IGNORE INTO promises (promise, agent, at, state) SELECT ?1, ?2, ?3, ?4
                 WHERE NOT EXISTS (SELECT 1 FROM practice WHERE contact = ?5)",
            )?
            .execute(params![
                promise.to_string(),
                agent.to_string(),
                signed(record.at.0),
                word::OPEN,
                contact.to_string()
            ])?;
            Ok(())
        }
        RemedyEvent::PromiseKept { promise, in_time } => {
            promise_ended(tx, *promise, if *in_time { word::KEPT } else { word::BROKEN })
        }
        RemedyEvent::PromiseBroken { promise, .. } => promise_ended(tx, *promise, word::BROKEN),
        RemedyEvent::StoryTold { .. } => story_told(tx, record.at, event),
        RemedyEvent::Fenced { .. }
        | RemedyEvent::PolicyRefused { .. }
        | RemedyEvent::FactsNoted
        | RemedyEvent::FactsRefused { .. }
        | RemedyEvent::SignalNoted { .. }
        | RemedyEvent::SignalContested { .. }
        | RemedyEvent::OwnIdentityNoted
        | RemedyEvent::TellWanted { .. }
        | RemedyEvent::TellEnded { .. }
        | RemedyEvent::AskWentOn { .. }
        | RemedyEvent::Asked { .. }
        | RemedyEvent::AskLeft { .. }
        | RemedyEvent::PromiseReminded { .. }
        | RemedyEvent::Praised { .. }
        | RemedyEvent::CommandSettled { .. }
        | RemedyEvent::DuplicateSkipped => Ok(()),
    }
}

fn story_told(tx: &Connection, at: Millis, event: &RemedyEvent) -> Result<(), StoreError> {
    let RemedyEvent::StoryTold { story, remedy, agent, title, consent } = event else { return Ok(()) };
    tx.prepare_cached(
        "INSERT OR IGNORE INTO stories (story, remedy, agent, at, title, consent) SELECT ?1, ?2, ?3, ?4, ?5, ?6
         WHERE EXISTS (SELECT 1 FROM remedies WHERE remedy = ?2)",
    )?
    .execute(params![
        story.to_string(),
        remedy.to_string(),
        agent.to_string(),
        signed(at.0),
        title,
        consent
    ])?;
    Ok(())
}

fn policy_applied(tx: &Connection, cause: &RemedyCause) -> Result<(), StoreError> {
    let RemedyCause::Contacts { input: RemedyInput::Input { input, .. }, .. } = cause else { return Ok(()) };
    let EmpowermentInput::Policy(policy) = input else { return Ok(()) };
    let json = to_json::<Policy>(&policy.policy)?;
    tx.prepare_cached("INSERT OR REPLACE INTO policy (one, hash, json) VALUES (1, ?1, ?2)")?
        .execute(params![policy.hash.to_string(), json])?;
    Ok(())
}

fn granted(tx: &Connection, at: Millis, grant: &Grant) -> Result<(), StoreError> {
    let money = grant.money();
    tx.prepare_cached(
        "INSERT OR IGNORE INTO remedies
         (remedy, contact, agent, at, queue, channel, kind, occasion, card, currency, cents, state, reason)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, '')",
    )?
    .execute(params![
        grant.remedy.to_string(),
        grant.context.contact.to_string(),
        grant.agent.to_string(),
        signed(at.0),
        grant.context.queue.as_str(),
        grant.context.channel.as_str(),
        grant.kind().as_str(),
        to_json(&grant.occasion())?,
        grant.card.as_ref().map(|card| card.as_str()),
        money.map(|money| money.currency.to_string()),
        money.map_or(0, |money| money.cents),
        word::GRANTED
    ])?;
    Ok(())
}

fn stands(tx: &Connection, remedy: RemedyId, state: &str, reason: &str) -> Result<(), StoreError> {
    tx.prepare_cached("UPDATE remedies SET state = ?2, reason = ?3 WHERE remedy = ?1")?.execute(params![
        remedy.to_string(),
        state,
        reason
    ])?;
    Ok(())
}

fn ask_ended(tx: &Connection, ask: AskId, state: &str) -> Result<(), StoreError> {
    tx.prepare_cached("UPDATE asks SET state = ?2 WHERE ask = ?1")?
        .execute(params![ask.to_string(), state])?;
    Ok(())
}

/// A promise that was broken stays broken, also when it is kept later.
fn promise_ended(tx: &Connection, promise: PromiseId, state: &str) -> Result<(), StoreError> {
    tx.prepare_cached("UPDATE promises SET state = ?2 WHERE promise = ?1 AND state = ?3")?
        .execute(params![promise.to_string(), state, word::OPEN])?;
    Ok(())
}

pub(crate) fn to_json<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Row(error.to_string()))
}
