//! Who a customer is: identities joined by live links, and all that was said with them.
//!
//! Nothing is merged: the rows say what each identity is known by and what agents said, and who belongs together is found
//! out with each question. So what one link did is undone by taking that link away, whatever else happened meanwhile.

use std::collections::{BTreeMap, BTreeSet};

use protocol::customer::{
    CustomerAnswer, CustomerChange, CustomerLink, CustomerQuestion, CustomerSuggestion, KnownIdentity,
    LinkWhy, TimelineEntry,
};
use protocol::limits::{HISTORY_ENTRIES_MAX, IDENTITIES_MAX};
use protocol::record::EntryKind;
use protocol::thread::{Entry, entries};
use protocol::{AgentId, Cause, ChannelKind, Event, Hash128, IdentityId, InputBody, LinkId, Millis, Record};
use rusqlite::{Connection, OptionalExtension, params};

use crate::answer::Asked;
use crate::history::{WORDS_BYTES_MAX, entry, word};
use crate::store::{StoreError, read_progress, signed, unsigned};

/// Most suggestions told.
const SUGGESTIONS_MAX: usize = 10;
/// Most of what one identity is known by that is looked at, what was verified first: somebody may type addresses all day.
const KEYS_MAX: usize = 20;
/// What more than so many are known by is nobody's own: a shop's address, that of a form.
const KNOWN_BY_MAX: usize = 20;

/// The tables, part of those of the conversations.
pub(crate) const TABLES: &str = "
CREATE INDEX conversations_by_identity ON conversations (identity);
CREATE TABLE customer_keys (
  identity TEXT NOT NULL,
  key TEXT NOT NULL,
  link TEXT NOT NULL,
  verified INTEGER NOT NULL,
  since INTEGER NOT NULL,
  PRIMARY KEY (identity, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX customer_keys_by_key ON customer_keys (key, verified DESC, since, identity);
CREATE INDEX customer_keys_by_identity ON customer_keys (identity, verified DESC, since, key);
CREATE TABLE customer_links (
  link TEXT PRIMARY KEY,
  one TEXT NOT NULL,
  other TEXT NOT NULL,
  agent TEXT NOT NULL,
  at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX customer_links_by_one ON customer_links (one);
CREATE INDEX customer_links_by_other ON customer_links (other);
CREATE TABLE customer_parted (
  link TEXT PRIMARY KEY,
  agent TEXT NOT NULL,
  at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
";

/// What a record says of who its customer is.
pub(crate) fn fold(tx: &Connection, record: &Record) -> Result<(), StoreError> {
    note_keys(tx, record)?;
    for event in &record.events {
        if let Event::CustomerChanged { agent, change, .. } = event {
            changed(tx, record.at, *agent, change)?;
        }
    }
    Ok(())
}

/// Only a message that was taken says anything: a duplicate, or what was parked, left no entry.
fn note_keys(tx: &Connection, record: &Record) -> Result<(), StoreError> {
    let Cause::Input { input, .. } = &record.cause else { return Ok(()) };
    let InputBody::Message(message) = &input.body else { return Ok(()) };
    let Some(keys) = &message.keys else { return Ok(()) };
    let is_own = |entry: &Entry| matches!(entry.kind, EntryKind::FromCustomer | EntryKind::Automatic);
    if !entries(record).any(|(_, entry)| is_own(&entry)) {
        return Ok(());
    }
    let mut note = tx.prepare_cached(
        "INSERT INTO customer_keys (identity, key, link, verified, since) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT DO UPDATE SET verified = max(verified, excluded.verified)",
    )?;
    let verified = keys.verified.iter().map(|key| (key, true));
    for (key, is_verified) in verified.chain(keys.claimed.iter().map(|key| (key, false))) {
        let identity = message.identity.to_string();
        let link = LinkId::of_key(message.identity, *key).to_string();
        note.execute(params![identity, key.to_string(), link, is_verified, signed(record.at.0)])?;
    }
    Ok(())
}

fn changed(tx: &Connection, at: Millis, agent: AgentId, change: &CustomerChange) -> Result<(), StoreError> {
    match change {
        CustomerChange::Linked { link, one, other } => {
            // Two agents, or one who pressed twice, say it once: taking it away then parts them.
            tx.prepare_cached(
                "INSERT OR IGNORE INTO customer_links (link, one, other, agent, at) SELECT ?1, ?2, ?3, ?4, ?5
                 WHERE NOT EXISTS (SELECT 1 FROM customer_links l WHERE (l.one, l.other) IN ((?2, ?3), (?3, ?2))
                   AND NOT EXISTS (SELECT 1 FROM customer_parted p WHERE p.link = l.link))",
            )?
            .execute(params![
                link.to_string(),
                one.to_string(),
                other.to_string(),
                agent.to_string(),
                signed(at.0)
            ])?;
        }
        CustomerChange::Parted { link } => {
            tx.prepare_cached("INSERT OR IGNORE INTO customer_parted (link, agent, at) VALUES (?1, ?2, ?3)")?
                .execute(params![link.to_string(), agent.to_string(), signed(at.0)])?;
        }
    }
    Ok(())
}

/// Who a customer is.
pub(crate) struct Customer;

impl Asked for Customer {
    type Question = CustomerQuestion;
    type Answer = CustomerAnswer;
    const ABOUT: &'static str = "customers";

    fn answer(
        connection: &mut Connection,
        question: &CustomerQuestion,
        _now: Millis,
    ) -> Result<CustomerAnswer, StoreError> {
        customer(connection, question)
    }
}

/// Reads who it is, in one snapshot of the rows; an unknown conversation is nobody's.
pub(crate) fn customer(
    connection: &mut Connection,
    question: &CustomerQuestion,
) -> Result<CustomerAnswer, StoreError> {
    let tx = connection.transaction()?;
    let log_seq = read_progress(&tx)?.log_seq;
    let owner = tx
        .prepare_cached("SELECT identity FROM conversations WHERE conversation = ?1")?
        .query_row([question.conversation.to_string()], |row| row.get::<_, String>(0))
        .optional()?;
    let Some(owner) = owner else { return Ok(CustomerAnswer { log_seq, ..CustomerAnswer::default() }) };
    let joined = Joined::around(&tx, word(&owner)?)?;
    let identities = joined.order.iter().map(|id| known(&tx, *id)).collect::<Result<Vec<_>, _>>()?;
    let suggestions = suggestions(&tx, &joined)?;
    let (timeline, has_more) = timeline(&tx, &joined.order, question.before, question.limit)?;
    Ok(CustomerAnswer {
        log_seq,
        identities: identities.into_iter().flatten().collect(),
        is_cut: joined.is_cut,
        links: joined.links,
        suggestions,
        timeline,
        has_more,
    })
}

/// The identities of one customer, in the order in which they were found.
pub(crate) struct Joined {
    pub(crate) order: Vec<IdentityId>,
    links: Vec<CustomerLink>,
    pub(crate) is_cut: bool,
}

impl Joined {
    /// Follows live links from one identity to all that it is joined with.
    pub(crate) fn around(tx: &Connection, first: IdentityId) -> Result<Self, StoreError> {
        let mut joined = Self { order: vec![first], links: Vec::new(), is_cut: false };
        let mut found = BTreeMap::from([(first, 0)]);
        let mut told = BTreeSet::new();
        let mut keys = BTreeSet::new();
        let mut at = 0;
        while let Some(from) = joined.order.get(at).copied() {
            at += 1;
            for (to, link) in neighbours(tx, from, from == first, &mut keys)? {
                let place = found.get(&to).copied();
                if place.is_none() && joined.order.len() >= IDENTITIES_MAX {
                    joined.is_cut = true;
                    continue;
                }
                if place.is_none() {
                    found.insert(to, joined.order.len());
                    joined.order.push(to);
                }
                if told.insert((link.link, link.identity)) {
                    joined.links.push(link);
                }
            }
        }
        joined.links.sort_by_key(|link| (link.at, link.link, link.identity));
        Ok(joined)
    }
}

/// The identities that one is joined with directly, each with the link that joins it; what was looked at is not again.
///
/// What is verified for the customer who was asked for as well is named by their side: it is said of them that they are somebody else, and
/// the others stay with one another.
fn neighbours(
    tx: &Connection,
    from: IdentityId,
    is_first: bool,
    looked_at: &mut BTreeSet<Hash128>,
) -> Result<Vec<(IdentityId, CustomerLink)>, StoreError> {
    let mut found = Vec::new();
    for key in keys_of(tx, from, true)? {
        if !looked_at.insert(key) {
            continue;
        }
        for (identity, at) in known_by(tx, key, true, IDENTITIES_MAX + 1)? {
            if identity != from {
                let link = LinkId::of_key(if is_first { from } else { identity }, key);
                found.push((identity, CustomerLink { link, why: LinkWhy::Verified { key }, identity, at }));
            }
        }
    }
    let mut select = tx.prepare_cached(
        "SELECT link, one, other, agent, at FROM customer_links
         WHERE (one = ?1 OR other = ?1) AND link NOT IN (SELECT link FROM customer_parted) ORDER BY at, link",
    )?;
    let mut rows = select.query([from.to_string()])?;
    while let Some(row) = rows.next()? {
        let (one, other): (IdentityId, IdentityId) =
            (word(&row.get::<_, String>(1)?)?, word(&row.get::<_, String>(2)?)?);
        let agent = word(&row.get::<_, String>(3)?)?;
        let link = word(&row.get::<_, String>(0)?)?;
        let at = Millis(unsigned(row.get(4)?)?);
        let to = if one == from { other } else { one };
        let why = LinkWhy::Agent { agent, other: one };
        found.push((to, CustomerLink { link, why, identity: other, at }));
    }
    Ok(found)
}

/// What an identity is known by, without what an agent parted it from; what was verified first.
fn keys_of(tx: &Connection, identity: IdentityId, verified: bool) -> Result<Vec<Hash128>, StoreError> {
    let mut select = tx.prepare_cached(
        "SELECT key FROM customer_keys k WHERE identity = ?1 AND verified >= ?2
         AND NOT EXISTS (SELECT 1 FROM customer_parted p WHERE p.link = k.link)
         ORDER BY verified DESC, since, key LIMIT ?3",
    )?;
    let most = i64::try_from(KEYS_MAX).unwrap_or(i64::MAX);
    let mut rows = select.query(params![identity.to_string(), verified, most])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(word(&row.get::<_, String>(0)?)?);
    }
    Ok(found)
}

/// Who is known by this, without whom an agent parted from it; for whom it was verified first.
fn known_by(
    tx: &Connection,
    key: Hash128,
    verified: bool,
    most: usize,
) -> Result<Vec<(IdentityId, Millis)>, StoreError> {
    let mut select = tx.prepare_cached(
        "SELECT identity, since FROM customer_keys k WHERE key = ?1 AND verified >= ?2
         AND NOT EXISTS (SELECT 1 FROM customer_parted p WHERE p.link = k.link)
         ORDER BY verified DESC, since, identity LIMIT ?3",
    )?;
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let mut rows = select.query(params![key.to_string(), verified, most])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push((word(&row.get::<_, String>(0)?)?, Millis(unsigned(row.get(1)?)?)));
    }
    Ok(found)
}

/// Who is known by the same, and not joined because it was only said; nobody of whom an agent said that it is somebody else.
fn suggestions(tx: &Connection, joined: &Joined) -> Result<Vec<CustomerSuggestion>, StoreError> {
    let mut seen: BTreeSet<_> = joined.order.iter().copied().collect();
    let mut keys = BTreeSet::new();
    let mut found = Vec::new();
    for member in &joined.order {
        for key in keys_of(tx, *member, false)? {
            if !keys.insert(key) {
                continue;
            }
            let others = known_by(tx, key, false, KNOWN_BY_MAX + 1)?;
            if others.len() > KNOWN_BY_MAX {
                continue;
            }
            for (other, _) in others {
                if !seen.insert(other) || is_declined(tx, joined, other)? {
                    continue;
                }
                if let Some(identity) = known(tx, other)? {
                    found.push(CustomerSuggestion { identity, link: LinkId::of_pair(*member, other) });
                }
                if found.len() == SUGGESTIONS_MAX {
                    return Ok(found);
                }
            }
        }
    }
    Ok(found)
}

/// Whether an agent said that this one is nobody of the customer's.
fn is_declined(tx: &Connection, joined: &Joined, other: IdentityId) -> Result<bool, StoreError> {
    let mut select = tx.prepare_cached("SELECT 1 FROM customer_parted WHERE link = ?1")?;
    for member in &joined.order {
        if select.exists([LinkId::of_pair(*member, other).to_string()])? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What is told of an identity; `None` for one that never wrote.
fn known(tx: &Connection, identity: IdentityId) -> Result<Option<KnownIdentity>, StoreError> {
    let mut select = tx.prepare_cached(
        "SELECT channel, account, opened_at, count(*) OVER (), conversation FROM conversations
         WHERE identity = ?1 ORDER BY opened_at, conversation LIMIT 1",
    )?;
    let mut rows = select.query([identity.to_string()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let count: i64 = row.get(3)?;
    Ok(Some(KnownIdentity {
        identity,
        channel: channel(&row.get::<_, String>(0)?)?,
        account: word(&row.get::<_, String>(1)?)?,
        conversations: u32::try_from(count).unwrap_or(u32::MAX),
        since: Millis(unsigned(row.get(2)?)?),
        sample: first_words(tx, &row.get::<_, String>(4)?)?,
    }))
}

/// The first words of a conversation that are its own customer's: an agent may have written first.
pub(crate) fn first_words(tx: &Connection, conversation: &str) -> Result<Option<Entry>, StoreError> {
    let mut select = tx.prepare_cached(
        "SELECT seq, at, contact, kind, message, body FROM entries
         WHERE conversation = ?1 AND body IS NOT NULL AND kind ->> '$.is' = 'from_customer' ORDER BY seq LIMIT 1",
    )?;
    let mut rows = select.query([conversation])?;
    rows.next()?.map(entry).transpose()
}

/// The latest entries of all conversations of these identities, oldest first, and whether there are more before them.
pub(crate) fn timeline(
    tx: &Connection,
    identities: &[IdentityId],
    before: Option<u64>,
    limit: u32,
) -> Result<(Vec<TimelineEntry>, bool), StoreError> {
    let most = usize::try_from(limit).unwrap_or(usize::MAX).min(HISTORY_ENTRIES_MAX);
    let names: Vec<String> = identities.iter().map(ToString::to_string).collect();
    let names = serde_json::to_string(&names).map_err(|error| StoreError::Row(error.to_string()))?;
    // CROSS JOIN keeps the order: from the few identities to their entries, never through all entries.
    let mut select = tx.prepare_cached(
        "SELECT e.seq, e.at, e.contact, e.kind, e.message, e.body, e.row, c.conversation, c.channel, c.identity
         FROM json_each(?1) i CROSS JOIN conversations c ON c.identity = i.value
         CROSS JOIN entries e ON e.conversation = c.conversation
         WHERE e.row < ?2 ORDER BY e.row DESC LIMIT ?3",
    )?;
    let before = before.map_or(i64::MAX, signed);
    let asked = i64::try_from(most + 1).unwrap_or(i64::MAX);
    let mut rows = select.query(params![names, before, asked])?;
    let (mut found, mut words_bytes) = (Vec::new(), 0);
    let mut has_more = false;
    while let Some(row) = rows.next()? {
        let entry = entry(row)?;
        words_bytes += entry.body.as_ref().map_or(0, |body| body.as_str().len());
        has_more = found.len() >= most || words_bytes > WORDS_BYTES_MAX;
        if has_more {
            break;
        }
        found.push(TimelineEntry {
            place: unsigned(row.get(6)?)?,
            conversation: word(&row.get::<_, String>(7)?)?,
            identity: word(&row.get::<_, String>(9)?)?,
            channel: channel(&row.get::<_, String>(8)?)?,
            entry,
        });
    }
    found.reverse();
    Ok((found, has_more))
}

pub(crate) fn channel(word: &str) -> Result<ChannelKind, StoreError> {
    let found = ChannelKind::ALL.into_iter().find(|kind| kind.as_str() == word);
    found.ok_or_else(|| StoreError::Row(format!("{word:?} is no channel")))
}

#[cfg(test)]
mod tests;
