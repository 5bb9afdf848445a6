//! What a power cut can do to INBOUND, found and mended before a leader reads on.
//!
//! Each stream is written to disk on its own, so that after the machine (not the process) died, the log may know inputs
//! that INBOUND has lost. New inputs then get sequences that the log has consumed already, and would never be read.

use std::time::Duration;

use anyhow::{Context, Result};
use bus::{Deadline, StreamUsage, TailItem};
use protocol::ids::{GatewayId, NoticeId};
use protocol::input::WIRE_VERSION;
use protocol::{Input, InputBody, Millis, Record, streams};
use routing_core::State;

use crate::Role;

const PUBLISH_DEADLINE: Duration = Duration::from_secs(10);
/// How long and how often a stream that seems to have lost its end is looked at again: of servers that keep it together, one that has
/// just begun to lead may tell of an end that it has passed long ago.
const DOUBT: Duration = Duration::from_secs(3);
const DOUBT_PAUSE: Duration = Duration::from_millis(100);
/// What earlier builds filled with.
const FILLER_BEFORE: &[u8] = b"{}";
/// The gateway of fillers, which nobody ever had.
const NO_GATEWAY: GatewayId = GatewayId(uuid::Uuid::nil());
/// Most inputs looked at; what the disk had not yet written is far less.
const LOOKED_AT_MAX: u64 = 100_000;

/// Makes sure that every input which comes from here on is read, and publishes again what came in unseen.
pub(crate) async fn mend(role: &Role, state: &State) -> Result<()> {
    let consumed = state.inbound_seq();
    let (usage, seemed_short) = usage(role, consumed).await?;
    if usage.first_seq > consumed + 1 && usage.messages > 0 {
        tracing::error!(
            from = consumed + 1,
            to = usage.first_seq - 1,
            "inputs aged out of INBOUND before they were read"
        );
    }
    let filled = if usage.last_seq < consumed { fill(consumed, || filler(role)).await? } else { 0 };
    let strays = strays(role, state, usage.first_seq).await?;
    // A stray alone may be a clock that is off by a little.
    if filled > 0 || (seemed_short && !strays.is_empty()) {
        tracing::error!(
            lost = filled + strays.len(),
            "INBOUND ends before what the log has consumed: the disk lost its end; what the log holds is whole"
        );
    }
    for stray in strays {
        tracing::warn!(
            seq = stray.seq,
            "an input stands where the log had passed already: it is published again"
        );
        publish(role, &format!("again-{}-{}", stray.seq, stray.published_at_ms), stray.payload).await?;
    }
    Ok(())
}

/// What INBOUND holds, doubted for a while where it ends too early, and whether it seemed to: others may fill what was lost meanwhile.
async fn usage(role: &Role, consumed: u64) -> Result<(StreamUsage, bool)> {
    let doubt = Deadline::after(DOUBT);
    let mut seemed_short = false;
    loop {
        let usage = role.bus.stream_usage(streams::INBOUND).await?;
        if usage.last_seq >= consumed || doubt.has_passed() {
            return Ok((usage, seemed_short));
        }
        seemed_short = true;
        tokio::time::sleep(DOUBT_PAUSE).await;
    }
}

/// Publishes fillers until the stream ends at `consumed` or behind it, by the sequences that the server acknowledges; gives how many
/// stand where something was lost.
///
/// The last may come to stand behind, where others publish meanwhile or the end was only told wrong. It is read as any other input
/// then, and asks nobody for anything.
async fn fill<F: Future<Output = Result<u64>>>(
    consumed: u64,
    mut publish: impl FnMut() -> F,
) -> Result<usize> {
    let mut lost = 0;
    loop {
        let ends_at = publish().await?;
        lost += usize::from(ends_at <= consumed);
        if ends_at >= consumed {
            return Ok(lost);
        }
    }
}

/// What fills a sequence: an input that every build reads, of a gateway that nobody ever had.
fn filler_input(at: Millis) -> Input {
    let body = InputBody::GatewayLost { id: NoticeId(uuid::Uuid::now_v7()), gateway: NO_GATEWAY };
    Input { v: WIRE_VERSION, made_at: at, body }
}

/// Whether an item of INBOUND only fills a place.
fn is_filler(payload: &[u8]) -> bool {
    payload == FILLER_BEFORE
        || serde_json::from_slice::<Input>(payload).is_ok_and(
            |input| matches!(input.body, InputBody::GatewayLost { gateway, .. } if gateway == NO_GATEWAY),
        )
}

/// Gives its sequence.
async fn filler(role: &Role) -> Result<u64> {
    let id = format!("filler-{}", uuid::Uuid::now_v7());
    let input = filler_input(Millis(role.kit.clock.unix_ms()));
    publish(role, &id, serde_json::to_vec(&input)?.into()).await
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
        if !is_filler(&item.payload) {
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
    use protocol::Cause;

    use super::*;

    /// `others` publish before each filler but the first.
    async fn filled(consumed: u64, mut ends_at: u64, others: u64) -> usize {
        let mut beside = 0;
        let next = || {
            ends_at += 1 + std::mem::replace(&mut beside, others);
            std::future::ready(Ok(ends_at))
        };
        fill(consumed, next).await.unwrap()
    }

    #[tokio::test]
    async fn a_lost_end_is_filled_and_an_end_that_was_only_told_wrong_is_found_by_one() {
        assert_eq!(filled(1_000, 990, 0).await, 10);
        // The stream went on behind what the log consumed, whatever its server said of it.
        assert_eq!(filled(1_000, 2_500, 0).await, 0);
        // What others publish meanwhile is found as stray; the rest was filled.
        assert_eq!(filled(1_000, 990, 4).await, 2);
    }

    #[test]
    fn a_filler_is_an_input_that_changes_nothing_and_is_known_again() {
        let input = filler_input(Millis(1_000));
        let payload = serde_json::to_vec(&input).unwrap();
        assert!(is_filler(&payload));
        let mut state = State::default();
        let record =
            routing_core::transition(&mut state, Cause::Input { seq: 1, input }, Millis(1_000)).unwrap();
        assert!(record.events.is_empty(), "{:?}", record.events);
        assert_eq!(state.inbound_seq(), 1, "and it stands in the log, so that no input is missed");
        let lost = InputBody::GatewayLost {
            id: NoticeId(uuid::Uuid::now_v7()),
            gateway: GatewayId(uuid::Uuid::now_v7()),
        };
        let other = Input { body: lost, ..filler_input(Millis(1_000)) };
        assert!(!is_filler(&serde_json::to_vec(&other).unwrap()));
    }
}
