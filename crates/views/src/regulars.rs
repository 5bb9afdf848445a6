//! Whom an agent has helped again and again, and where these can be written to first.
//!
//! A contact counts for who resolved it, and for the customer as live links join them when it is asked. Practice never counts.

use std::collections::{BTreeMap, BTreeSet};

use protocol::arrival::{Opening, Regular, RegularsAnswer, RegularsQuestion, Way, opening};
use protocol::limits::{REGULAR_CONTACTS_LOOKED_AT_MAX, REGULAR_CONTACTS_MIN, REGULAR_DAYS};
use protocol::record::EntryKind;
use protocol::thread::entries;
use protocol::time::DAY_MS;
use protocol::{Cause, Event, IdentityId, InputBody, Millis, Record, SubjectToken};
use rusqlite::{Connection, OptionalExtension, params};

use crate::answer::Asked;
use crate::customer::{Joined, channel, first_words};
use crate::history::{WORDS_BYTES_MAX, json, word};
use crate::store::{StoreError, read_progress, signed, unsigned};

/// Regulars that are told of: more than there are drafts for, since whoever did not agree to it is left out only at the desk.
const TOLD_MAX: usize = 200;

/// The tables, part of those of the conversations.
pub(crate) const TABLES: &str = "
CREATE TABLE writers (
  identity TEXT PRIMARY KEY,
  wrote_at INTEGER,
  language TEXT,
  may_write INTEGER,
  silent_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX contacts_resolved ON contacts (owner, ended_at) WHERE state = 'resolved' AND practice = 0;
";

/// What a record says of who wrote: when, in which language, and whether they may be written to.
pub(crate) fn fold(tx: &Connection, record: &Record) -> Result<(), StoreError> {
    let Cause::Input { input, .. } = &record.cause else { return Ok(()) };
    let InputBody::Message(message) = &input.body else { return Ok(()) };
    let is_taken = |event: &Event| {
        !matches!(event, Event::DuplicateSkipped | Event::Parked { .. } | Event::CanaryHeard { .. })
    };
    if message.by_colleague || !record.events.iter().all(is_taken) {
        return Ok(());
    }
    let wrote = entries(record).any(|(_, entry)| entry.kind == EntryKind::FromCustomer);
    if !wrote && message.may_write.is_none() {
        return Ok(());
    }
    tx.prepare_cached(
        "INSERT INTO writers (identity, wrote_at, language, may_write, silent_at) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT DO UPDATE SET wrote_at = coalesce(excluded.wrote_at, wrote_at), language = coalesce(excluded.language, language),
           silent_at = CASE WHEN excluded.may_write IS NULL THEN silent_at ELSE excluded.silent_at END,
           may_write = coalesce(excluded.may_write, may_write)",
    )?
    .execute(params![
        message.identity.to_string(),
        wrote.then(|| signed(record.at.0)),
        message.language.map(|language| language.to_string()),
        message.may_write,
        (message.may_write == Some(false)).then(|| signed(record.at.0))
    ])?;
    Ok(())
}

/// An agent's regulars.
pub(crate) struct Regulars;

impl Asked for Regulars {
    type Question = RegularsQuestion;
    type Answer = RegularsAnswer;
    const ABOUT: &'static str = "regulars";

    fn answer(
        connection: &mut Connection,
        question: &RegularsQuestion,
        now: Millis,
    ) -> Result<RegularsAnswer, StoreError> {
        let tx = connection.transaction()?;
        let log_seq = read_progress(&tx)?.log_seq;
        let mut regulars = Vec::new();
        let mut words_bytes = 0;
        for customer in customers(&tx, question, now)? {
            let Customer { identities, resolved, last_at } = customer;
            if resolved < REGULAR_CONTACTS_MIN {
                continue;
            }
            let ways = ways(&tx, &identities, now, &mut words_bytes)?;
            if ways.is_empty() {
                continue;
            }
            let silent_since = silent_since(&tx, &identities)?;
            regulars.push(Regular { identities, resolved, last_at, silent_since, ways });
            if regulars.len() == TOLD_MAX {
                break;
            }
        }
        Ok(RegularsAnswer { log_seq, regulars })
    }
}

/// What an agent had to do with a customer.
struct Customer {
    identities: Vec<IdentityId>,
    resolved: u32,
    last_at: Millis,
}

/// A contact that the agent resolved.
struct Helped {
    identity: IdentityId,
    at: Millis,
    is_suited: bool,
}

/// Who was helped last first.
fn customers(tx: &Connection, question: &RegularsQuestion, now: Millis) -> Result<Vec<Customer>, StoreError> {
    let helped = helped(tx, question, now)?;
    let mut found: Vec<Customer> = Vec::new();
    let mut place_of: BTreeMap<IdentityId, usize> = BTreeMap::new();
    // To find out who somebody is takes long: only of those whom it suits.
    for Helped { identity, at, .. } in helped.iter().filter(|one| one.is_suited) {
        if place_of.contains_key(identity) {
            continue;
        }
        let identities = Joined::around(tx, *identity)?.order;
        for member in &identities {
            place_of.entry(*member).or_insert(found.len());
        }
        found.push(Customer { identities, resolved: 0, last_at: *at });
    }
    for Helped { identity, at, .. } in &helped {
        if let Some(place) = place_of.get(identity)
            && let Some(customer) = found.get_mut(*place)
        {
            customer.resolved = customer.resolved.saturating_add(1);
            customer.last_at = customer.last_at.max(*at);
        }
    }
    found.sort_by_key(|customer| std::cmp::Reverse(customer.last_at));
    Ok(found)
}

/// What the agent resolved within the time that counts, the latest first. What ended by silence or was left helped nobody.
///
/// What never came to a queue, as what an agent began, counts for each.
fn helped(tx: &Connection, question: &RegularsQuestion, now: Millis) -> Result<Vec<Helped>, StoreError> {
    let RegularsQuestion { agent, suits, queue } = question;
    let since = now.0.saturating_sub(REGULAR_DAYS.saturating_mul(DAY_MS));
    let mut select = tx.prepare_cached(
        "SELECT v.identity, c.ended_at, c.tags, c.category, c.fields
         FROM contacts c CROSS JOIN conversations v ON v.conversation = c.conversation
         WHERE c.owner = ?1 AND c.state = 'resolved' AND c.practice = 0 AND c.ended_at >= ?2
           AND json_extract(c.ended, '$.is') = 'resolved' AND coalesce(c.queue, ?4) = ?4
         ORDER BY c.ended_at DESC, c.row DESC LIMIT ?3",
    )?;
    let most = i64::try_from(REGULAR_CONTACTS_LOOKED_AT_MAX).unwrap_or(i64::MAX);
    let mut rows = select.query(params![agent.to_string(), signed(since), most, queue.as_str()])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let tags: BTreeSet<SubjectToken> = json(&row.get::<_, String>(2)?)?;
        let category: Option<SubjectToken> =
            row.get::<_, Option<String>>(3)?.as_deref().map(word).transpose()?;
        let fields: BTreeMap<SubjectToken, SubjectToken> = json(&row.get::<_, String>(4)?)?;
        found.push(Helped {
            identity: word(&row.get::<_, String>(0)?)?,
            at: Millis(unsigned(row.get(1)?)?),
            is_suited: suits.suits(&tags, category.as_ref(), &fields),
        });
    }
    Ok(found)
}

/// Where a customer can be written to first, where they wrote last first; not where they asked for silence.
fn ways(
    tx: &Connection,
    identities: &[IdentityId],
    now: Millis,
    words_bytes: &mut usize,
) -> Result<Vec<Way>, StoreError> {
    let mut found = Vec::new();
    for identity in identities {
        if let Some(way) = way(tx, *identity)?
            && opening(way.channel, way.wrote_at, now) != Opening::Closed
        {
            found.push(way);
        }
    }
    found.sort_by_key(|way| (std::cmp::Reverse(way.wrote_at), way.identity));
    for way in &mut found {
        let sample = first_words(tx, &way.conversation.to_string())?;
        let bytes =
            sample.as_ref().and_then(|entry| entry.body.as_ref()).map_or(0, |body| body.as_str().len());
        if *words_bytes + bytes <= WORDS_BYTES_MAX {
            *words_bytes += bytes;
            way.sample = sample;
        }
    }
    Ok(found)
}

/// When a customer last asked for silence anywhere.
fn silent_since(tx: &Connection, identities: &[IdentityId]) -> Result<Option<Millis>, StoreError> {
    let mut last: Option<Millis> = None;
    for identity in identities {
        let at: Option<i64> = tx
            .prepare_cached("SELECT silent_at FROM writers WHERE identity = ?1")?
            .query_row([identity.to_string()], |row| row.get(0))
            .optional()?
            .flatten();
        if let Some(at) = at {
            last = last.max(Some(Millis(unsigned(at)?)));
        }
    }
    Ok(last)
}

fn way(tx: &Connection, identity: IdentityId) -> Result<Option<Way>, StoreError> {
    let row: Option<(String, String, String, i64, Option<String>)> = tx
        .prepare_cached(
            "SELECT c.channel, c.account, c.conversation, w.wrote_at, w.language
             FROM writers w JOIN conversations c ON c.identity = w.identity
             WHERE w.identity = ?1 AND w.wrote_at IS NOT NULL AND coalesce(w.may_write, 1) = 1
             ORDER BY c.opened_at DESC, c.conversation LIMIT 1",
        )?
        .query_row([identity.to_string()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
        })
        .optional()?;
    let Some((kind, account, conversation, wrote_at, language)) = row else { return Ok(None) };
    Ok(Some(Way {
        identity,
        channel: channel(&kind)?,
        account: word(&account)?,
        conversation: word(&conversation)?,
        wrote_at: Millis(unsigned(wrote_at)?),
        language: language.as_deref().map(word).transpose()?,
        sample: None,
    }))
}

#[cfg(test)]
mod tests;
