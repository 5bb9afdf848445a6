//! The state as the log tells it: recovered at the start, followed while standing by.

use anyhow::{Result, anyhow};
use bus::{BATCH_MAX, Tail, TailItem, TailOptions};
use futures_util::FutureExt;
use protocol::{Record, formats, streams};
use routing_core::State;
use service::Pulse;
use tokio::task::JoinHandle;

use crate::Role;

/// Most records decoded in one go.
const DECODED_AT_ONCE: usize = 1024;
/// How often a standby shows that it lives.
const BEAT: std::time::Duration = std::time::Duration::from_millis(500);

/// Records with their sequences, in order.
type Decoded = Vec<(u64, Record)>;

/// A state and the tail that feeds it.
pub(crate) struct Replica {
    pub(crate) state: State,
    /// Records that a start would have to read again, because no snapshot known here has them.
    pub(crate) since_snapshot: u64,
    tail: Tail,
}

impl Replica {
    /// Loads the latest usable snapshot, or none, and applies all records after it.
    pub(crate) async fn recover(role: &Role, pulse: &Pulse) -> Result<Self> {
        let usage = role.bus.stream_usage(streams::CONTACTS).await?;
        let state = role.snapshots.load().await.unwrap_or_default();
        let options = TailOptions { batch: BATCH_MAX, ..TailOptions::default() };
        let tail = Tail::open(&role.bus, streams::CONTACTS, state.log_seq() + 1, options).await?;
        let mut replica = Self { state, since_snapshot: 0, tail };
        replica.catch_up(usage.last_seq, pulse).await?;
        tracing::info!(log_seq = replica.state.log_seq(), "log read");
        Ok(replica)
    }

    /// Applies records until the state stands at `log_seq`. While some are applied, the next ones are read and decoded: decoding is
    /// the dearest part of a long recovery.
    pub(crate) async fn catch_up(&mut self, log_seq: u64, pulse: &Pulse) -> Result<()> {
        let mut read = self.state.log_seq();
        let mut decoding: Option<JoinHandle<Result<Decoded>>> = None;
        while read < log_seq {
            let items = self.read_some(log_seq).await?;
            read = items.last().map_or(read, |item| item.seq);
            let next = tokio::task::spawn_blocking(move || items.iter().map(decode).collect());
            if let Some(before) = decoding.replace(next) {
                self.apply_all(before.await??, pulse)?;
            }
        }
        match decoding {
            Some(last) => self.apply_all(last.await??, pulse),
            None => Ok(()),
        }
    }

    /// The next records up to `log_seq`: at least one, and as many as are here already.
    async fn read_some(&mut self, log_seq: u64) -> Result<Vec<TailItem>> {
        let mut items = vec![self.tail.next().await?];
        while items.len() < DECODED_AT_ONCE
            && items.last().is_some_and(|item| item.seq < log_seq)
            && let Some(item) = self.tail.next().now_or_never()
        {
            items.push(item?);
        }
        Ok(items)
    }

    fn apply_all(&mut self, records: Decoded, pulse: &Pulse) -> Result<()> {
        for (seq, record) in records {
            self.apply(seq, &record)?;
        }
        pulse.reads();
        Ok(())
    }

    /// Follows the log until the tail fails.
    pub(crate) async fn follow(&mut self, role: &Role, pulse: &Pulse) -> anyhow::Error {
        let mut beat = tokio::time::interval(BEAT);
        loop {
            tokio::select! {
                item = self.tail.next() => {
                    let decoded = item.map_err(anyhow::Error::from).and_then(|item| decode(&item));
                    let applied = decoded.and_then(|(seq, record)| self.apply(seq, &record));
                    if let Err(error) = applied {
                        return error;
                    }
                    role.kit.metrics.log_lag_records.set(["routing"], as_gauge(self.tail.pending()));
                }
                _ = beat.tick() => pulse.beat("standing by"),
            }
        }
    }

    fn apply(&mut self, seq: u64, record: &Record) -> Result<()> {
        self.since_snapshot += 1;
        routing_core::apply(&mut self.state, seq, record)
            .map_err(|error| anyhow!("failed to apply record {seq}: {error}"))
    }
}

fn decode(item: &TailItem) -> Result<(u64, Record)> {
    Ok((item.seq, formats::read(streams::CONTACTS, item.seq, &item.payload)?))
}

/// A count as a metric; exact up to 2^53.
pub(crate) fn as_gauge(count: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a gauge of counts far below 2^53")]
    let gauge = count as f64;
    gauge
}
