//! What a power cut can do to INBOUND, found and mended before a leader reads on.
//!
//! Each stream is written to disk on its own, so that after the machine (not the process) died, the log may know inputs
//! that INBOUND has lost. New inputs then get sequences that the log has consumed already, and would never be read.

use std::time::Duration;

use anyhow::{Context, Result};
use bus::{Deadline, TailItem};
use protocol::{Millis, Record, streams};
use routing_core::State;

use crate::Role;

const PUBLISH_DEADLINE: Duration = Duration::from_secs(10);
/// What fills a sequence that nobody will read.
const FILLER: &[u8] = b"{}";
/// Most inputs looked at; what the disk had not yet written is far less.
const LOOKED_AT_MAX: u64 = 100_000;

/// Makes sure that every input which comes from here on is read, and publishes again what came in unseen.
pub(crate) async fn mend(role: &Role, state: &State) -> Result<()> {
    let usage = role.bus.stream_usage(streams::INBOUND).await?;
    let consumed = state.inbound_seq();
    if usage.first_seq > consumed + 1 && usage.messages > 0 {
        tracing::error!(
            from = consumed + 1,
            to = usage.first_seq - 1,
            "inputs aged out of INBOUND before they were read"
        );
    }
    let lost = consumed.saturating_sub(usage.last_seq);
    if lost > 0 {
        tracing::error!(
            lost,
            "INBOUND ends before what the log has consumed: the disk lost its end; what the log holds is whole"
        );
        for _ in 0..lost {
            let id = format!("filler-{}", uuid::Uuid::now_v7());
            publish(role, &id, bytes::Bytes::from_static(FILLER)).await?;
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
        if item.payload != FILLER {
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

async fn publish(role: &Role, id: &str, payload: bytes::Bytes) -> Result<()> {
    let deadline = Deadline::after(PUBLISH_DEADLINE);
    role.bus
        .publish_durable(&role.subjects.inbound_presence(), id, payload, deadline)
        .await
        .context("publish to INBOUND")?;
    Ok(())
}
