//! Keeps the bytes of inputs that could not be used, before the record that says so is written.

use std::time::Duration;

use anyhow::{Context, Result};
use bus::{Bus, Deadline, IdHasher, PublishError, SealError, Sealer, TailItem};
use protocol::input::InputBody;
use protocol::parked::Parked;
use protocol::record::ParkReason;
use protocol::subjects::Subjects;
use protocol::{Cause, ChannelKind, Event, Millis, ParkedId, Record};

const PUBLISH_DEADLINE: Duration = Duration::from_secs(15);

/// Writes to PARKED.
#[derive(Clone)]
pub(crate) struct Parking {
    bus: Bus,
    subjects: Subjects,
    sealer: Sealer,
    hasher: IdHasher,
}

impl Parking {
    pub(crate) fn new(bus: Bus, subjects: Subjects, sealer: Sealer, hasher: IdHasher) -> Self {
        Self { bus, subjects, sealer, hasher }
    }

    /// Parks the input if its record says so.
    ///
    /// What cannot be kept (PARKED is full, the bytes are too many) must not stop the floor: an input that could be read
    /// stands whole in its record, any other stays in INBOUND for its 7 days. A person is told. It is done before the append, under an id made of the input's
    /// sequence: a crash between the two leads to a second try and not to a loss or, within two minutes, a double.
    pub(crate) async fn keep(&self, record: &Record, item: &TailItem) -> Result<()> {
        let Some(Event::Parked { reason }) =
            record.events.iter().find(|event| matches!(event, Event::Parked { .. }))
        else {
            return Ok(());
        };
        // Made of the input's place, so that a second try seals with the same key.
        let id = ParkedId::of_input(item.published_at_ms, item.seq);
        let (mut channel, mut account, mut replays) = (None, None, None);
        if let Cause::Input { input, .. } = &record.cause
            && let InputBody::Message(message) = &input.body
        {
            (channel, account, replays) =
                (Some(message.channel), Some(message.account.clone()), message.replays);
        }
        let identity = self.hasher.identity(channel.unwrap_or(ChannelKind::Api), "parked", &id.to_string());
        let bytes = match self.sealer.seal(identity, &item.payload).await {
            Ok(bytes) => bytes,
            Err(SealError::TooLarge) => return not_kept(item, "it is too large"),
            Err(error) => return Err(error).context("seal what is parked"),
        };
        let parked = Parked {
            v: protocol::formats::FIRST,
            id,
            at: Millis(item.published_at_ms),
            channel,
            account,
            reason: reason.as_str().to_owned(),
            detail: what_to_do(*reason).to_owned(),
            inbound_seq: Some(item.seq),
            replays,
            bytes,
        };
        let payload = serde_json::to_vec(&parked)?.into();
        let msg_id = format!("inbound-{}", item.seq);
        let deadline = Deadline::after(PUBLISH_DEADLINE);
        match self.bus.publish_durable(&self.subjects.parked(), &msg_id, payload, deadline).await {
            Ok(_) => {}
            Err(PublishError::Full) => {
                return not_kept(item, "PARKED is full: look at what is parked and make room");
            }
            Err(PublishError::TooLarge | PublishError::Refused(_)) => {
                return not_kept(item, "PARKED does not take it");
            }
            Err(error @ (PublishError::Unavailable(_) | PublishError::NotYet(_))) => {
                return Err(error).context("park an input");
            }
        }
        tracing::warn!(inbound_seq = item.seq, reason = reason.as_str(), "input parked");
        Ok(())
    }
}

/// What a person can do about it.
fn what_to_do(reason: ParkReason) -> &'static str {
    match reason {
        ParkReason::Unreadable => {
            "it is no input: look at it, have whoever sent it write again, then dismiss it"
        }
        ParkReason::ContentDiffers => {
            "other words came before under its id: replay it, which makes it a message of its own, or dismiss it"
        }
        ParkReason::UnknownAccount => "its account is not configured: configure it and replay this",
        ParkReason::LaterVersion => "a later version wrote it: upgrade, then replay it",
        ParkReason::FloorFull => {
            "too many conversations had an open contact: replay it when some are resolved, or dismiss it"
        }
    }
}

#[expect(clippy::unnecessary_wraps, reason = "reads as the end of a function that can fail otherwise")]
fn not_kept(item: &TailItem, why: &str) -> Result<()> {
    tracing::error!(inbound_seq = item.seq, why, "an input that cannot be used is not in PARKED");
    Ok(())
}
