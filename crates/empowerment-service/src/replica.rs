//! The state as the log tells it: recovered at the start, followed while standing by.

use anyhow::{Result, anyhow};
use bus::{Tail, TailItem, TailOptions};
use empowerment_core::State;
use protocol::{RemedyRecord, formats, streams};
use service::Pulse;

use crate::{LEASE_KEY, Role};

/// How often a long recovery shows that it lives, records.
const BEAT_EVERY: u64 = 1024;
/// How often a standby shows that it lives.
const BEAT: std::time::Duration = std::time::Duration::from_millis(500);

/// A state and the tail that feeds it.
pub(crate) struct Replica {
    pub(crate) state: State,
    /// Up to where CONTACTS is known to hold nothing more for the worker; a leader reads on from there.
    pub(crate) contacts_read: u64,
    /// Records that a start would have to read again, because no snapshot known here has them.
    pub(crate) since_snapshot: u64,
    tail: Tail,
}

impl Replica {
    /// Loads the latest usable snapshot, or none, and applies all records after it.
    pub(crate) async fn recover(role: &Role, pulse: &Pulse) -> Result<Self> {
        let usage = role.bus.stream_usage(streams::REMEDIES).await?;
        let (state, contacts_read) = role.snapshots.load().await.unwrap_or_default();
        let tail =
            Tail::open(&role.bus, streams::REMEDIES, state.log_seq() + 1, TailOptions::default()).await?;
        let mut replica = Self { state, contacts_read, since_snapshot: 0, tail };
        replica.catch_up(usage.last_seq, pulse).await?;
        tracing::info!(log_seq = replica.state.log_seq(), "log of remedies read");
        Ok(replica)
    }

    /// Applies records until the state stands at `log_seq`.
    pub(crate) async fn catch_up(&mut self, log_seq: u64, pulse: &Pulse) -> Result<()> {
        while self.state.log_seq() < log_seq {
            let item = self.tail.next().await?;
            self.apply(&item)?;
            if item.seq % BEAT_EVERY == 0 {
                pulse.reads();
            }
        }
        Ok(())
    }

    /// Follows the log until the tail fails.
    pub(crate) async fn follow(&mut self, role: &Role, pulse: &Pulse) -> anyhow::Error {
        let mut beat = tokio::time::interval(BEAT);
        loop {
            tokio::select! {
                item = self.tail.next() => {
                    let applied = item.map_err(anyhow::Error::from).and_then(|item| self.apply(&item));
                    if let Err(error) = applied {
                        return error;
                    }
                    role.kit.metrics.log_lag_records.set([LEASE_KEY], as_gauge(self.tail.pending()));
                }
                _ = beat.tick() => pulse.beat("standing by"),
            }
        }
    }

    fn apply(&mut self, item: &TailItem) -> Result<()> {
        let record: RemedyRecord = formats::read(streams::REMEDIES, item.seq, &item.payload)?;
        self.since_snapshot += 1;
        empowerment_core::apply(&mut self.state, item.seq, &record)
            .map_err(|error| anyhow!("failed to apply record {} of REMEDIES: {error}", item.seq))
    }
}

/// A count as a metric; exact up to 2^53.
pub(crate) fn as_gauge(count: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a gauge of counts far below 2^53")]
    let gauge = count as f64;
    gauge
}
