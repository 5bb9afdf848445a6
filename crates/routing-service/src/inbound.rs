//! What a power cut can do to INBOUND, found and mended before a leader reads on.
//!
//! Each stream is written to disk on its own, so that after the machine (not the process) died, the log may know inputs
//! that INBOUND has lost. New inputs then get sequences that the log has consumed already, and would never be read.

use std::time::Duration;

use anyhow::{Context, Result};
use bus::{Deadline, StreamUsage, TailItem};
use protocol::{Millis, Record, streams};
use routing_core::State;

use crate::Role;

const PUBLISH_DEADLINE: Duration = Duration::from_secs(10);
/// How long and how often a stream that seems to have lost its end is looked at again: of servers that keep it together, one that has
/// just begun to lead may tell of an end that it has passed long ago.
const DOUBT: Duration = Duration::from_secs(3);
const DOUBT_PAUSE: Duration = Duration::from_millis(100);
/// What fills a sequence that stands for a lost input. Where others publish meanwhile, some of it comes to lie behind what the log has
/// consumed: whoever reads it passes it by, since nobody said anything in it.
const FILLER: &[u8] = br#"{"filler":true}"#;
/// What earlier builds filled with.
const FILLER_BEFORE: &[u8] = b"{}";
/// Most inputs looked at; what the disk had not yet written is far less.
const LOOKED_AT_MAX: u64 = 100_000;

/// Makes sure that every input which comes from here on is read, and publishes again what came in unseen.
pub(crate) async fn mend(role: &Role, state: &State) -> Result<()> {
    let consumed = state.inbound_seq();
    let usage = usage(role, consumed).await?;
    if usage.first_seq > consumed + 1 && usage.messages > 0 {
        tracing::error!(
            from = consumed + 1,
            to = usage.first_seq - 1,
            "inputs aged out of INBOUND before they were read"
        );
    }
    if usage.last_seq < consumed {
        let filled = fill(consumed, || filler(role)).await?;
        if filled.lost > 0 {
            tracing::error!(
                lost = filled.lost,
                fillers = filled.fillers,
                "INBOUND ends before what the log has consumed: the disk lost its end; what the log holds is whole"
            );
        }
    }
    for stray in strays(role, state, usage.first_seq).await? {
        tracing::warn!(
            seq = stray.seq,
            "an input stands where the log had passed already: it is published again"
        );
        publish(role, &format!("again-{}-{}", stray.seq, stray.published_at_ms), stray.payload).await?;
    }
    Ok(())
}

/// What INBOUND holds, doubted for a while where it ends too early.
async fn usage(role: &Role, consumed: u64) -> Result<StreamUsage> {
    let doubt = Deadline::after(DOUBT);
    loop {
        let usage = role.bus.stream_usage(streams::INBOUND).await?;
        if usage.last_seq >= consumed || doubt.has_passed() {
            return Ok(usage);
        }
        tokio::time::sleep(DOUBT_PAUSE).await;
    }
}

/// Whether an item of INBOUND only fills a place.
pub(crate) fn is_filler(payload: &[u8]) -> bool {
    payload == FILLER
}

/// What was filled.
#[derive(Debug, PartialEq, Eq)]
struct Filled {
    fillers: u64,
    /// Places that the stream had lost. What the server acknowledged first says where it ended; what it told before may have been old.
    lost: u64,
}

/// Publishes fillers until the stream ends at `consumed` or behind it, by the sequences that the server acknowledges.
async fn fill<F: Future<Output = Result<u64>>>(
    consumed: u64,
    mut publish: impl FnMut() -> F,
) -> Result<Filled> {
    let (mut fillers, mut lost, mut ends_at) = (0, 0, 0);
    while ends_at < consumed {
        ends_at = publish().await?;
        if fillers == 0 {
            lost = (consumed + 1).saturating_sub(ends_at);
        }
        fillers += 1;
    }
    Ok(Filled { fillers, lost })
}

/// Gives its sequence.
async fn filler(role: &Role) -> Result<u64> {
    let id = format!("filler-{}", uuid::Uuid::now_v7());
    publish(role, &id, bytes::Bytes::from_static(FILLER)).await
}

/// Inputs at sequences the log has consumed, but stored after it consumed them: the log consumed others there.
///
/// A clock that is off by a little only leads to an input being published twice, which the core skips.
async fn strays(role: &Role, state: &State, first_seq: u64) -> Result<Vec<TailItem>> {
    let mut found = Vec::new();
    let Some(consumed_at) = consumed_at(role, state).await? else { return Ok(found) };
    let consumed = state.inbound_seq();
    for seq in (first_seq.max(consumed.saturating_sub(LOOKED_AT_MAX))..=consumed).rev() {
        let Some(item) = role.bus.read_one(streams::INBOUND, seq).await? else { break };
        if item.published_at_ms <= consumed_at.0 {
            break;
        }
        if !is_filler(&item.payload) && item.payload != FILLER_BEFORE {
            found.push(item);
        }
    }
    found.reverse();
    Ok(found)
}

/// When the last input was consumed: the newest records may be takeovers and timers.
async fn consumed_at(role: &Role, state: &State) -> Result<Option<Millis>> {
    let oldest = state.log_seq().saturating_sub(LOOKED_AT_MAX).max(1);
    for seq in (oldest..=state.log_seq()).rev() {
        let Some(item) = role.bus.read_one(streams::CONTACTS, seq).await? else { break };
        let record: Record = serde_json::from_slice(&item.payload)?;
        if record.cause.inbound_seq().is_some() {
            return Ok(Some(record.at));
        }
    }
    Ok(None)
}

/// Gives the sequence.
async fn publish(role: &Role, id: &str, payload: bytes::Bytes) -> Result<u64> {
    let deadline = Deadline::after(PUBLISH_DEADLINE);
    let subject = role.subjects.inbound_presence();
    let published = role.bus.publish_durable(&subject, id, payload, deadline).await;
    Ok(published.context("publish to INBOUND")?.seq)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `others` publish before each filler but the first.
    async fn filled(consumed: u64, mut ends_at: u64, others: u64) -> Filled {
        let mut beside = 0;
        let next = || {
            ends_at += 1 + std::mem::replace(&mut beside, others);
            std::future::ready(Ok(ends_at))
        };
        fill(consumed, next).await.unwrap()
    }

    #[tokio::test]
    async fn a_lost_end_is_filled_and_an_end_that_was_only_told_wrong_is_found_by_one() {
        assert_eq!(filled(1_000, 990, 0).await, Filled { fillers: 10, lost: 10 });
        // The stream went on behind what the log consumed, whatever its server said of it.
        assert_eq!(filled(1_000, 2_500, 0).await, Filled { fillers: 1, lost: 0 });
    }

    #[tokio::test]
    async fn what_others_publish_meanwhile_hides_no_loss() {
        assert_eq!(filled(1_000, 990, 4).await, Filled { fillers: 3, lost: 10 });
        assert_eq!(filled(1_000, 999, 4).await, Filled { fillers: 1, lost: 1 });
    }
}
