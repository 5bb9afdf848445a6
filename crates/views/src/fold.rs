//! What each event does to the rows.

use std::collections::{BTreeMap, BTreeSet};

use protocol::record::{EntryKind, OfferEnd};
use protocol::streams::CONTACTS;
use protocol::thread::{Entry, entries};
use protocol::{AgentId, ContactId, ConversationId, Event, Millis, Record, SubjectToken};
use rusqlite::{Connection, params};

use crate::store::{Model, StoreError, signed};
use crate::{customer, feedback, hours, regulars};

/// Where a contact stands, as the word in its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Waiting,
    Gathered,
    Offered,
    WithAgent,
    Aside,
    WrapUp,
    Resolved,
    Abandoned,
}

impl State {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Gathered => "gathered",
            Self::Offered => "offered",
            Self::WithAgent => "with_agent",
            Self::Aside => "aside",
            Self::WrapUp => "wrap_up",
            Self::Resolved => "resolved",
            Self::Abandoned => "abandoned",
        }
    }
}

/// `owner` is who has the contact, or had it when it ended; `ended` is the last entry that ends one, and counts only in a
/// state that is an end. Bodies are sealed.
const TABLES: &str = "
CREATE TABLE conversations (
  conversation TEXT PRIMARY KEY,
  identity TEXT NOT NULL,
  channel TEXT NOT NULL,
  account TEXT NOT NULL,
  opened_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE contacts (
  row INTEGER PRIMARY KEY,
  contact TEXT NOT NULL UNIQUE,
  conversation TEXT NOT NULL,
  channel TEXT NOT NULL,
  category TEXT,
  opened_at INTEGER NOT NULL,
  queue TEXT,
  state TEXT NOT NULL,
  owner TEXT,
  ended TEXT,
  ended_at INTEGER,
  waits_from INTEGER,
  answered INTEGER NOT NULL DEFAULT 0,
  practice INTEGER NOT NULL DEFAULT 0,
  tags TEXT NOT NULL DEFAULT '[]',
  fields TEXT NOT NULL DEFAULT '{}'
) STRICT;
CREATE TABLE hours (
  queue TEXT NOT NULL,
  hour INTEGER NOT NULL,
  arrived INTEGER NOT NULL DEFAULT 0,
  answered INTEGER NOT NULL DEFAULT 0,
  in_time INTEGER NOT NULL DEFAULT 0,
  waited_ms INTEGER NOT NULL DEFAULT 0,
  abandoned INTEGER NOT NULL DEFAULT 0,
  resolved INTEGER NOT NULL DEFAULT 0,
  handed_on INTEGER NOT NULL DEFAULT 0,
  reopened INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (queue, hour)
) STRICT, WITHOUT ROWID;
CREATE INDEX hours_by_time ON hours (hour);
CREATE INDEX contacts_by_conversation ON contacts (conversation, row);
CREATE TABLE entries (
  row INTEGER PRIMARY KEY,
  conversation TEXT NOT NULL,
  seq INTEGER NOT NULL,
  contact TEXT NOT NULL,
  at INTEGER NOT NULL,
  kind TEXT NOT NULL,
  message TEXT,
  body TEXT,
  UNIQUE (conversation, seq)
) STRICT;
";

/// Conversations and contacts, from CONTACTS.
pub(crate) struct Conversations;

impl Model for Conversations {
    type Record = Record;
    type Given = Record;
    const LOG: &'static str = CONTACTS;
    const NAME: &'static str = "views";
    const VERSION: i64 = 5;
    const TABLES: &'static [&'static str] = &[TABLES, customer::TABLES, feedback::TABLES, regulars::TABLES];

    fn fold(tx: &Connection, _seq: u64, record: &Record) -> Result<(), StoreError> {
        let mut follows = feedback::Follows::default();
        for event in &record.events {
            hours::fold_event(tx, record.at, event)?;
            fold_event(tx, record.at, event)?;
            feedback::fold_event(tx, record.at, event, &mut follows)?;
        }
        for (conversation, entry) in entries(record) {
            add_entry(tx, conversation, &entry)?;
        }
        customer::fold(tx, record)?;
        regulars::fold(tx, record)
    }
}

fn fold_event(tx: &Connection, at: Millis, event: &Event) -> Result<(), StoreError> {
    match event {
        Event::ConversationOpened { .. } => conversation_opened(tx, at, event),
        Event::ContactOpened { .. } => contact_opened(tx, at, event),
        Event::ContactReopened { contact } => waits(tx, *contact),
        Event::Queued { contact, queue, .. } => {
            tx.prepare_cached("UPDATE contacts SET queue = ?2 WHERE contact = ?1")?
                .execute(params![contact.to_string(), queue.as_str()])?;
            waits(tx, *contact)
        }
        Event::OfferMade { contact, .. } => stands(tx, *contact, State::Offered),
        Event::OfferEnded { contact, end, .. } => match end {
            // Who took it is told by the assignment.
            OfferEnd::Accepted => Ok(()),
            OfferEnd::Declined { .. }
            | OfferEnd::TimedOut
            | OfferEnd::AgentGone
            | OfferEnd::CustomerGone
            | OfferEnd::PersonWanted
            | OfferEnd::Revoked { .. } => waits(tx, *contact),
        },
        Event::Assigned { contact, agent } => owned(tx, *contact, State::WithAgent, *agent),
        Event::SetAside { contact, agent, .. } => owned(tx, *contact, State::Aside, *agent),
        Event::WrapUpStarted { contact, agent, .. } => owned(tx, *contact, State::WrapUp, *agent),
        Event::Resolved { contact, agent } => owned(tx, *contact, State::Resolved, *agent),
        Event::Abandoned { contact } => stands(tx, *contact, State::Abandoned),
        Event::ContactMoved { contact, conversation, channel, .. } => {
            tx.prepare_cached("UPDATE contacts SET conversation = ?2, channel = ?3 WHERE contact = ?1")?
                .execute(params![contact.to_string(), conversation.to_string(), channel.as_str()])?;
            Ok(())
        }
        Event::Gathered { contact, .. } => stands(tx, *contact, State::Gathered),
        Event::ContactMarked { contact, tags, fields, .. } => marked(tx, *contact, tags, fields),
        // Entries come with their words, below; the rest does not concern a conversation's past: the one that the router
        // forgets can still be read here.
        Event::EntryAdded { .. }
        | Event::ConversationForgotten { .. }
        | Event::CompanyChanged { .. }
        | Event::Fenced { .. }
        | Event::ConfigApplied
        | Event::ConfigRefused { .. }
        | Event::PreferenceEnded { .. }
        | Event::DeclinesLapsed { .. }
        | Event::Widened { .. }
        | Event::AgentConnected { .. }
        | Event::AgentDisconnected { .. }
        | Event::PresenceChanged { .. }
        | Event::PresenceQueued { .. }
        | Event::HoursChanged { .. }
        | Event::ServiceWarned { .. }
        | Event::CustomerChanged { .. }
        | Event::ServiceMissed { .. }
        | Event::Passed { .. }
        | Event::ColleaguesAsked { .. }
        | Event::CustomerTold { .. }
        | Event::AtRisk { .. }
        | Event::IncidentSet { .. }
        | Event::IncidentAsked { .. }
        | Event::IncidentWorked { .. }
        | Event::IncidentEnded { .. }
        | Event::Mentioned { .. }
        | Event::MentionsRead { .. }
        | Event::CustomerBlocked { .. }
        | Event::CustomerUnblocked { .. }
        | Event::MessageHeldBack { .. }
        | Event::ActSettled { .. }
        | Event::CommandSettled { .. }
        | Event::CanaryHeard { .. }
        | Event::DuplicateSkipped
        | Event::Parked { .. } => Ok(()),
    }
}

/// Tags and fields are few and short, and read as they were written.
fn marked(
    tx: &Connection,
    contact: ContactId,
    tags: &BTreeSet<SubjectToken>,
    fields: &BTreeMap<SubjectToken, SubjectToken>,
) -> Result<(), StoreError> {
    let row = |error: serde_json::Error| StoreError::Row(error.to_string());
    tx.prepare_cached("UPDATE contacts SET tags = ?2, fields = ?3 WHERE contact = ?1")?.execute(params![
        contact.to_string(),
        serde_json::to_string(tags).map_err(row)?,
        serde_json::to_string(fields).map_err(row)?
    ])?;
    Ok(())
}

fn contact_opened(tx: &Connection, at: Millis, event: &Event) -> Result<(), StoreError> {
    let Event::ContactOpened { contact, conversation, channel, category, practice, .. } = event else {
        return Ok(());
    };
    tx.prepare_cached(
        "INSERT INTO contacts (contact, conversation, channel, category, opened_at, state, practice) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        contact.to_string(),
        conversation.to_string(),
        channel.as_str(),
        category.as_ref().map(|word| word.as_str()),
        signed(at.0),
        State::Waiting.word(),
        practice
    ])?;
    Ok(())
}

fn conversation_opened(tx: &Connection, at: Millis, event: &Event) -> Result<(), StoreError> {
    let Event::ConversationOpened { conversation, identity, channel, account, .. } = event else {
        return Ok(());
    };
    tx.prepare_cached(
        "INSERT INTO conversations (conversation, identity, channel, account, opened_at) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![
        conversation.to_string(),
        identity.to_string(),
        channel.as_str(),
        account.as_str(),
        signed(at.0)
    ])?;
    Ok(())
}

fn waits(tx: &Connection, contact: ContactId) -> Result<(), StoreError> {
    tx.prepare_cached("UPDATE contacts SET state = ?2, owner = NULL WHERE contact = ?1")?
        .execute(params![contact.to_string(), State::Waiting.word()])?;
    Ok(())
}

fn stands(tx: &Connection, contact: ContactId, state: State) -> Result<(), StoreError> {
    tx.prepare_cached("UPDATE contacts SET state = ?2 WHERE contact = ?1")?
        .execute(params![contact.to_string(), state.word()])?;
    Ok(())
}

fn owned(tx: &Connection, contact: ContactId, state: State, agent: AgentId) -> Result<(), StoreError> {
    tx.prepare_cached("UPDATE contacts SET state = ?2, owner = ?3 WHERE contact = ?1")?.execute(params![
        contact.to_string(),
        state.word(),
        agent.to_string()
    ])?;
    Ok(())
}

fn add_entry(tx: &Connection, conversation: ConversationId, entry: &Entry) -> Result<(), StoreError> {
    let kind = serde_json::to_string(&entry.kind).map_err(|error| StoreError::Row(error.to_string()))?;
    let added = tx
        .prepare_cached(
            "INSERT OR IGNORE INTO entries (conversation, seq, contact, at, kind, message, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            conversation.to_string(),
            signed(entry.seq),
            entry.contact.to_string(),
            signed(entry.at.0),
            kind,
            entry.message.map(|message| message.to_string()),
            entry.body.as_ref().map(|body| body.as_str())
        ])?;
    if added == 0 {
        // The log broke its own law; the first one stands, and the ledger names both.
        tracing::error!(%conversation, seq = entry.seq, "the log adds the same entry twice: run the ledger");
    }
    match &entry.kind {
        EntryKind::Resolved { .. } | EntryKind::ClosedAfterSilence { .. } | EntryKind::CustomerLeft => {
            tx.prepare_cached("UPDATE contacts SET ended = ?2, ended_at = ?3 WHERE contact = ?1")?
                .execute(params![entry.contact.to_string(), kind, signed(entry.at.0)])?;
        }
        EntryKind::Reopened => {
            tx.prepare_cached("UPDATE contacts SET ended = NULL, ended_at = NULL WHERE contact = ?1")?
                .execute(params![entry.contact.to_string()])?;
        }
        EntryKind::FromCustomer
        | EntryKind::FromAgent { .. }
        | EntryKind::Suggested { .. }
        | EntryKind::HandedOver { .. }
        | EntryKind::Told { .. }
        | EntryKind::Note { .. }
        | EntryKind::Joined { .. }
        | EntryKind::TransferredToQueue { .. }
        | EntryKind::TransferredToAgent { .. }
        | EntryKind::HandedBack { .. }
        | EntryKind::Consulted { .. }
        | EntryKind::ConsultDeclined { .. }
        | EntryKind::Whispered { .. }
        | EntryKind::JoinedBeside { .. }
        | EntryKind::Annotated { .. }
        | EntryKind::Warned { .. }
        | EntryKind::Blocked { .. }
        | EntryKind::FromBlocked
        | EntryKind::LeftAgain { .. }
        | EntryKind::Snoozed { .. }
        | EntryKind::TakenOver { .. }
        | EntryKind::Closed { .. }
        | EntryKind::Automatic
        | EntryKind::CallbackAsked
        | EntryKind::SilenceWarned { .. }
        | EntryKind::IncidentTold { .. }
        | EntryKind::FromColleague
        | EntryKind::FeedbackAsked { .. }
        | EntryKind::FeedbackGiven { .. }
        | EntryKind::WentOn { .. }
        | EntryKind::CameFrom { .. }
        | EntryKind::Reclaimed { .. } => {}
    }
    Ok(())
}
