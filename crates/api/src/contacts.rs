//! Contacts over HTTP: which there are, one with what was said in it, and a new one.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use bus::Deadline;
use protocol::audit::{About, Action};
use protocol::integration::{ContactTaken, ContactsPage, PublicContact, PublicEntry, PublicLog};
use protocol::limits::{CONTACTS_PAGE_MAX, HISTORY_ENTRIES_MAX};
use protocol::record::EntryKind;
use protocol::thread::Entry;
use protocol::views::{
    ContactSeen, ContactState, ContactsAnswer, ContactsQuestion, History, HistoryQuestion,
};
use protocol::{ContactId, Event, Record, Subject, SubjectToken};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use service::Problem;

use crate::door::Caller;
use crate::feed;
use crate::idempotency::IdempotencyKey;
use crate::message::{self, Source};
use crate::problems::{self, unprocessable};
use crate::{Api, Shared, publish, trail};

/// Contacts in one answer, if not said otherwise.
pub(crate) const PAGE: usize = 100;
/// How long the read models may take to answer.
const VIEWS_WITHIN: Duration = Duration::from_secs(5);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    #[serde(default)]
    after: u64,
    limit: Option<usize>,
    state: Option<ContactState>,
    queue: Option<SubjectToken>,
}

pub(crate) async fn list(
    State(api): State<Shared>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Json<ContactsPage>, Problem> {
    let Query(asked) =
        asked.map_err(|rejection| problems::query("after, limit, state and queue", &rejection))?;
    let limit = asked.limit.unwrap_or(PAGE);
    if !(1..CONTACTS_PAGE_MAX).contains(&limit) {
        let detail = format!("use limit=1 to limit={}, and after=<next> for more", CONTACTS_PAGE_MAX - 1);
        return Err(unprocessable("limit_out_of_range", format!("the limit is {limit}"), detail));
    }
    // One more than asked for tells whether there is a next page.
    let question = ContactsQuestion {
        contact: None,
        state: asked.state,
        queue: asked.queue,
        after: asked.after,
        limit: u32::try_from(limit + 1).unwrap_or(u32::MAX),
    };
    let ContactsAnswer { log_seq, mut contacts } =
        ask(&api, &api.subjects.views_contacts(), &question).await?;
    let more = contacts.len() > limit;
    contacts.truncate(limit);
    let next = contacts.last().map(|(place, _)| *place).filter(|_| more);
    Ok(Json(ContactsPage {
        contacts: contacts.into_iter().map(|(_, seen)| seen).collect(),
        next,
        seq: log_seq,
    }))
}

pub(crate) async fn show(
    State(api): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<PublicContact>, Problem> {
    let contact = seen(&api, &id).await?;
    trail::note(&api, &caller, Action::ContactSeen, About::contact(contact.contact)).await?;
    let question = HistoryQuestion {
        conversation: contact.conversation,
        after_seq: 0,
        before_seq: None,
        limit: u32::try_from(HISTORY_ENTRIES_MAX).unwrap_or(u32::MAX),
        contact: Some(contact.contact),
    };
    let history: History = ask(&api, &api.subjects.views_history(), &question).await?;
    let mut entries = Vec::new();
    for entry in history.entries {
        entries.push(told(&api, entry).await?);
    }
    Ok(Json(PublicContact { contact, entries }))
}

/// How a contact stands.
async fn seen(api: &Api, id: &str) -> Result<ContactSeen, Problem> {
    let contact: ContactId = id.parse().map_err(|_| unknown_contact())?;
    let question = ContactsQuestion { contact: Some(contact), limit: 1, ..ContactsQuestion::default() };
    let answer: ContactsAnswer = ask(api, &api.subjects.views_contacts(), &question).await?;
    answer.contacts.into_iter().next().map(|(_, seen)| seen).ok_or_else(unknown_contact)
}

pub(crate) fn unknown_contact() -> Problem {
    let detail = "GET /api/v1/contacts tells which there are; a new one takes a moment to appear";
    Problem::new(StatusCode::NOT_FOUND, "unknown_contact", "there is no such contact", detail)
}

fn is_inside(kind: &EntryKind) -> bool {
    matches!(kind, EntryKind::Note { .. } | EntryKind::Whispered { .. } | EntryKind::Suggested { .. })
}

async fn told(api: &Api, entry: Entry) -> Result<PublicEntry, Problem> {
    let words = match &entry.body {
        // What agents note, whisper and suggest is for colleagues.
        Some(sealed) if !is_inside(&entry.kind) => Some(feed::open(api, sealed).await?),
        Some(_) | None => None,
    };
    let kind = serde_json::to_value(&entry.kind).unwrap_or_default();
    let text = |name: &str| kind.get(name).and_then(serde_json::Value::as_str);
    Ok(PublicEntry {
        entry: entry.seq,
        at: entry.at,
        is: text("is").unwrap_or_default().to_owned(),
        agent: text("agent").and_then(|agent| agent.parse().ok()),
        message: entry.message,
        erased: matches!(words, Some(None)),
        words: words.flatten().map(Into::into),
    })
}

/// Publishes a message and waits for the router to say which contact it opened, or went to.
pub(crate) async fn open(
    State(api): State<Shared>,
    key: IdempotencyKey,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<ContactTaken>), Problem> {
    let bytes =
        body.map_err(|rejection| problems::body(&rejection, api.kit.settings.limits.body_max_bytes))?;
    let end = api.feeds.end(PublicLog::Contacts).last();
    let taken = message::take(&api, &bytes, Source::Sender { id: key.text() }).await?;
    let wait = api.kit.settings.desk.command_wait;
    let found = outcome_of(&api, end, taken.input_seq, taken.duplicate, wait).await?;
    let contact = found.and_then(|record| contact_in(&record));
    let status = if contact.is_some() { StatusCode::CREATED } else { StatusCode::ACCEPTED };
    let (message, input_seq, duplicate) = (taken.message, taken.input_seq, taken.duplicate);
    Ok((status, Json(ContactTaken { contact, message, input_seq, duplicate })))
}

/// The record of an input that was stored when the log ended at `end`, or before if it is a `duplicate`; `None` if it is not there in
/// time. What came just now is decided after `end`; only what came before has to be looked for.
pub(crate) async fn outcome_of(
    api: &Api,
    end: u64,
    input_seq: u64,
    duplicate: bool,
    wait: Duration,
) -> Result<Option<Record>, Problem> {
    let before = if duplicate { record_of(api, input_seq).await? } else { None };
    match before {
        Some(record) => Ok(Some(record)),
        None => tokio::time::timeout(wait, decided(api, end, input_seq)).await.ok().transpose(),
    }
}

/// The contact to which the record's message went.
fn contact_in(record: &Record) -> Option<ContactId> {
    record.events.iter().find_map(|event| {
        let Event::EntryAdded { contact, .. } = event else { return None };
        Some(*contact)
    })
}

/// Waits for the record of an input, which stands after a place in the log.
async fn decided(api: &Api, mut after: u64, input_seq: u64) -> Result<Record, Problem> {
    let end = api.feeds.end(PublicLog::Contacts);
    let mut newer = end.newer();
    loop {
        newer.borrow_and_update();
        for (seq, payload) in end.read(&api.bus, after, 256).await? {
            after = seq;
            let record: Record = feed::read(api, PublicLog::Contacts, seq, &payload)?;
            if record.cause.inbound_seq() == Some(input_seq) {
                return Ok(record);
            }
        }
        if end.last() <= after && newer.changed().await.is_err() {
            return Err(problems::bus_unavailable());
        }
    }
}

/// The record of an input that was decided already: inputs are consumed in their order, so the log can be halved.
async fn record_of(api: &Api, input_seq: u64) -> Result<Option<Record>, Problem> {
    let end = api.feeds.end(PublicLog::Contacts);
    let (mut low, mut high) = (1, end.last());
    while low <= high {
        let middle = low + (high - low) / 2;
        // Deadlines have records too, without an input: the next one that has one says where it is.
        let Some((at, record)) = next_with_input(api, middle, high).await? else {
            high = middle - 1;
            continue;
        };
        match record.cause.inbound_seq().unwrap_or(0).cmp(&input_seq) {
            std::cmp::Ordering::Equal => return Ok(Some(record)),
            std::cmp::Ordering::Less => low = at + 1,
            std::cmp::Ordering::Greater => high = middle - 1,
        }
    }
    Ok(None)
}

async fn next_with_input(api: &Api, from: u64, upto: u64) -> Result<Option<(u64, Record)>, Problem> {
    for seq in from..=upto {
        let payload = api.feeds.end(PublicLog::Contacts).read_one(&api.bus, seq).await?;
        let Some(payload) = payload else { continue };
        let record: Record = feed::read(api, PublicLog::Contacts, seq, &payload)?;
        if record.cause.inbound_seq().is_some() {
            return Ok(Some((seq, record)));
        }
    }
    Ok(None)
}

/// Asks the read models.
async fn ask<A: DeserializeOwned>(
    api: &Api,
    subject: &Subject,
    question: &impl Serialize,
) -> Result<A, Problem> {
    let question = publish::json(question)?;
    let answer = api.bus.request(subject, question.into(), Deadline::after(VIEWS_WITHIN)).await;
    let answer = answer.map_err(|error| {
        tracing::warn!(%error, "the read models did not answer");
        Problem::unavailable("views_silent", "the read models do not answer")
    })?;
    serde_json::from_slice(&answer).map_err(|error| {
        tracing::error!(line = error.line(), "an answer of the read models does not read");
        Problem::internal()
    })
}
