//! Notices gateways that died without a word: their agents are gone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::Result;
use bus::Deadline;
use protocol::ids::{GatewayId, NoticeId};
use protocol::input::WIRE_VERSION;
use protocol::{Input, InputBody, Millis};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::Role;

/// A gateway that has not renewed its key for so long is lost. It renews every second.
const LOST_AFTER: Duration = Duration::from_secs(6);
/// A look that took longer than this says nothing about the gateway.
const SLOW_LOOK: Duration = Duration::from_secs(1);
const LOOK_EVERY: Duration = Duration::from_secs(1);
const PUBLISH_DEADLINE: Duration = Duration::from_secs(5);

/// Watches those gateways through which agents are connected, until the leader ends.
pub(crate) async fn watch(role: Role, in_use: watch::Receiver<BTreeSet<GatewayId>>) {
    let mut seen: BTreeMap<GatewayId, (u64, Instant)> = BTreeMap::new();
    let mut look = tokio::time::interval(LOOK_EVERY);
    while in_use.has_changed().is_ok() {
        look.tick().await;
        let wanted = in_use.borrow().clone();
        seen.retain(|gateway, _| wanted.contains(gateway));
        for gateway in wanted {
            match is_lost(&role, gateway, &mut seen).await {
                Ok(false) => {}
                Ok(true) => report(&role, gateway).await,
                // The bus is away: nobody can renew, so nobody is lost.
                Err(_) => seen.clear(),
            }
        }
    }
}

async fn is_lost(
    role: &Role,
    gateway: GatewayId,
    seen: &mut BTreeMap<GatewayId, (u64, Instant)>,
) -> Result<bool> {
    let asked = Instant::now();
    let revision = role.gateways.get(&gateway.to_string()).await?.map_or(0, |entry| entry.revision);
    let (last, since) = seen.entry(gateway).or_insert((revision, Instant::now()));
    // While an answer takes long, the bus was away: it could not renew either.
    if *last != revision || asked.elapsed() > SLOW_LOOK {
        (*last, *since) = (revision, Instant::now());
    }
    Ok(since.elapsed() >= LOST_AFTER)
}

async fn report(role: &Role, gateway: GatewayId) {
    let id = NoticeId(uuid::Uuid::now_v7());
    let made_at = Millis(role.kit.clock.unix_ms());
    let input = Input { v: WIRE_VERSION, made_at, body: InputBody::GatewayLost { id, gateway } };
    let Ok(payload) = serde_json::to_vec(&input) else { return };
    let subject = role.subjects.inbound_presence();
    let deadline = Deadline::after(PUBLISH_DEADLINE);
    match role.bus.publish_durable(&subject, &id.to_string(), payload.into(), deadline).await {
        Ok(_) => tracing::warn!(%gateway, "gateway lost: its agents are gone"),
        // Looked at again in a second.
        Err(error) => return tracing::warn!(%gateway, %error, "failed to report a lost gateway"),
    }
    // What the dead process left is of no more use; failing to delete it costs a few bytes.
    if let Err(error) = role.gateways.delete(&gateway.to_string()).await {
        tracing::debug!(%gateway, %error, "left a dead gateway's key");
    }
}
