//! What both logs say of the rounds that are under way.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bus::{Bus, Tail, TailItem, TailOptions};
use protocol::canary::Canary;
use protocol::record::{Cause, Event, Record};
use protocol::{Input, InputBody, MessageId, streams};
use tokio::sync::watch;

use super::progress::Steps;
use super::{Canaries, pause};

/// The rounds under way. Clones are the same.
#[derive(Clone, Default)]
pub(super) struct Heard(Arc<Mutex<HashMap<MessageId, watch::Sender<Steps>>>>);

/// One round, for who waits on it.
pub(super) struct Expected {
    heard: Heard,
    message: MessageId,
    steps: watch::Receiver<Steps>,
}

impl Heard {
    /// From here on it is noted what is read of this round; until what is given back is dropped.
    pub(super) fn expect(&self, message: MessageId) -> Expected {
        let (sender, steps) = watch::channel(Steps::default());
        self.lock().insert(message, sender);
        Expected { heard: self.clone(), message, steps }
    }

    /// The answer came by the channel.
    pub(super) fn delivered(&self, message: MessageId) {
        self.note(message, |steps| steps.delivered = true);
    }

    /// Something more is known of a round.
    pub(super) fn note(&self, message: MessageId, change: impl FnOnce(&mut Steps)) {
        if let Some(steps) = self.lock().get(&message) {
            steps.send_modify(change);
        }
    }

    fn input(&self, item: &TailItem) {
        if let Ok(Input { body: InputBody::Canary(canary), .. }) = serde_json::from_slice(&item.payload)
            && !canary.wrote()
        {
            self.note(canary.message, |steps| steps.answered = true);
        }
    }

    fn record(&self, item: &TailItem) {
        let Ok(record) = serde_json::from_slice::<Record>(&item.payload) else { return };
        if let Some(canary) = heard_in(&record) {
            self.note(canary.message, |steps| {
                if canary.wrote() { steps.decided = true } else { steps.answered_at = Some(item.seq) }
            });
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<MessageId, watch::Sender<Steps>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Expected {
    /// Waits until more is read of it.
    pub(super) async fn changed(&mut self) -> Steps {
        // The sender lives as long as this.
        if self.steps.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        *self.steps.borrow_and_update()
    }

    /// What is read of it so far.
    pub(super) fn steps(&self) -> Steps {
        *self.steps.borrow()
    }
}

impl Drop for Expected {
    fn drop(&mut self) {
        self.heard.lock().remove(&self.message);
    }
}

/// The canary's step that a record decided.
fn heard_in(record: &Record) -> Option<&Canary> {
    let Cause::Input { input, .. } = &record.cause else { return None };
    let InputBody::Canary(canary) = &input.body else { return None };
    record.events.iter().any(|event| matches!(event, Event::CanaryHeard { .. })).then_some(canary)
}

/// Reads both logs from where they end now, for ever.
pub(super) async fn follow(canaries: Arc<Canaries>) {
    let (bus, heard) = (&canaries.bus, &canaries.heard);
    let answers = TailOptions { filter: vec![canaries.subjects.inbound_canary()], ..TailOptions::default() };
    tokio::join!(
        read(bus, streams::INBOUND, answers, |item| heard.input(item)),
        read(bus, streams::CONTACTS, TailOptions::default(), |item| heard.record(item)),
    );
}

async fn read(bus: &Bus, stream: &'static str, options: TailOptions, note: impl Fn(&TailItem)) {
    loop {
        if let Err(error) = read_on(bus, stream, options.clone(), &note).await {
            tracing::warn!(
                error = format!("{error:#}"),
                stream,
                "failed to read on; canaries' rounds are read from its end"
            );
        }
        pause().await;
    }
}

async fn read_on(
    bus: &Bus,
    stream: &str,
    options: TailOptions,
    note: &impl Fn(&TailItem),
) -> anyhow::Result<()> {
    let end = bus.stream_usage(stream).await?.last_seq;
    let mut tail = Tail::open(bus, stream, end + 1, options).await?;
    loop {
        note(&tail.next().await?);
    }
}
