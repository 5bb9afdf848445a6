//! What a power cut can do to INBOUND, found and mended before a leader reads on.
//!
//! Each stream is written to disk on its own, so that after the machine (not the process) died, the log may know inputs
//! that INBOUND has lost. New inputs then get sequences that the log has consumed already, and would never be read.

use std::time::Duration;

use anyhow::{Context, Result};
use bus::{Deadline, StreamUsage, TailItem};
use protocol::ids::{GatewayId, NoticeId};
use protocol::input::WIRE_VERSION;
use protocol::{Cause, Input, InputBody, Millis, Record, formats, streams};
use routing_core::State;

use crate::Role;
use crate::clock::AHEAD_MAX;

const PUBLISH_DEADLINE: Duration = Duration::from_secs(10);
/// How long and how often a stream that seems to have lost its end is looked at again: of servers that keep it together, one that has
/// just begun to lead may tell of an end that it has passed long ago.
const DOUBT: Duration = Duration::from_secs(3);
const DOUBT_PAUSE: Duration = Duration::from_millis(100);
/// What earlier builds filled with.
const FILLER_BEFORE: &[u8] = b"{}";
/// The gateway of fillers, which nobody ever had.
const NO_GATEWAY: GatewayId = GatewayId(uuid::Uuid::nil());
/// After how many inputs in a row that are those which the log consumed nothing was lost before them either: a disk loses its end.
const SAME_ENOUGH: usize = 16;
/// Most records looked at; what the disk had not yet written is far less.
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
    let filled = if usage.last_seq < consumed { fill(consumed, || filler(role)).await? } else { 0 };
    let strays = strays(role, state, usage.first_seq).await?;
    // Strays alone: whoever filled what was lost before them did not come to publish them.
    if filled > 0 || !strays.is_empty() {
        tracing::error!(
            lost = filled + strays.len(),
            "INBOUND ends before what the log has consumed: the disk lost its end; what the log holds is whole"
        );
    }
    for stray in strays {
        role.bus.floor().holds(formats::stands_in(&stray.payload));
        tracing::warn!(
            seq = stray.seq,
            "an input stands where the log had passed already: it is published again"
        );
        publish(role, &format!("again-{}-{}", stray.seq, stray.published_at_ms), stray.payload).await?;
    }
    Ok(())
}

/// What INBOUND holds, doubted for a while where it ends too early: others may fill what was lost meanwhile.
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

/// Inputs at sequences the log has consumed that are not those which it consumed.
///
/// Their content tells: by the time alone those would be lost that were stored after a power cut while a leader's clock was ahead of the
/// server's, and thousands would be published again one by one, while nothing is decided, where it was behind. The time only says how far
/// back nothing can have been lost any more.
async fn strays(role: &Role, state: &State, first_seq: u64) -> Result<Vec<TailItem>> {
    let (mut found, mut last_consumed_at, mut same) = (Vec::new(), None, 0);
    let oldest = state.log_seq().saturating_sub(LOOKED_AT_MAX).max(1);
    let ahead_max = u64::try_from(AHEAD_MAX.as_millis()).unwrap_or(u64::MAX);
    for log_seq in (oldest..=state.log_seq()).rev() {
        let Some(logged) = role.bus.read_one(streams::CONTACTS, log_seq).await? else { break };
        let record: Record = serde_json::from_slice(&logged.payload)?;
        // The newest records may be takeovers and timers.
        let Some(seq) = record.cause.inbound_seq() else { continue };
        let consumed_at = *last_consumed_at.get_or_insert(record.at);
        if seq < first_seq {
            break;
        }
        let Some(item) = role.bus.read_one(streams::INBOUND, seq).await? else { break };
        if consumed_at.since(Millis(item.published_at_ms)) > ahead_max {
            break;
        }
        if is_consumed(&record.cause, &item.payload) {
            same += 1;
            if same == SAME_ENOUGH {
                break;
            }
            continue;
        }
        same = 0;
        if !is_filler(&item.payload) {
            found.push(item);
        }
    }
    found.reverse();
    Ok(found)
}

/// Whether what stands there is what the log consumed.
fn is_consumed(cause: &Cause, payload: &[u8]) -> bool {
    let stands = serde_json::from_slice::<Input>(payload);
    match cause {
        Cause::Input { input, .. } => stands.is_ok_and(|stands| stands == *input),
        Cause::Unreadable { .. } => stands.is_err(),
        Cause::Timer | Cause::Takeover { .. } => false,
    }
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
        let other = serde_json::to_vec(&other).unwrap();
        assert!(!is_filler(&other));
        // It is what the log consumed, and the other is not.
        assert!(is_consumed(&record.cause, &payload) && !is_consumed(&record.cause, &other));
        let unreadable = Cause::Unreadable { seq: 1, reason: "no input".to_owned() };
        assert!(is_consumed(&unreadable, b"no input at all") && !is_consumed(&unreadable, &payload));
    }
}
