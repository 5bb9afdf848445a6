//! The feed of public events: read from a log by a cursor, which is the log's own sequence.
//!
//! Nothing is kept for it: an event is folded from its record whenever somebody asks. What has just happened stands in a ring
//! that all readers share, so that a thousand waiting readers cost one tail; older parts are read from the stream.

mod end;
mod origins;
pub(crate) mod routes;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use bus::{Bus, UnsealError};
use protocol::content::{Content, Sealed};
use protocol::delivery::Delivery;
use protocol::formats::{self, ReadError, Versioned};
use protocol::integration::fold::{self, Folded};
use protocol::integration::{FeedPage, PublicEvent, PublicLog, PublicType};
use protocol::{ContactId, IdentityId, Record, RemedyRecord};
use service::{Kit, Problem};

use crate::feed::end::LogEnd;
use crate::feed::origins::Origins;
use crate::{Api, problems};

/// Records that are looked at for one page.
const SCANNED_MAX: usize = 2_000;
/// Bytes of records that are looked at for one page.
const SCANNED_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Records read at once.
const READ_AT_ONCE: usize = 256;

/// The logs, and who waits for more of them.
pub(crate) struct Feeds {
    contacts: Arc<LogEnd>,
    remedies: Arc<LogEnd>,
    deliveries: Arc<LogEnd>,
    origins: Origins,
    waiting: Mutex<HashMap<String, usize>>,
}

/// What a reader asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask<'a> {
    /// Which log.
    pub(crate) log: PublicLog,
    /// Events of records after this sequence.
    pub(crate) after: u64,
    /// About so many events; those of one record stay together.
    pub(crate) limit: usize,
    /// Which types; empty: all.
    pub(crate) types: &'a BTreeSet<PublicType>,
}

/// A part of a log, folded; words are sealed still.
pub(crate) struct Scanned {
    pub(crate) told: Vec<Folded>,
    /// Up to where the log was looked at.
    pub(crate) next: u64,
    /// Where it ends for now.
    pub(crate) last: u64,
}

/// Begins to follow the ends of the logs.
pub(crate) async fn follow(kit: &Kit, bus: &Bus) -> anyhow::Result<Feeds> {
    Ok(Feeds {
        contacts: end::follow(kit, bus, PublicLog::Contacts).await?,
        remedies: end::follow(kit, bus, PublicLog::Remedies).await?,
        deliveries: end::follow(kit, bus, PublicLog::Deliveries).await?,
        origins: Origins::default(),
        waiting: Mutex::default(),
    })
}

impl Feeds {
    /// The end of a log.
    pub(crate) fn end(&self, log: PublicLog) -> &LogEnd {
        match log {
            PublicLog::Contacts => &self.contacts,
            PublicLog::Remedies => &self.remedies,
            PublicLog::Deliveries => &self.deliveries,
        }
    }

    /// Takes one of the places in which a reader may wait; `None` if it has them all.
    pub(crate) fn wait(&self, reader: &str, at_once_max: usize) -> Option<Waiting<'_>> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let own = waiting.entry(reader.to_owned()).or_default();
        if *own >= at_once_max {
            return None;
        }
        *own += 1;
        Some(Waiting { feeds: self, reader: reader.to_owned() })
    }
}

/// A place in which a reader waits; free again when it is dropped.
pub(crate) struct Waiting<'a> {
    feeds: &'a Feeds,
    reader: String,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut waiting = self.feeds.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = waiting.get_mut(&self.reader) {
            *own -= 1;
            if *own == 0 {
                waiting.remove(&self.reader);
            }
        }
    }
}

/// Reads on in a log: until there are about as many events as asked for, or the log ends, or enough was looked at.
pub(crate) async fn scan(api: &Api, ask: Ask<'_>) -> Result<Scanned, Problem> {
    let end = api.feeds.end(ask.log);
    let (mut told, mut next) = (Vec::new(), ask.after);
    let (mut records, mut bytes) = (0, 0);
    loop {
        let last = end.last();
        let found = end.read(&api.bus, next, READ_AT_ONCE).await?;
        if found.is_empty() {
            // What was deleted leaves holes; nothing stands between here and the end.
            return Ok(Scanned { told, next: next.max(last), last });
        }
        for (seq, payload) in found {
            records += 1;
            bytes += payload.len();
            told.extend(
                folded(api, ask.log, seq, &payload)
                    .await?
                    .into_iter()
                    .filter(|one| ask.types.is_empty() || ask.types.contains(&one.event.body.kind())),
            );
            next = seq;
            if told.len() >= ask.limit || records >= SCANNED_MAX || bytes >= SCANNED_BYTES_MAX {
                return Ok(Scanned { told, next, last: last.max(next) });
            }
        }
    }
}

/// What a record tells.
async fn folded(api: &Api, log: PublicLog, seq: u64, payload: &[u8]) -> Result<Vec<Folded>, Problem> {
    match log {
        PublicLog::Contacts => {
            let record: Record = read(api, log, seq, payload)?;
            let origins = origins::of(api, seq, &record, fold::contacts_of(&record)).await?;
            Ok(fold::of_contacts(seq, &record, |contact| origins.get(&contact).cloned()))
        }
        PublicLog::Remedies => {
            let record: RemedyRecord = read(api, log, seq, payload)?;
            let contacts = origins::of_remedies(api, seq, &record).await?;
            let named = contacts.values().copied().chain(fold::contacts_of_remedies(&record)).collect();
            let origins = origins::of_elsewhere(api, named).await?;
            let contact = |remedy| contacts.get(&remedy).copied();
            Ok(fold::of_remedies(seq, &record, contact, |contact| origins.get(&contact).cloned()))
        }
        PublicLog::Deliveries => {
            let record: Delivery = read(api, log, seq, payload)?;
            let origins = origins::of_elsewhere(api, record.contact.into_iter().collect()).await?;
            let told = fold::of_delivery(seq, &record, |contact| origins.get(&contact).cloned());
            Ok(told.into_iter().collect())
        }
    }
}

/// Whose a contact is, with whose key what is said in it is sealed; `None`: the log has no such contact.
///
/// # Errors
/// When the bus does not answer; fate: retry.
pub(crate) async fn identity_of(api: &Api, contact: ContactId) -> Result<Option<IdentityId>, Problem> {
    origins::identity_of(api, contact).await
}

/// A record that does not read would be left out of somebody's books for ever: the reader waits until a person has looked. One of a later
/// version ends this process: the reader waits for one that reads it.
pub(crate) fn read<T: Versioned>(api: &Api, log: PublicLog, seq: u64, payload: &[u8]) -> Result<T, Problem> {
    formats::read(log.stream(), seq, payload).map_err(|error| {
        match error {
            ReadError::Later(later) => {
                api.kit.drain.spawn("api feed reads", async move { Err(later.into()) });
            }
            ReadError::Broken { line, .. } => {
                tracing::error!(?log, seq, line, "a record of the log does not read");
            }
        }
        Problem::internal()
    })
}

/// Puts the words in, for who may read them.
pub(crate) async fn opened(api: &Api, folded: Folded, words: bool) -> Result<PublicEvent, Problem> {
    let Folded { event, sealed } = folded;
    let Some(sealed) = sealed.filter(|_| words) else { return Ok(event) };
    let content = open(api, &sealed).await?;
    Ok(PublicEvent { body: event.body.with_words(content.map(Into::into)), ..event })
}

/// Opens words; `None`: they were erased.
pub(crate) async fn open(api: &Api, sealed: &Sealed) -> Result<Option<Content>, Problem> {
    let bytes = match api.sealer.unseal(sealed).await {
        Ok(bytes) => bytes,
        Err(UnsealError::Erased) => return Ok(None),
        Err(error @ (UnsealError::NoKey | UnsealError::Damaged)) => {
            // Nobody can read them any more either.
            tracing::error!(%error, "words of the log cannot be opened");
            return Ok(None);
        }
        Err(UnsealError::Unavailable(error)) => {
            tracing::warn!(%error, "the keys did not answer");
            return Err(problems::bus_unavailable());
        }
    };
    Ok(serde_json::from_slice(&bytes).ok())
}

/// How far the log of contacts can be read on from a sequence, as a page of it that tells of nothing. It is read and folded as for any reader; what
/// stands in it has no part in where the page ends.
///
/// # Errors
/// As of [`page`].
pub(crate) async fn position(api: &Api, after: u64) -> Result<FeedPage, Problem> {
    let all = BTreeSet::new();
    let ask = Ask { log: PublicLog::Contacts, after, limit: usize::MAX, types: &all };
    let Scanned { next, last, .. } = scan(api, ask).await?;
    Ok(FeedPage { events: Vec::new(), next, behind: last.saturating_sub(next) })
}

/// A page of the feed.
///
/// # Errors
/// When the bus does not answer (the reader comes again), or a record does not read.
pub(crate) async fn page(api: &Api, ask: Ask<'_>, words: bool) -> Result<FeedPage, Problem> {
    let Scanned { told, next, last } = scan(api, ask).await?;
    let mut events = Vec::with_capacity(told.len());
    for folded in told {
        events.push(opened(api, folded, words).await?);
    }
    Ok(FeedPage { events, next, behind: last.saturating_sub(next) })
}
