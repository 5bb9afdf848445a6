//! The end of a log, kept in memory for all who read there.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use bus::{Bus, Tail, TailOptions};
use bytes::Bytes;
use protocol::delivery::Delivery;
use protocol::formats::{self, Later};
use protocol::integration::PublicLog;
use protocol::{Record, RemedyRecord};
use service::{HealthHandle, Kit, Problem};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{BEAT_EVERY, problems};

/// Records that are kept.
const KEPT_MAX: usize = 4_096;
/// Bytes of records that are kept.
const KEPT_BYTES_MAX: usize = 32 * 1024 * 1024;

/// The newest records of a log, and how far it goes.
pub(crate) struct LogEnd {
    log: PublicLog,
    ring: Mutex<Ring>,
    last: watch::Sender<u64>,
}

#[derive(Default)]
struct Ring {
    /// Every record after this one is kept.
    whole_after: u64,
    kept: VecDeque<(u64, Bytes)>,
    bytes: usize,
}

impl Ring {
    fn push(&mut self, seq: u64, payload: Bytes) {
        self.bytes += payload.len();
        self.kept.push_back((seq, payload));
        while self.kept.len() > KEPT_MAX || self.bytes > KEPT_BYTES_MAX {
            let Some((seq, payload)) = self.kept.pop_front() else { break };
            self.whole_after = seq;
            self.bytes -= payload.len();
        }
    }

    /// Those after a sequence, if all of them are kept.
    fn after(&self, seq: u64, limit: usize) -> Option<Vec<(u64, Bytes)>> {
        if seq < self.whole_after {
            return None;
        }
        let from = self.kept.partition_point(|(kept, _)| *kept <= seq);
        Some(self.kept.iter().skip(from).take(limit).cloned().collect())
    }
}

impl LogEnd {
    /// The sequence of the newest record.
    pub(crate) fn last(&self) -> u64 {
        *self.last.borrow()
    }

    /// Tells of newer records.
    pub(crate) fn newer(&self) -> watch::Receiver<u64> {
        self.last.subscribe()
    }

    /// The records after a sequence, in order, at most so many; none: it is the newest.
    ///
    /// # Errors
    /// When they have to be read from the stream and the bus does not answer.
    pub(crate) async fn read(
        &self,
        bus: &Bus,
        after: u64,
        limit: usize,
    ) -> Result<Vec<(u64, Bytes)>, Problem> {
        if let Some(kept) = self.ring().after(after, limit) {
            return Ok(kept);
        }
        let read = bus.read_range(self.log.stream(), after.saturating_add(1), self.last(), limit).await;
        let items = read.map_err(|error| {
            tracing::warn!(%error, log = ?self.log, "failed to read a part of the log");
            problems::bus_unavailable()
        })?;
        Ok(items.into_iter().map(|item| (item.seq, item.payload)).collect())
    }

    /// One record.
    ///
    /// # Errors
    /// When the bus does not answer.
    pub(crate) async fn read_one(&self, bus: &Bus, seq: u64) -> Result<Option<Bytes>, Problem> {
        let kept = self.ring().after(seq.saturating_sub(1), 1).and_then(|mut one| one.pop());
        if let Some((_, payload)) = kept.filter(|(found, _)| *found == seq) {
            return Ok(Some(payload));
        }
        let item = bus.read_one(self.log.stream(), seq).await.map_err(|error| {
            tracing::warn!(%error, log = ?self.log, "failed to read a record of the log");
            problems::bus_unavailable()
        })?;
        Ok(item.map(|item| item.payload))
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Follows a log from its end. What came before is read from the stream: a ring that is filled while it is read from would
/// seem to end before the log does.
pub(super) async fn follow(kit: &Kit, bus: &Bus, log: PublicLog) -> anyhow::Result<Arc<LogEnd>> {
    let usage = bus.stream_usage(log.stream()).await.context("failed to look at the log")?;
    let whole_after = usage.last_seq;
    let tail = Tail::open(bus, log.stream(), whole_after + 1, TailOptions::default())
        .await
        .context("failed to read the log")?;
    let ring = Ring { whole_after, ..Ring::default() };
    let end = Arc::new(LogEnd { log, ring: Mutex::new(ring), last: watch::Sender::new(whole_after) });
    let name = match log {
        PublicLog::Contacts => "api feed",
        PublicLog::Remedies => "api feed of remedies",
        PublicLog::Deliveries => "api feed of deliveries",
    };
    let health = kit.health.register(name);
    kit.drain.spawn(name, run(Arc::clone(&end), tail, health, kit.drain.token()));
    Ok(end)
}

/// Whether a later version wrote it: what comes behind it would be told without it.
fn glance(log: PublicLog, seq: u64, payload: &[u8]) -> Result<(), Later> {
    match log {
        PublicLog::Contacts => formats::glance::<Record>(log.stream(), seq, payload),
        PublicLog::Remedies => formats::glance::<RemedyRecord>(log.stream(), seq, payload),
        PublicLog::Deliveries => formats::glance::<Delivery>(log.stream(), seq, payload),
    }
}

async fn run(
    end: Arc<LogEnd>,
    mut tail: Tail,
    health: HealthHandle,
    ended: CancellationToken,
) -> anyhow::Result<()> {
    let mut beat = tokio::time::interval(BEAT_EVERY);
    loop {
        tokio::select! {
            () = ended.cancelled() => break,
            _ = beat.tick() => health.beat(),
            item = tail.next() => {
                let item = item.context("failed to read the log")?;
                glance(end.log, item.seq, &item.payload)?;
                end.ring().push(item.seq, item.payload);
                end.last.send_replace(item.seq);
            }
        }
    }
    health.retire();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seqs(found: Option<Vec<(u64, Bytes)>>) -> Option<Vec<u64>> {
        found.map(|found| found.into_iter().map(|(seq, _)| seq).collect())
    }

    #[test]
    fn what_a_later_version_wrote_is_seen_in_each_log() {
        for (log, fields) in [
            (PublicLog::Contacts, r#""cause":{"from":"timer"}"#),
            (PublicLog::Remedies, r#""cause":{"from":"timer"}"#),
            (PublicLog::Deliveries, r#""state":"telepathy""#),
        ] {
            let of = |v: u8| format!("{{\"v\":{v},{fields}}}");
            assert_eq!(glance(log, 7, of(formats::FIRST).as_bytes()), Ok(()), "{log:?}");
            let later = glance(log, 7, of(formats::READS + 1).as_bytes()).unwrap_err();
            assert_eq!((later.log.as_str(), later.seq), (log.stream(), 7));
        }
    }

    #[test]
    fn a_ring_gives_what_it_has_whole_and_nothing_else() {
        let mut ring = Ring { whole_after: 10, ..Ring::default() };
        assert_eq!(seqs(ring.after(10, 5)), Some(vec![]));
        for seq in [11, 13, 14] {
            ring.push(seq, Bytes::from_static(b"record"));
        }
        assert_eq!(seqs(ring.after(9, 5)), None, "what was before it is not known");
        assert_eq!(seqs(ring.after(10, 5)), Some(vec![11, 13, 14]));
        assert_eq!(seqs(ring.after(11, 1)), Some(vec![13]));
        assert_eq!(seqs(ring.after(14, 5)), Some(vec![]));
        for seq in 15..15 + KEPT_MAX as u64 {
            ring.push(seq, Bytes::new());
        }
        assert_eq!((ring.kept.len(), ring.whole_after, ring.bytes), (KEPT_MAX, 14, 0));
        ring.push(90_000, Bytes::from(vec![0; KEPT_BYTES_MAX]));
        assert_eq!(ring.kept.len(), KEPT_MAX, "at the limit of bytes");
        ring.push(90_001, Bytes::from_static(b"."));
        assert_eq!(seqs(ring.after(90_000, 5)), Some(vec![90_001]), "past it the oldest go");
        assert_eq!(ring.whole_after, 90_000);
    }
}
