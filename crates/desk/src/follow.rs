//! What the gateway listens to: the log, the customers' typing, the end of sessions.

use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use bus::{Tail, TailError, TailItem, TailOptions, WatchEvent};
use protocol::input::WIRE_VERSION;
use protocol::{ConversationId, Record, streams};
use serde::Deserialize;
use service::{Health, HealthHandle};

use crate::watching::{self, BEAT_EVERY, REOPEN_PAUSE};
use crate::{Gateway, drafts};

pub(crate) fn start(gateway: &Arc<Gateway>) {
    let drain = &gateway.kit.drain;
    drain.spawn("desk log", log(Arc::clone(gateway)));
    drain.spawn("desk typing", until_drained(Arc::clone(gateway), typing(Arc::clone(gateway))));
    drain.spawn("desk drafts", until_drained(Arc::clone(gateway), drafts::follow(Arc::clone(gateway))));
    drain.spawn("desk sessions", until_drained(Arc::clone(gateway), sessions(Arc::clone(gateway))));
}

async fn until_drained(gateway: Arc<Gateway>, reader: impl Future<Output = ()>) -> Result<()> {
    let drained = gateway.kit.drain.token();
    tokio::select! {
        () = drained.cancelled() => {}
        () = reader => {}
    }
    Ok(())
}

/// Folds the log from its first record. Ends with an error, which turns readiness red, when a record cannot be used:
/// going on without it would show agents a floor that is not there.
async fn log(gateway: Arc<Gateway>) -> Result<()> {
    let mut sign = SignOfLife::new(&gateway.kit.health);
    let drained = gateway.kit.drain.token();
    let mut beat = tokio::time::interval(BEAT_EVERY);
    let mut tail = tokio::select! {
        () = drained.cancelled() => {
            sign.handle.retire();
            return Ok(());
        }
        tail = open(&gateway) => tail?,
    };
    let mut is_live = false;
    loop {
        if !is_live && tail.caught_up() {
            is_live = true;
            gateway.hub.set_caught_up();
            tracing::info!(log_seq = gateway.hub.log_seq(), "desk has read the log");
        }
        tokio::select! {
            () = drained.cancelled() => break,
            item = tail.next() => fold(&gateway, &item.context("read the log")?, is_live)?,
            _ = beat.tick() => {
                sign.give(match (is_live, gateway.hub.is_configured()) {
                    (true, true) => Standing::Live,
                    (true, false) => Standing::Unconfigured,
                    (false, _) => Standing::Reading { log_seq: gateway.hub.log_seq() },
                });
                #[expect(clippy::cast_precision_loss, reason = "a gauge for people")]
                gateway.kit.metrics.log_lag_records.set(["desk"], tail.pending() as f64);
            }
        }
    }
    sign.handle.retire();
    Ok(())
}

/// How far the log's reader is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Reading { log_seq: u64 },
    Unconfigured,
    Live,
}

/// What readiness hears of the log's reader: no beat before desks can be served, and no silence while it comes on.
struct SignOfLife {
    health: Health,
    handle: HealthHandle,
    read: u64,
}

impl SignOfLife {
    fn new(health: &Health) -> Self {
        Self { health: health.clone(), handle: register(health, "opening the log"), read: 0 }
    }

    fn give(&mut self, standing: Standing) {
        match standing {
            Standing::Live => {
                self.handle.set_detail("live");
                self.handle.beat();
            }
            Standing::Unconfigured => self.start_anew("waiting for the first configuration"),
            Standing::Reading { log_seq } if log_seq > self.read => {
                self.read = log_seq;
                self.start_anew(&format!("reading the log, at record {log_seq}"));
            }
            Standing::Reading { .. } => {}
        }
    }

    /// A loop that is starting counts as dead after a while: this while begins anew.
    fn start_anew(&mut self, detail: &str) {
        let handle = register(&self.health, detail);
        std::mem::replace(&mut self.handle, handle).retire();
    }
}

fn register(health: &Health, detail: &str) -> HealthHandle {
    let handle = health.register("desk log");
    handle.set_detail(detail);
    handle
}

async fn open(gateway: &Gateway) -> Result<Tail> {
    loop {
        match Tail::open(&gateway.bus, streams::CONTACTS, 1, TailOptions::default()).await {
            Ok(tail) => return Ok(tail),
            Err(error @ TailError::Closed(_)) => return Err(error).context("open the log"),
            Err(error) => tracing::warn!(%error, "failed to open the log, tries again"),
        }
        tokio::time::sleep(REOPEN_PAUSE).await;
    }
}

fn fold(gateway: &Arc<Gateway>, item: &TailItem, is_live: bool) -> Result<()> {
    let record: Record = serde_json::from_slice(&item.payload)
        .with_context(|| format!("read record {} of the log", item.seq))?;
    if record.v > WIRE_VERSION {
        bail!("read record {} of the log: it was written by a later version, {}", item.seq, record.v);
    }
    let given_up = gateway.hub.fold(item.seq, &record);
    // What went while the log was being read again is swept once that is done.
    for (agent, contact) in given_up.into_iter().filter(|_| is_live) {
        let gateway = Arc::clone(gateway);
        tokio::spawn(async move { drafts::forget(&gateway, agent, contact).await });
    }
    Ok(())
}

/// Who types.
#[derive(Deserialize)]
struct Typing {
    who: Who,
}

#[derive(Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Who {
    Customer,
    Agent,
}

async fn typing(gateway: Arc<Gateway>) {
    let health = gateway.kit.health.register("desk typing");
    let mut beat = tokio::time::interval(BEAT_EVERY);
    loop {
        match gateway.bus.subscribe_ephemeral(&gateway.subjects.typing_all()).await {
            Ok(mut messages) => loop {
                tokio::select! {
                    message = messages.next() => {
                        let Some(message) = message else { break };
                        if let Some(conversation) = customer_types(&message.subject, &message.payload) {
                            gateway.hub.typing(conversation);
                        }
                    }
                    _ = beat.tick() => health.beat(),
                }
            },
            Err(error) => tracing::warn!(%error, "failed to listen for typing, tries again"),
        }
        tokio::time::sleep(REOPEN_PAUSE).await;
    }
}

fn customer_types(subject: &str, payload: &[u8]) -> Option<ConversationId> {
    let typing: Typing = serde_json::from_slice(payload).ok()?;
    let conversation = subject.rsplit('.').next()?.parse().ok()?;
    (typing.who == Who::Customer).then_some(conversation)
}

/// A session that is deleted ends its sockets.
async fn sessions(gateway: Arc<Gateway>) {
    let health = gateway.kit.health.register("desk sessions");
    watching::watch(&gateway.sessions, &health, |event| match event {
        WatchEvent::Put(entry) => gateway.strangers.learn(&entry.key),
        WatchEvent::Deleted { key, .. } => {
            gateway.strangers.forget(&key);
            gateway.live.end(&key);
        }
        WatchEvent::CaughtUp => gateway.strangers.set_learned(),
    })
    .await;
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use service::Clock;

    use super::*;

    #[test]
    fn readiness_waits_for_the_log_and_a_configuration_and_names_a_reader_that_hangs() {
        let stale = Duration::from_secs(10);
        let (clock, hand) = Clock::manual(0);
        let health = Health::new(clock, stale);
        health.bus_up();
        let mut sign = SignOfLife::new(&health);
        let mut told = |standing| {
            sign.give(standing);
            health.report().reasons
        };
        for log_seq in 1..4 {
            hand.advance(stale / 2 + Duration::from_secs(1));
            let reason = format!("desk log: still starting (reading the log, at record {log_seq})");
            assert_eq!(told(Standing::Reading { log_seq }), [reason]);
        }
        hand.advance(stale + Duration::from_secs(1));
        let hangs = "desk log: no sign of life for 11 s (reading the log, at record 3)";
        assert_eq!(told(Standing::Reading { log_seq: 3 }), [hangs]);
        let waits = "desk log: still starting (waiting for the first configuration)";
        assert_eq!(told(Standing::Unconfigured), [waits]);
        assert_eq!(told(Standing::Live), [""; 0]);
        hand.advance(stale + Duration::from_secs(1));
        assert_eq!(health.report().reasons, ["desk log: no sign of life for 11 s (live)"]);
    }

    #[test]
    fn only_a_customers_typing_is_shown() {
        let conversation = ConversationId { log_seq: 3, n: 0 };
        let subject = "wb.c1.typing.cnv_3_0";
        assert_eq!(customer_types(subject, br#"{"who":"customer"}"#), Some(conversation));
        assert_eq!(customer_types(subject, br#"{"who":"agent"}"#), None);
        assert_eq!(customer_types(subject, b"{}"), None);
        assert_eq!(customer_types("wb.c1.typing.x", br#"{"who":"customer"}"#), None);
    }
}
