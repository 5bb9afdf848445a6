//! The index of all words, in the clear: what is folded into it, and what is taken out when a key is destroyed.

use std::collections::BTreeSet;

use protocol::record::EntryKind;
use protocol::search::Said;
use protocol::streams::CONTACTS;
use protocol::{AgentId, ChannelKind, ContactId, ConversationId, IdentityId, Millis, Record, SubjectToken};
use rusqlite::{Connection, OptionalExtension, params};

use crate::store::{Model, StoreError, signed, unsigned};

/// What stands around a hit in a snippet; these never stand in what is kept.
pub(super) const MARK: char = '\u{2}';
pub(super) const MARK_END: char = '\u{3}';
/// Most rows taken out in one transaction.
const FORGOTTEN_AT_ONCE: usize = 500;

/// All words of all conversations.
pub(crate) struct Search;

/// What a record says, opened.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spoken {
    /// Conversations that begin.
    pub(super) opened: Vec<(ConversationId, IdentityId, ChannelKind)>,
    /// Entries with words, in order.
    pub(super) words: Vec<Words>,
    /// What contacts are tagged with from here; all of it.
    pub(super) tagged: Vec<(ConversationId, ContactId, BTreeSet<SubjectToken>)>,
}

/// An entry with its words in the clear.
#[derive(Clone, Debug)]
pub(crate) struct Words {
    pub(super) conversation: ConversationId,
    pub(super) contact: ContactId,
    pub(super) seq: u64,
    pub(super) at: Millis,
    pub(super) said: Said,
    pub(super) agent: Option<AgentId>,
    /// Whose key sealed them, and which of their keys.
    pub(super) key: (IdentityId, u32),
    pub(super) text: String,
    /// The name that the customer gave with them.
    pub(super) name: Option<String>,
}

impl Spoken {
    /// One entry, and with it perhaps the conversation that it begins: what is measured is made of these.
    pub(crate) fn of(
        opened: Option<(ConversationId, IdentityId, ChannelKind)>,
        (conversation, contact): (ConversationId, ContactId),
        (seq, at): (u64, Millis),
        agent: Option<AgentId>,
        identity: IdentityId,
        text: String,
        name: Option<String>,
    ) -> Self {
        let said = if agent.is_some() { Said::Agent } else { Said::Customer };
        let words = Words { conversation, contact, seq, at, said, agent, key: (identity, 1), text, name };
        Self { opened: opened.into_iter().collect(), words: vec![words], tagged: Vec::new() }
    }

    /// How many bytes its words have.
    pub(crate) fn bytes(&self) -> u64 {
        self.words.iter().map(|words| u64::try_from(words.text.len()).unwrap_or(u64::MAX)).sum()
    }

    /// Three words that stand together in it.
    pub(crate) fn phrase(&self) -> Option<String> {
        let text = &self.words.first()?.text;
        let words: Vec<&str> = text.split(' ').take(3).collect();
        (words.len() == 3).then(|| words.join(" "))
    }
}

/// What kind of words an entry has, and who wrote them; `None` if nobody's are searched for there.
pub(super) fn said_in(kind: &EntryKind) -> Option<(Said, Option<AgentId>)> {
    match kind {
        EntryKind::FromColleague => Some((Said::Agent, None)),
        EntryKind::FromCustomer | EntryKind::FromBlocked | EntryKind::Automatic => {
            Some((Said::Customer, None))
        }
        EntryKind::FromAgent { agent, bot: false } => Some((Said::Agent, Some(*agent))),
        EntryKind::FromAgent { agent, bot: true } => Some((Said::Bot, Some(*agent))),
        EntryKind::Suggested { agent } => Some((Said::Suggested, Some(*agent))),
        EntryKind::Told { agent, .. } => Some((Said::Told, Some(*agent))),
        EntryKind::Warned { agent } => Some((Said::Agent, Some(*agent))),
        EntryKind::Note { agent } => Some((Said::Note, Some(*agent))),
        EntryKind::Annotated { .. } => Some((Said::Note, None)),
        EntryKind::Whispered { agent } => Some((Said::Whispered, Some(*agent))),
        // An incident's words are the company's, and the same in thousands of conversations.
        EntryKind::IncidentTold { .. }
        | EntryKind::Blocked { .. }
        | EntryKind::HandedOver { .. }
        | EntryKind::Joined { .. }
        | EntryKind::TransferredToQueue { .. }
        | EntryKind::TransferredToAgent { .. }
        | EntryKind::HandedBack { .. }
        | EntryKind::Consulted { .. }
        | EntryKind::ConsultDeclined { .. }
        | EntryKind::JoinedBeside { .. }
        | EntryKind::LeftAgain { .. }
        | EntryKind::Reclaimed { .. }
        | EntryKind::Resolved { .. }
        | EntryKind::Snoozed { .. }
        | EntryKind::CallbackAsked
        | EntryKind::SilenceWarned { .. }
        | EntryKind::ClosedAfterSilence { .. }
        | EntryKind::TakenOver { .. }
        | EntryKind::Closed { .. }
        | EntryKind::CustomerLeft
        // A number alone is nothing to look for.
        | EntryKind::FeedbackAsked { .. }
        | EntryKind::FeedbackGiven { .. }
        | EntryKind::WentOn { .. }
        | EntryKind::CameFrom { .. }
        | EntryKind::Reopened => None,
    }
}

impl Model for Search {
    type Record = Record;
    type Given = Spoken;
    const LOG: &'static str = CONTACTS;
    const NAME: &'static str = "views search";
    const VERSION: i64 = 3;
    /// Words stand once, in `entries`; `words` is an index over them that keeps no copy. Rows come in the order of the log, so
    /// that a time is a place among them. `tags` makes what is filtered by a word like any other: then a filter that holds for
    /// few rows among many hits costs no look at each of them.
    const TABLES: &'static [&'static str] = &["
CREATE TABLE conversations (
  row INTEGER PRIMARY KEY,
  conversation TEXT NOT NULL UNIQUE,
  identity TEXT NOT NULL,
  channel TEXT NOT NULL
) STRICT;
CREATE INDEX conversations_by_identity ON conversations (identity);
CREATE TABLE agents (
  row INTEGER PRIMARY KEY,
  agent TEXT NOT NULL UNIQUE
) STRICT;
CREATE TABLE tags (
  row INTEGER PRIMARY KEY,
  tag TEXT NOT NULL UNIQUE
) STRICT;
CREATE TABLE tagged (
  contact TEXT NOT NULL,
  tag INTEGER NOT NULL,
  PRIMARY KEY (contact, tag)
) STRICT, WITHOUT ROWID;
CREATE TABLE keys (
  row INTEGER PRIMARY KEY,
  identity TEXT NOT NULL,
  generation INTEGER NOT NULL,
  UNIQUE (identity, generation)
) STRICT;
CREATE TABLE erased (
  identity TEXT PRIMARY KEY,
  generation INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE heard (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  revision INTEGER
) STRICT;
INSERT INTO heard (one) VALUES (1);
CREATE TABLE entries (
  row INTEGER PRIMARY KEY,
  conversation INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  contact TEXT NOT NULL,
  at INTEGER NOT NULL,
  channel TEXT NOT NULL,
  said TEXT NOT NULL,
  agent INTEGER,
  key INTEGER NOT NULL,
  text TEXT NOT NULL,
  name TEXT,
  UNIQUE (conversation, seq)
) STRICT;
CREATE INDEX entries_by_time ON entries (at);
CREATE INDEX entries_by_key ON entries (key);
CREATE INDEX entries_by_contact ON entries (contact);
CREATE INDEX names ON entries (conversation, seq) WHERE name IS NOT NULL;
CREATE VIEW indexed AS
  SELECT row, text, name, 'c' || channel || ' v' || conversation || ' a' || ifnull(agent, 0)
    || ifnull((SELECT group_concat(' t' || tagged.tag, '') FROM tagged WHERE tagged.contact = entries.contact), '') AS tags
  FROM entries;
CREATE VIRTUAL TABLE words USING fts5(
  text, name, tags,
  content='indexed', content_rowid='row',
  tokenize='unicode61 remove_diacritics 2', prefix='2 3 4'
);
INSERT INTO words (words, rank) VALUES ('secure-delete', 1);
"];

    fn fold(tx: &Connection, _seq: u64, spoken: &Spoken) -> Result<(), StoreError> {
        for (conversation, identity, channel) in &spoken.opened {
            tx.prepare_cached(
                "INSERT OR IGNORE INTO conversations (conversation, identity, channel) VALUES (?1, ?2, ?3)",
            )?
            .execute(params![
                conversation.to_string(),
                identity.to_string(),
                channel.as_str()
            ])?;
        }
        for words in &spoken.words {
            add(tx, words)?;
        }
        for (_, contact, tags) in &spoken.tagged {
            tag(tx, *contact, tags)?;
        }
        Ok(())
    }
}

fn add(tx: &Connection, words: &Words) -> Result<(), StoreError> {
    let (identity, generation) = words.key;
    // They were opened before this transaction, and their key may have been destroyed in between.
    if erased_up_to(tx, identity)?.is_some_and(|erased| generation <= erased) {
        return Ok(());
    }
    let Some((conversation, channel)) = conversation(tx, words.conversation)? else {
        tracing::error!(conversation = %words.conversation, "the log adds an entry to no conversation: run the ledger");
        return Ok(());
    };
    let key = key_row(tx, identity, generation)?;
    let agent = words.agent.map(|agent| agent_row(tx, agent)).transpose()?;
    let name = new_name(tx, conversation, words.name.as_deref())?;
    let text = words.text.replace([MARK, MARK_END], " ");
    let added = tx
        .prepare_cached(
            "INSERT OR IGNORE INTO entries (conversation, seq, contact, at, channel, said, agent, key, text, name)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            conversation,
            signed(words.seq),
            words.contact.to_string(),
            signed(words.at.0),
            channel,
            words.said.as_str(),
            agent,
            key,
            text,
            name
        ])?;
    if added == 0 {
        tracing::error!(conversation = %words.conversation, seq = words.seq, "the log adds the same entry twice: run the ledger");
        return Ok(());
    }
    tx.prepare_cached(
        "INSERT INTO words (rowid, text, name, tags) SELECT row, text, name, tags FROM indexed WHERE row = ?1",
    )?
    .execute(params![tx.last_insert_rowid()])?;
    Ok(())
}

/// The rows of a contact are found by other tags from here, in whatever conversations it was: each is taken out of the index and put in again.
fn tag(tx: &Connection, contact: ContactId, tags: &BTreeSet<SubjectToken>) -> Result<(), StoreError> {
    let contact = contact.to_string();
    let rows = {
        let mut select = tx.prepare_cached("SELECT row FROM entries WHERE contact = ?1")?;
        let found = select.query_map([&contact], |row| row.get(0))?;
        found.collect::<Result<Vec<i64>, _>>()?
    };
    // The index first: it reads in the row what it has to take out of itself.
    for row in &rows {
        tx.prepare_cached("DELETE FROM words WHERE rowid = ?1")?.execute([row])?;
    }
    tx.prepare_cached("DELETE FROM tagged WHERE contact = ?1")?.execute([&contact])?;
    for tag in tags {
        tx.prepare_cached("INSERT OR IGNORE INTO tags (tag) VALUES (?1)")?.execute([tag.as_str()])?;
        tx.prepare_cached("INSERT INTO tagged (contact, tag) SELECT ?1, row FROM tags WHERE tag = ?2")?
            .execute(params![contact, tag.as_str()])?;
    }
    for row in &rows {
        tx.prepare_cached(
            "INSERT INTO words (rowid, text, name, tags) SELECT row, text, name, tags FROM indexed WHERE row = ?1",
        )?
        .execute([row])?;
    }
    Ok(())
}

fn conversation(tx: &Connection, id: ConversationId) -> Result<Option<(i64, String)>, StoreError> {
    let mut select = tx.prepare_cached("SELECT row, channel FROM conversations WHERE conversation = ?1")?;
    Ok(select.query_row([id.to_string()], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
}

fn agent_row(tx: &Connection, agent: AgentId) -> Result<i64, StoreError> {
    tx.prepare_cached("INSERT OR IGNORE INTO agents (agent) VALUES (?1)")?.execute([agent.to_string()])?;
    let mut select = tx.prepare_cached("SELECT row FROM agents WHERE agent = ?1")?;
    Ok(select.query_row([agent.to_string()], |row| row.get(0))?)
}

fn key_row(tx: &Connection, identity: IdentityId, generation: u32) -> Result<i64, StoreError> {
    let key = params![identity.to_string(), generation];
    tx.prepare_cached("INSERT OR IGNORE INTO keys (identity, generation) VALUES (?1, ?2)")?.execute(key)?;
    let mut select = tx.prepare_cached("SELECT row FROM keys WHERE identity = ?1 AND generation = ?2")?;
    Ok(select.query_row(params![identity.to_string(), generation], |row| row.get(0))?)
}

/// A name is kept where it is given for the first time: found by it is the customer, not each of their messages.
fn new_name<'a>(
    tx: &Connection,
    conversation: i64,
    name: Option<&'a str>,
) -> Result<Option<&'a str>, StoreError> {
    let Some(name) = name else { return Ok(None) };
    let known = customer_name(tx, conversation)?;
    Ok((known.as_deref() != Some(name)).then_some(name))
}

/// The name that the customer gave last.
pub(super) fn customer_name(tx: &Connection, conversation: i64) -> Result<Option<String>, StoreError> {
    let mut select = tx.prepare_cached(
        "SELECT name FROM entries WHERE conversation = ?1 AND name IS NOT NULL ORDER BY seq DESC LIMIT 1",
    )?;
    Ok(select.query_row([conversation], |row| row.get(0)).optional()?)
}

fn erased_up_to(tx: &Connection, identity: IdentityId) -> Result<Option<u32>, StoreError> {
    let mut select = tx.prepare_cached("SELECT generation FROM erased WHERE identity = ?1")?;
    Ok(select.query_row([identity.to_string()], |row| row.get(0)).optional()?)
}

/// Up to which change of the keys erasures have been heard; `None` in a new file.
pub(super) fn heard(connection: &Connection) -> Result<Option<u64>, StoreError> {
    let mut select = connection.prepare_cached("SELECT revision FROM heard WHERE one = 1")?;
    let revision: Option<i64> = select.query_row([], |row| row.get(0))?;
    revision.map(unsigned).transpose()
}

/// Remembers up to which change of the keys erasures have been heard.
pub(super) fn set_heard(tx: &Connection, revision: u64) -> Result<(), StoreError> {
    tx.prepare_cached("UPDATE heard SET revision = ?1 WHERE one = 1")?.execute([signed(revision)])?;
    Ok(())
}

/// From here on nothing gets in that was sealed with these keys.
pub(super) fn bar(tx: &Connection, identity: IdentityId, generation: u32) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT INTO erased (identity, generation) VALUES (?1, ?2)
         ON CONFLICT (identity) DO UPDATE SET generation = max(generation, excluded.generation)",
    )?
    .execute(params![identity.to_string(), generation])?;
    Ok(())
}

/// Takes out some of what was sealed with these keys; gives how many rows, and none when nothing is left.
pub(super) fn forget_some(
    tx: &Connection,
    identity: IdentityId,
    generation: u32,
) -> Result<usize, StoreError> {
    let rows = {
        let mut select = tx.prepare_cached(
            "SELECT entries.row FROM keys JOIN entries ON entries.key = keys.row
             WHERE keys.identity = ?1 AND keys.generation <= ?2 LIMIT ?3",
        )?;
        let most = i64::try_from(FORGOTTEN_AT_ONCE).unwrap_or(i64::MAX);
        let found = select.query_map(params![identity.to_string(), generation, most], |row| row.get(0))?;
        found.collect::<Result<Vec<i64>, _>>()?
    };
    for row in &rows {
        // The index first: it reads in the row what it has to take out of itself.
        tx.prepare_cached("DELETE FROM words WHERE rowid = ?1")?.execute([row])?;
        tx.prepare_cached("DELETE FROM entries WHERE row = ?1")?.execute([row])?;
    }
    if rows.is_empty() {
        tx.prepare_cached("DELETE FROM keys WHERE identity = ?1 AND generation <= ?2")?
            .execute(params![identity.to_string(), generation])?;
    }
    Ok(rows.len())
}
