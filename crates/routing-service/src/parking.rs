//! Keeps the bytes of inputs that could not be used, before the record that says so is written.

use std::time::Duration;

use anyhow::{Context, Result};
use bus::{Bus, Deadline, IdHasher, Sealer, TailItem};
use protocol::input::InputBody;
use protocol::parked::Parked;
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

    /// Parks the input if its record says so. It is done before the append, under an id made of the input's
    /// sequence: a crash between the two leads to a second try and not to a loss or, within two minutes, a double.
    pub(crate) async fn keep(&self, record: &Record, item: &TailItem) -> Result<()> {
        let Some(Event::Parked { reason }) =
            record.events.iter().find(|event| matches!(event, Event::Parked { .. }))
        else {
            return Ok(());
        };
        let id = ParkedId(uuid::Uuid::now_v7());
        let (mut channel, mut account) = (None, None);
        if let Cause::Input { input, .. } = &record.cause
            && let InputBody::Message(message) = &input.body
        {
            (channel, account) = (Some(message.channel), Some(message.account.clone()));
        }
        let identity = self.hasher.identity(channel.unwrap_or(ChannelKind::Api), "parked", &id.to_string());
        let parked = Parked {
            id,
            at: Millis(item.published_at_ms),
            channel,
            account,
            reason: reason.as_str().to_owned(),
            detail: "stood in INBOUND and could not be used; look at it and replay it, or let it be"
                .to_owned(),
            inbound_seq: Some(item.seq),
            bytes: self.sealer.seal(identity, &item.payload).await.context("seal what is parked")?,
        };
        let payload = serde_json::to_vec(&parked)?.into();
        let msg_id = format!("inbound-{}", item.seq);
        let deadline = Deadline::after(PUBLISH_DEADLINE);
        self.bus.publish_durable(&self.subjects.parked(), &msg_id, payload, deadline).await?;
        tracing::warn!(inbound_seq = item.seq, reason = reason.as_str(), "input parked");
        Ok(())
    }
}
