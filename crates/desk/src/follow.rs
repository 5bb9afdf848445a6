//! What the gateway listens to: the logs, the customers' typing, the end of sessions.

use std::sync::Arc;

use anyhow::Result;
use bus::WatchEvent;
use protocol::ConversationId;
use serde::Deserialize;

use crate::logs::{self, Log};
use crate::watching::{self, BEAT_EVERY, REOPEN_PAUSE};
use crate::{Gateway, drafts};

pub(crate) fn start(gateway: &Arc<Gateway>) {
    let drain = &gateway.kit.drain;
    drain.spawn("desk log", logs::read(Arc::clone(gateway), Log::Contacts));
    drain.spawn("desk remedies", logs::read(Arc::clone(gateway), Log::Remedies));
    drain.spawn("desk deliveries", logs::read(Arc::clone(gateway), Log::Deliveries));
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
