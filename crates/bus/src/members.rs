//! Which processes live and what they can read, so that nothing is written that one of them cannot.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use protocol::Millis;
use protocol::formats::{self, BUILD, FIRST, Member, NotYet, READS};

use crate::kv::{Bucket, KvError};
use crate::streams::StreamError;
use crate::tail::TailError;
use crate::{Bus, places};

/// How long a process counts as one that lives after it said so.
pub const MEMBER_TTL: Duration = Duration::from_secs(30);

/// The longest time between two looks in which nobody can have been forgotten who lives: who could not say so during it still has as
/// long again to come back.
const GAP_MAX: Duration = Duration::from_secs(15);

/// What everybody who lives can read. Clones are the same; before it is known who lives, it is what every build reads.
#[derive(Clone, Debug, Default)]
pub struct Floor(Arc<Mutex<Seen>>);

impl Floor {
    /// The bytes as they are stored, with the format that they need.
    ///
    /// # Errors
    /// [`NotYet`] if somebody who lives does not read it, or might not.
    pub fn admit(&self, payload: Bytes) -> Result<Bytes, NotYet> {
        let needs = formats::needed(&payload);
        {
            let seen = self.lock();
            if needs <= FIRST || needs > seen.holds {
                formats::admit(seen.lowest(Instant::now()), needs)?;
            }
        }
        Ok(formats::stamp(needs, &payload).map_or(payload, Bytes::from))
    }

    /// What stands in a log was read: whoever lives reads its format, or ends at it. From here on it is written without asking who lives, so
    /// that whoever leads anew decides at once.
    pub fn holds(&self, format: u8) {
        let mut seen = self.lock();
        seen.holds = seen.holds.max(format);
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the looks at those who live found.
#[derive(Debug)]
struct Seen {
    /// The one of them who reads least.
    lowest: Option<Member>,
    /// When the first and the last look began of those that came one after the other without a gap.
    looks: Option<(Instant, Instant)>,
    /// The newest format that stands in a log.
    holds: u8,
}

impl Default for Seen {
    fn default() -> Self {
        Self { lowest: None, looks: None, holds: FIRST }
    }
}

impl Seen {
    fn note(&mut self, lowest: Option<Member>, began: Instant) {
        let first = match self.looks {
            Some((first, last)) if began.duration_since(last) <= GAP_MAX => first,
            Some(_) | None => began,
        };
        self.looks = Some((first, began));
        self.lowest = lowest;
    }

    /// The one of those who live who reads least; `None` as long as somebody may live whom no look could have found: one who was cut off
    /// from the bus, or whose row went while nobody could say anything. Who reads no more than every build does, is told in any case.
    fn lowest(&self, now: Instant) -> Option<&Member> {
        let is_sure = self.looks.is_some_and(|(first, last)| {
            last.duration_since(first) >= MEMBER_TTL && now.duration_since(last) <= GAP_MAX
        });
        self.lowest.as_ref().filter(|lowest| is_sure || lowest.reads <= FIRST)
    }
}

/// This process among those that live.
#[derive(Clone)]
pub struct Members {
    bucket: Bucket,
    role: String,
    key: String,
    floor: Floor,
}

impl Members {
    /// Takes a place among them, for a process with these roles under an id of its own; it is one of them from its first word on.
    ///
    /// # Errors
    /// [`StreamError`]; fate: retry.
    pub async fn open(bus: &Bus, role: &str, id: &str) -> Result<Self, StreamError> {
        let bucket = bus.ensure_bucket(&places::members()).await?;
        let key = format!("{role}.{id}");
        Ok(Self { bucket, role: role.to_owned(), key, floor: bus.floor() })
    }

    /// Says that this process lives and what it reads.
    ///
    /// # Errors
    /// [`KvError`]; fate: retry.
    pub async fn announce(&self, at: Millis) -> Result<(), KvError> {
        let (role, version) = (self.role.clone(), BUILD.to_owned());
        let member = Member { role, version, reads: READS, at, holds: self.floor.lock().holds };
        let value = serde_json::to_vec(&member).map_err(|error| KvError::Unavailable(error.to_string()))?;
        self.bucket.put(&self.key, value.into()).await.map(drop)
    }

    /// Looks who lives and what all of them read; what is written from here on is held against that. Newer kinds than those of the first
    /// format wait until looks have come for [`MEMBER_TTL`] without a gap.
    ///
    /// # Errors
    /// [`TailError`]; fate: retry, until then what was seen before holds, for a while.
    pub async fn look(&self) -> Result<Vec<Member>, TailError> {
        let began = Instant::now();
        let members = read(&self.bucket).await?;
        // What another one knows to stand there, stands there.
        self.floor.holds(members.iter().map(|member| member.holds).max().unwrap_or(FIRST).min(READS));
        self.floor.lock().note(members.iter().min_by_key(|member| member.reads).cloned(), began);
        Ok(members)
    }

    /// Says that this process ends: nobody waits for it any more.
    ///
    /// # Errors
    /// [`KvError`]; it is forgotten after [`MEMBER_TTL`] then.
    pub async fn leave(&self) -> Result<(), KvError> {
        self.bucket.delete(&self.key).await
    }

    /// All that live, for who looks from outside; none where there is no such bucket.
    ///
    /// # Errors
    /// [`TailError`].
    pub async fn seen(bus: &Bus) -> Result<Vec<Member>, TailError> {
        let name = format!("KV_{}", protocol::streams::MEMBERS);
        let failed =
            |error: StreamError| TailError::Refused { stream: name.clone(), reason: error.to_string() };
        if bus.see_stream(&name).await.map_err(failed)?.is_none() {
            return Ok(Vec::new());
        }
        read(&bus.ensure_bucket(&places::members()).await.map_err(failed)?).await
    }
}

async fn read(bucket: &Bucket) -> Result<Vec<Member>, TailError> {
    let rows = bucket.entries().await?;
    Ok(rows.iter().map(|row| of_row(&row.key, &row.value, row.stored_at_ms)).collect())
}

/// Whoever has a row lives. One that cannot be read is of a version that nothing is known of: the safe thing is that it reads the first format only.
fn of_row(key: &str, value: &[u8], stored_at_ms: u64) -> Member {
    serde_json::from_slice(value).unwrap_or_else(|_| Member {
        role: key.split('.').next().unwrap_or_default().to_owned(),
        version: "unknown".to_owned(),
        reads: FIRST,
        at: Millis(stored_at_ms),
        holds: FIRST,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(reads: u8) -> Member {
        Member { role: "desk".into(), version: "0.0.9".into(), reads, at: Millis(1), holds: FIRST }
    }

    #[test]
    fn whose_row_cannot_be_read_is_one_of_them_and_reads_the_first_format() {
        let found = of_row("desk.0190", b"{\"role\":7}", 9);
        assert_eq!((found.role.as_str(), found.reads, found.at), ("desk", FIRST, Millis(9)));
        let written = serde_json::to_vec(&member(3)).unwrap();
        assert_eq!(of_row("desk.0190", &written, 9).reads, 3);
    }

    #[test]
    fn nobody_is_believed_absent_whom_one_could_not_have_seen() {
        let began = Instant::now();
        let at = |s: u64| began + Duration::from_secs(s);
        let mut seen = Seen::default();
        assert_eq!(seen.lowest(at(0)), None, "nobody looked");
        for s in (0..MEMBER_TTL.as_secs()).step_by(5) {
            seen.note(Some(member(7)), at(s));
            assert_eq!(
                seen.lowest(at(s)),
                None,
                "one who says so now and then may still come, {s} s after the start"
            );
        }
        seen.note(Some(member(7)), at(30));
        assert_eq!(seen.lowest(at(30)), Some(&member(7)));
        assert_eq!(seen.lowest(at(45)), Some(&member(7)), "a look that fails is no outage");
        assert_eq!(seen.lowest(at(46)), None, "but one is when all of them fail");
        // All rows are gone by now, and the first to come back sees itself alone.
        for s in (60..90).step_by(5) {
            seen.note(Some(member(7)), at(s));
            assert_eq!(seen.lowest(at(s)), None, "{s} s");
        }
        seen.note(Some(member(7)), at(90));
        assert_eq!(seen.lowest(at(90)), Some(&member(7)));
    }

    #[test]
    fn what_stands_in_a_log_already_waits_for_nobody() {
        let plain = formats::NEWER.iter().filter(|kind| kind.marks.is_empty());
        let newest = plain.max_by_key(|kind| kind.since).unwrap();
        let payload = Bytes::from(format!("{{\"v\":1,\"{}\":\"{}\"}}", newest.tag, newest.word));
        let floor = Floor::default();
        assert_eq!(floor.admit(payload.clone()), Err(NotYet::Unseen { needs: newest.since }));
        floor.holds(newest.since);
        let stamped = format!("{{\"v\":{},", newest.since);
        assert!(floor.admit(payload.clone()).unwrap().starts_with(stamped.as_bytes()));
        // Once nobody reads less; that it may be written says nothing of whether it was.
        let floor = Floor::default();
        let began = Instant::now().checked_sub(MEMBER_TTL).unwrap();
        for s in (0..=MEMBER_TTL.as_secs()).step_by(5) {
            floor.lock().note(Some(member(READS)), began + Duration::from_secs(s));
        }
        assert!(floor.admit(payload).is_ok());
        assert_eq!(floor.lock().holds, FIRST);
    }

    #[test]
    fn who_reads_no_more_than_every_build_is_told_at_once_and_for_as_long_as_nothing_else_is_known() {
        let began = Instant::now();
        let mut seen = Seen::default();
        seen.note(Some(member(FIRST)), began);
        assert_eq!(seen.lowest(began), Some(&member(FIRST)));
        assert_eq!(seen.lowest(began + Duration::from_secs(600)), Some(&member(FIRST)));
    }
}
