//! What the gateway listens to: the log, the customers' typing, the end of sessions.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use bus::{Tail, TailError, TailItem, TailOptions, WatchEvent};
use protocol::input::WIRE_VERSION;
use protocol::{ConversationId, Record, streams};
use serde::Deserialize;
use service::HealthHandle;

use crate::{Gateway, drafts};

/// Pause before a reader that could not begin tries again.
pub(crate) const REOPEN_PAUSE: Duration = Duration::from_millis(500);
/// How often the log's reader beats.
const BEAT_EVERY: Duration = Duration::from_secs(1);

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
    let health = gateway.kit.health.register("desk log");
    let drained = gateway.kit.drain.token();
    let mut beat = tokio::time::interval(BEAT_EVERY);
    health.set_detail("reading the log");
    let mut tail = tokio::select! {
        () = drained.cancelled() => {
            health.retire();
            return Ok(());
        }
        tail = open(&gateway, &health) => tail?,
    };
    let mut is_live = false;
    loop {
        if !is_live && tail.caught_up() {
            is_live = true;
            gateway.hub.set_caught_up();
            health.set_detail("live");
            tracing::info!(log_seq = gateway.hub.log_seq(), "desk has read the log");
        }
        tokio::select! {
            () = drained.cancelled() => break,
            item = tail.next() => fold(&gateway, &item.context("read the log")?, is_live)?,
            _ = beat.tick() => {
                health.beat();
                #[expect(clippy::cast_precision_loss, reason = "a gauge for people")]
                gateway.kit.metrics.log_lag_records.set(["desk"], tail.pending() as f64);
            }
        }
    }
    health.retire();
    Ok(())
}

async fn open(gateway: &Gateway, health: &HealthHandle) -> Result<Tail> {
    loop {
        health.beat();
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
    loop {
        match gateway.bus.subscribe_ephemeral(&gateway.subjects.typing_all()).await {
            Ok(mut messages) => {
                while let Some(message) = messages.next().await {
                    if let Some(conversation) = customer_types(&message.subject, &message.payload) {
                        gateway.hub.typing(conversation);
                    }
                }
            }
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
    loop {
        match gateway.sessions.watch_all().await {
            Ok(mut watcher) => loop {
                match watcher.next().await {
                    Ok(WatchEvent::Deleted { key, .. }) => gateway.live.end(&key),
                    Ok(WatchEvent::Put(_) | WatchEvent::CaughtUp) => {}
                    Err(error) => {
                        tracing::warn!(%error, "the watch over sessions broke, begins anew");
                        break;
                    }
                }
            },
            Err(error) => tracing::warn!(%error, "failed to watch sessions, tries again"),
        }
        tokio::time::sleep(REOPEN_PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
