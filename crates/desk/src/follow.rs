//! What the gateway listens to: the logs, the customers' typing, the end of sessions.

use std::sync::Arc;

use anyhow::Result;
use bus::WatchEvent;
use bytes::Bytes;
use protocol::signin::SessionRow;
use protocol::{AgentId, ConversationId};
use serde::{Deserialize, Serialize};

use crate::logs::{self, Log};
use crate::watching::{self, BEAT_EVERY, REOPEN_PAUSE};
use crate::{Gateway, canned, clienteling, drafts, sessions};

pub(crate) fn start(gateway: &Arc<Gateway>) {
    let drain = &gateway.kit.drain;
    drain.spawn("desk log", logs::read(Arc::clone(gateway), Log::Contacts));
    drain.spawn("desk remedies", logs::read(Arc::clone(gateway), Log::Remedies));
    drain.spawn("desk deliveries", logs::read(Arc::clone(gateway), Log::Deliveries));
    drain.spawn("desk typing", until_drained(Arc::clone(gateway), typing(Arc::clone(gateway))));
    drain.spawn("desk drafts", until_drained(Arc::clone(gateway), drafts::follow(Arc::clone(gateway))));
    drain.spawn("desk canned", until_drained(Arc::clone(gateway), canned::follow(Arc::clone(gateway))));
    let arrivals = clienteling::follow_arrivals(Arc::clone(gateway));
    drain.spawn("desk arrivals", until_drained(Arc::clone(gateway), arrivals));
    let approaches = clienteling::follow_approaches(Arc::clone(gateway));
    drain.spawn("desk approaches", until_drained(Arc::clone(gateway), approaches));
    drain.spawn("desk sessions", until_drained(Arc::clone(gateway), ends(Arc::clone(gateway))));
    drain.spawn("desk roles", until_drained(Arc::clone(gateway), roles(Arc::clone(gateway))));
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
#[derive(Serialize, Deserialize)]
struct Typing {
    who: Who,
    /// Which agent, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    agent: Option<AgentId>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Who {
    Customer,
    /// To the customer, who hears of it.
    Agent,
    /// To colleagues only.
    Colleague,
}

/// Somebody types in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Types {
    Customer,
    Agent { agent: AgentId, note: bool },
}

/// What is published when an agent types.
pub(crate) fn typing_of(agent: AgentId, note: bool) -> Bytes {
    let who = if note { Who::Colleague } else { Who::Agent };
    serde_json::to_vec(&Typing { who, agent: Some(agent) }).map(Bytes::from).unwrap_or_default()
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
                        match who_types(&message.subject, &message.payload) {
                            Some((conversation, Types::Customer)) => gateway.hub.typing(conversation),
                            Some((conversation, Types::Agent { agent, note })) => {
                                gateway.hub.writing(conversation, agent, note);
                            }
                            None => {}
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

fn who_types(subject: &str, payload: &[u8]) -> Option<(ConversationId, Types)> {
    let typing: Typing = serde_json::from_slice(payload).ok()?;
    let conversation = subject.rsplit('.').next()?.parse().ok()?;
    let types = match typing.who {
        Who::Customer => Types::Customer,
        Who::Agent => Types::Agent { agent: typing.agent?, note: false },
        Who::Colleague => Types::Agent { agent: typing.agent?, note: true },
    };
    Some((conversation, types))
}

/// Whoever is given another role, or is taken out of the configuration, is signed out at once.
async fn roles(gateway: Arc<Gateway>) {
    gateway.hub.floor_caught_up().await;
    let mut configured = gateway.hub.configured();
    loop {
        sessions::end_outdated(&gateway).await;
        if configured.changed().await.is_err() {
            return;
        }
    }
}

/// A session that is deleted ends its sockets.
async fn ends(gateway: Arc<Gateway>) {
    let health = gateway.kit.health.register("desk sessions");
    watching::watch(&gateway.sessions, &health, |event| match event {
        WatchEvent::Put(entry) => {
            let row = serde_json::from_slice::<SessionRow>(&entry.value).ok();
            gateway.strangers.learn(&entry.key, row.map(|row| row.agent));
        }
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
    fn it_is_told_who_types_where() {
        let conversation = ConversationId { log_seq: 3, n: 0 };
        let subject = "wb.c1.typing.cnv_3_0";
        let agent = AgentId(uuid::Uuid::from_u128(7));
        assert_eq!(who_types(subject, br#"{"who":"customer"}"#), Some((conversation, Types::Customer)));
        for note in [false, true] {
            let types = Types::Agent { agent, note };
            assert_eq!(who_types(subject, &typing_of(agent, note)), Some((conversation, types)));
        }
        // As an earlier version says it, of nobody.
        assert_eq!(who_types(subject, br#"{"who":"agent"}"#), None);
        assert_eq!(who_types(subject, b"{}"), None);
        assert_eq!(who_types("wb.c1.typing.x", br#"{"who":"customer"}"#), None);
    }
}
