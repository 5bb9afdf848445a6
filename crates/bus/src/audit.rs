//! The audit trail: appended by many processes, one chain.
//!
//! Each entry carries the sequence that it expects to follow and the hash of the bytes that stand there. Who was overtaken reads the new
//! end and writes the entry anew behind it, so that two processes never make two branches. The server deletes nothing of this stream.

use std::future::IntoFuture;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::message::PublishMessage;
use protocol::audit::{AUDIT_VERSION, About, Action, Actor, AuditEntry, AuditLine, AuditPage, Hash256};
use protocol::subjects::Subjects;
use protocol::{Millis, Subject, streams};
use tokio::sync::Mutex;

use crate::connection::{Bus, unless_reconnected};
use crate::deadline::Deadline;
use crate::places;
use crate::publish::{CODES_WRONG_LAST, PublishError, RECONNECTED, publish_error, server_code};
use crate::streams::StreamError;
use crate::tail::TailError;

/// How long an entry is tried to be stored: a server's restart takes one or two seconds.
const APPEND_WAIT_MAX: Duration = Duration::from_secs(8);
const RETRY_PAUSE: Duration = Duration::from_millis(50);
/// Entries read again at most to find out whether a lost acknowledgement was ours.
const LOOK_BACK_MAX: usize = 10_000;
/// Most entries in one page.
pub const AUDIT_PAGE_MAX: usize = 500;

/// Why an entry was not written. What it would have told of must not happen then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuditError {
    /// AUDIT is at its limit; fate: refuse, and a person makes it larger.
    #[error("write to the audit trail: it is full")]
    Full,
    /// The server did not answer in time; the entry may stand there; fate: retry.
    #[error("write to the audit trail: {0}")]
    Unavailable(String),
}

/// The trail's end in this process. Clones share it.
#[derive(Clone)]
pub struct Audit {
    bus: Bus,
    subject: Subject,
    /// The sequence and hash of the last entry known here; taken while one is written, so that one process never overtakes itself.
    end: Arc<Mutex<Option<End>>>,
}

#[derive(Clone, Copy)]
struct End {
    n: u64,
    hash: Hash256,
}

const BEGINNING: End = End { n: 0, hash: Hash256::NONE };

/// What came of one try.
enum Tried {
    Stored(End),
    /// An earlier try landed, unseen, under this number.
    Earlier(u64),
    /// Somebody else wrote, or an earlier try landed unseen.
    Overtaken,
    Failed(AuditError),
}

impl Audit {
    /// Opens the trail and makes its stream if it is not there.
    ///
    /// # Errors
    /// [`StreamError`].
    pub async fn open(bus: &Bus, subjects: &Subjects, max_bytes: u64) -> Result<Self, StreamError> {
        bus.ensure_stream(&places::audit(subjects, max_bytes)).await?;
        Ok(Self { bus: bus.clone(), subject: subjects.audit(), end: Arc::default() })
    }

    /// Writes one entry and gives its number. Tries for eight seconds.
    ///
    /// # Errors
    /// [`AuditError`]: then do not do what it tells of.
    pub async fn append(
        &self,
        at: Millis,
        actor: Actor,
        action: Action,
        about: About,
    ) -> Result<u64, AuditError> {
        let id = new_id()?;
        let deadline = Deadline::after(APPEND_WAIT_MAX);
        let mut end = self.end.lock().await;
        let mut entry = AuditEntry { v: AUDIT_VERSION, n: 0, at, actor, action, about, prev: Hash256::NONE };
        let mut reason = AuditError::Unavailable("no time left".to_owned());
        while !deadline.has_passed() {
            let known = match *end {
                Some(known) => known,
                None => match self.find_end(&id, None).await {
                    Ok(Found { end: found, .. }) => *end.insert(found),
                    Err(error) => {
                        reason = AuditError::Unavailable(error);
                        tokio::time::sleep(RETRY_PAUSE).await;
                        continue;
                    }
                },
            };
            (entry.n, entry.prev) = (known.n + 1, known.hash);
            match self.attempt(&id, &entry, known.n).await {
                Tried::Stored(stored) => {
                    *end = Some(stored);
                    return Ok(stored.n);
                }
                Tried::Earlier(n) => {
                    *end = None;
                    return Ok(n);
                }
                Tried::Failed(AuditError::Full) => return Err(AuditError::Full),
                Tried::Failed(error @ AuditError::Unavailable(_)) => {
                    reason = error;
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
                Tried::Overtaken => {}
            }
            // Whatever stands there now, ours among it or not.
            *end = None;
            if let Ok(Found { end: found, ours }) = self.find_end(&id, Some(known.n)).await {
                *end = Some(found);
                if let Some(n) = ours {
                    return Ok(n);
                }
            }
        }
        Err(reason)
    }

    async fn attempt(&self, id: &str, entry: &AuditEntry, expected: u64) -> Tried {
        let failed = |reason: String| Tried::Failed(AuditError::Unavailable(reason));
        let payload = match serde_json::to_vec(entry) {
            Ok(payload) => payload,
            Err(error) => return failed(error.to_string()),
        };
        let hash = hash(&payload);
        let message = PublishMessage::build()
            .payload(payload.into())
            .message_id(id)
            .expected_stream(streams::AUDIT)
            .expected_last_sequence(expected);
        let sent_on = self.bus.connection_count();
        let sent = self.bus.js.send_publish(self.subject.as_str().to_owned(), message).await;
        let answer = match sent {
            Ok(ack) => unless_reconnected(&self.bus.connections, sent_on, ack.into_future()).await,
            Err(error) => Some(Err(error)),
        };
        match answer {
            None => failed(RECONNECTED.to_owned()),
            Some(Ok(ack)) if ack.sequence == entry.n && !ack.duplicate => {
                Tried::Stored(End { n: entry.n, hash })
            }
            // Nobody else has this id: an earlier try of ours landed, unseen.
            Some(Ok(ack)) if ack.duplicate => Tried::Earlier(ack.sequence),
            Some(Ok(_)) => Tried::Overtaken,
            Some(Err(error)) if server_code(&error).is_some_and(|code| CODES_WRONG_LAST.contains(&code)) => {
                Tried::Overtaken
            }
            Some(Err(error)) => match publish_error(&error) {
                PublishError::Full => Tried::Failed(AuditError::Full),
                PublishError::TooLarge => failed("the entry is too large".to_owned()),
                PublishError::Unavailable(reason) | PublishError::Refused(reason) => failed(reason),
                PublishError::NotYet(not_yet) => failed(not_yet.to_string()),
            },
        }
    }

    /// The end as it stands, and whether an entry behind `after` was published under this id.
    async fn find_end(&self, id: &str, after: Option<u64>) -> Result<Found, String> {
        let last = self.bus.read_last(streams::AUDIT).await.map_err(|error| error.to_string())?;
        let end = last.as_ref().map_or(BEGINNING, |item| End { n: item.seq, hash: hash(&item.payload) });
        let mut ours = None;
        if let Some(after) = after.filter(|after| *after < end.n) {
            let behind = self.bus.read_range(streams::AUDIT, after + 1, end.n, LOOK_BACK_MAX).await;
            let behind = behind.map_err(|error| error.to_string())?;
            ours = behind.iter().find(|item| item.msg_id() == Some(id)).map(|item| item.seq);
        }
        Ok(Found { end, ours })
    }

    /// The entries after a number, at most `limit` and [`AUDIT_PAGE_MAX`] of them.
    ///
    /// # Errors
    /// [`AuditReadError`].
    pub async fn page(&self, after: u64, limit: usize) -> Result<AuditPage, AuditReadError> {
        page(&self.bus, after, limit).await
    }

    /// The last entries before a number, or the last ones of all.
    ///
    /// # Errors
    /// [`AuditReadError`].
    pub async fn page_before(&self, before: Option<u64>, limit: usize) -> Result<AuditPage, AuditReadError> {
        let last = self.bus.stream_usage(streams::AUDIT).await?.last_seq;
        let limit = limit.clamp(1, AUDIT_PAGE_MAX);
        let end = before.map_or(last, |before| before.saturating_sub(1).min(last));
        let first = end.saturating_sub(u64::try_from(limit).unwrap_or(u64::MAX));
        let wanted = usize::try_from(end - first).unwrap_or(usize::MAX);
        if wanted == 0 {
            return Ok(AuditPage { entries: Vec::new(), last, next: None });
        }
        page(&self.bus, first, wanted).await
    }
}

struct Found {
    end: End,
    ours: Option<u64>,
}

/// Why the trail could not be read.
#[derive(Debug, thiserror::Error)]
pub enum AuditReadError {
    /// The stream does not answer; fate: retry.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// The stream cannot be read; fate: retry.
    #[error(transparent)]
    Tail(#[from] TailError),
    /// An entry does not read: it was written by a later version, or tampered with; fate: a person verifies the trail.
    #[error("read entry {0} of the audit trail: it does not read")]
    Unreadable(u64),
}

async fn page(bus: &Bus, after: u64, limit: usize) -> Result<AuditPage, AuditReadError> {
    let last = bus.stream_usage(streams::AUDIT).await?.last_seq;
    let limit = limit.clamp(1, AUDIT_PAGE_MAX);
    let items = bus.read_range(streams::AUDIT, after.saturating_add(1), last, limit).await?;
    let mut entries = Vec::with_capacity(items.len());
    for item in items {
        let entry =
            serde_json::from_slice(&item.payload).map_err(|_| AuditReadError::Unreadable(item.seq))?;
        entries.push(AuditLine { entry, hash: hash(&item.payload) });
    }
    let next = entries.last().map(|line| line.entry.n).filter(|n| *n < last);
    Ok(AuditPage { entries, last, next })
}

/// The place at which the chain does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuditFault {
    /// Entries are missing before this one.
    #[error("entry {expected} is missing: the next one is {found}")]
    Missing {
        /// The number that should have come.
        expected: u64,
        /// The number that came.
        found: u64,
    },
    /// It does not read as an entry.
    #[error("entry {0} is no entry")]
    Unreadable(u64),
    /// It says that it is another one.
    #[error("entry {at} says that it is entry {says}: it was moved or taken from elsewhere")]
    Moved {
        /// Where it stands.
        at: u64,
        /// Which it says it is.
        says: u64,
    },
    /// The entry before it is not the one that it followed.
    #[error("entry {0} is not the one that entry {next} was written behind: one of them was changed", next = .0 + 1)]
    Changed(u64),
    /// The head that was written down elsewhere is not in the chain.
    #[error("entry {n} is not the one that was expected: it was changed, or everything before it was")]
    NotExpected {
        /// Its number.
        n: u64,
    },
    /// The chain ends before the head that was written down elsewhere.
    #[error("the trail ends at entry {found}, before entry {expected}, which there was: its end was cut off")]
    CutOff {
        /// The number of the head.
        expected: u64,
        /// Where the chain ends.
        found: u64,
    },
}

/// Checks a trail, entry by entry, from its first one.
#[derive(Debug)]
pub struct AuditCheck {
    n: u64,
    head: Hash256,
    expected: Option<(u64, Hash256)>,
}

impl AuditCheck {
    /// Begins before the first entry. `expected`: an entry's number and hash that were written down elsewhere.
    #[must_use]
    pub fn new(expected: Option<(u64, Hash256)>) -> Self {
        Self { n: 0, head: Hash256::NONE, expected }
    }

    /// Takes the next stored message.
    ///
    /// # Errors
    /// [`AuditFault`]; what follows says nothing any more.
    pub fn take(&mut self, seq: u64, payload: &[u8]) -> Result<AuditEntry, AuditFault> {
        if seq != self.n + 1 {
            return Err(AuditFault::Missing { expected: self.n + 1, found: seq });
        }
        let entry: AuditEntry = serde_json::from_slice(payload).map_err(|_| AuditFault::Unreadable(seq))?;
        if entry.n != seq {
            return Err(AuditFault::Moved { at: seq, says: entry.n });
        }
        if entry.prev != self.head {
            return Err(AuditFault::Changed(self.n));
        }
        let head = hash(payload);
        if self.expected.is_some_and(|(n, expected)| n == seq && expected != head) {
            return Err(AuditFault::NotExpected { n: seq });
        }
        (self.n, self.head) = (seq, head);
        Ok(entry)
    }

    /// The number of entries and the hash of the last one.
    ///
    /// # Errors
    /// [`AuditFault::CutOff`].
    pub fn end(self) -> Result<(u64, Hash256), AuditFault> {
        match self.expected {
            Some((expected, _)) if expected > self.n => Err(AuditFault::CutOff { expected, found: self.n }),
            Some(_) | None => Ok((self.n, self.head)),
        }
    }
}

fn hash(payload: &[u8]) -> Hash256 {
    Hash256(*blake3::hash(payload).as_bytes())
}

fn new_id() -> Result<String, AuditError> {
    crate::token::new_token().map_err(|error| AuditError::Unavailable(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(count: u64) -> Vec<Vec<u8>> {
        let mut prev = Hash256::NONE;
        let mut entries = Vec::new();
        for n in 1..=count {
            let (v, at, actor, action) = (AUDIT_VERSION, Millis(n), Actor::System, Action::SignedIn);
            let entry = AuditEntry { v, n, at, actor, action, about: About::id(n.to_string()), prev };
            let payload = serde_json::to_vec(&entry).unwrap();
            prev = hash(&payload);
            entries.push(payload);
        }
        entries
    }

    fn check(
        entries: impl IntoIterator<Item = (u64, Vec<u8>)>,
        expected: Option<(u64, Hash256)>,
    ) -> Result<(u64, Hash256), AuditFault> {
        let mut check = AuditCheck::new(expected);
        for (seq, payload) in entries {
            check.take(seq, &payload)?;
        }
        check.end()
    }

    fn numbered(entries: Vec<Vec<u8>>) -> impl Iterator<Item = (u64, Vec<u8>)> {
        (1..).zip(entries)
    }

    #[test]
    fn an_untouched_trail_holds_and_gives_its_head() {
        let entries = chain(5);
        let head = hash(entries.last().unwrap());
        assert_eq!(check(numbered(entries.clone()), None), Ok((5, head)));
        assert_eq!(check(numbered(entries.clone()), Some((5, head))), Ok((5, head)));
        assert_eq!(check(numbered(entries), Some((3, hash(&chain(3)[2])))), Ok((5, head)));
        assert_eq!(check([], None), Ok((0, Hash256::NONE)));
    }

    #[test]
    fn what_was_changed_is_found_at_any_byte_of_any_entry() {
        let entries = chain(4);
        let head = Some((4, hash(&entries[3])));
        for n in 0..entries.len() {
            for byte in 0..entries[n].len() {
                let mut touched = entries.clone();
                touched[n][byte] ^= 1;
                assert!(check(numbered(touched), head).is_err(), "entry {n}, byte {byte}");
            }
        }
        let changed = String::from_utf8(entries[1].clone()).unwrap().replace(r#""at":2"#, r#""at":9"#);
        let mut touched = entries;
        touched[1] = changed.into_bytes();
        assert_eq!(check(numbered(touched), None), Err(AuditFault::Changed(2)));
    }

    #[test]
    fn what_was_removed_moved_or_cut_off_is_found() {
        let entries = chain(4);
        let without = numbered(entries.clone()).filter(|(seq, _)| *seq != 2);
        assert_eq!(check(without, None), Err(AuditFault::Missing { expected: 2, found: 3 }));
        let first_gone = numbered(entries.clone()).skip(1);
        assert_eq!(check(first_gone, None), Err(AuditFault::Missing { expected: 1, found: 2 }));
        let mut closed_up = entries.clone();
        closed_up.remove(1);
        assert_eq!(check(numbered(closed_up), None), Err(AuditFault::Moved { at: 2, says: 3 }));
        let mut swapped = entries.clone();
        swapped.swap(1, 2);
        assert_eq!(check(numbered(swapped), None), Err(AuditFault::Moved { at: 2, says: 3 }));
        let head = (4, hash(&entries[3]));
        let cut = numbered(entries).take(3);
        assert_eq!(check(cut, Some(head)), Err(AuditFault::CutOff { expected: 4, found: 3 }));
    }

    #[test]
    fn a_trail_that_was_written_anew_is_another_one() {
        let known = (2, hash(&chain(2)[1]));
        let mut other = chain(3);
        other[0] =
            String::from_utf8(other[0].clone()).unwrap().replace("signed_in", "signed_out").into_bytes();
        let mut prev = hash(&other[0]);
        for payload in &mut other[1..] {
            let entry: AuditEntry = serde_json::from_slice(payload).unwrap();
            *payload = serde_json::to_vec(&AuditEntry { prev, ..entry }).unwrap();
            prev = hash(payload);
        }
        assert_eq!(check(numbered(other.clone()), None).map(|(n, _)| n), Ok(3), "whole in itself");
        assert_eq!(check(numbered(other), Some(known)), Err(AuditFault::NotExpected { n: 2 }));
    }
}
