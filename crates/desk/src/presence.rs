//! Presence: this process says that it lives, and which agents are reachable through it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bus::Deadline;
use protocol::ids::NoticeId;
use protocol::input::WIRE_VERSION;
use protocol::{AgentId, Input, InputBody};

use crate::Gateway;

/// How often the process says that it lives. The router takes it for lost after some of these.
const BEAT_EVERY: Duration = Duration::from_secs(1);
/// Longest wait for one beat; the next one comes anyway.
const BEAT_WAIT: Duration = Duration::from_secs(1);
/// Beats between two comparisons of who is here with what the log says.
const BEATS_PER_COMPARISON: u32 = 3;
/// Most agents told of in one comparison; the rest comes with the next one.
const TOLD_AT_ONCE_MAX: usize = 500;
/// How long one telling is tried; after that the comparison finds it.
const TELL_WAIT: Duration = Duration::from_secs(5);

/// What is told of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edge {
    Connected,
    Disconnected,
}

/// Publishes an edge; a failure is found and mended by the comparison.
pub(crate) async fn tell(gateway: Arc<Gateway>, agent: AgentId, edge: Edge) {
    let id = NoticeId(uuid::Uuid::now_v7());
    let body = match edge {
        Edge::Connected => InputBody::AgentConnected { id, agent, gateway: gateway.id },
        Edge::Disconnected => InputBody::AgentDisconnected { id, agent, gateway: gateway.id },
    };
    let input = Input { v: WIRE_VERSION, made_at: gateway.now(), body };
    let payload = match serde_json::to_vec(&input) {
        Ok(payload) => payload,
        Err(error) => return tracing::error!(%error, "failed to write an agent's presence"),
    };
    let subject = gateway.subjects.inbound_presence();
    let deadline = Deadline::after(TELL_WAIT);
    if let Err(error) = gateway.bus.publish_durable(&subject, &id.to_string(), payload.into(), deadline).await
    {
        tracing::warn!(%agent, ?edge, %error, "failed to tell of an agent's presence, tries again");
    }
}

pub(crate) fn start(gateway: &Arc<Gateway>) {
    let gateway = Arc::clone(gateway);
    let drain = gateway.kit.drain.clone();
    drain.spawn("desk presence", async move {
        let health = gateway.kit.health.register("desk presence");
        let drained = gateway.kit.drain.token();
        let mut beat = tokio::time::interval(BEAT_EVERY);
        let mut suspects = Suspects::default();
        let mut beats = 0_u32;
        loop {
            tokio::select! {
                () = drained.cancelled() => break,
                _ = beat.tick() => {}
            }
            health.beat();
            say_alive(&gateway).await;
            beats = beats.wrapping_add(1);
            if beats.is_multiple_of(BEATS_PER_COMPARISON) {
                compare(&gateway, &mut suspects);
            }
        }
        health.retire();
        Ok(())
    });
}

async fn say_alive(gateway: &Gateway) {
    let value = format!("{{\"at\":{}}}", gateway.now().0);
    let key = gateway.id.to_string();
    match tokio::time::timeout(BEAT_WAIT, gateway.gateways.put(&key, value.into())).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::warn!(%error, "failed to say that this gateway lives"),
        Err(_) => tracing::debug!("nobody hears that this gateway lives"),
    }
}

/// Who stood out in the last comparison. Only what stands out twice is told, because a record may be on its way.
#[derive(Default)]
struct Suspects {
    here: BTreeSet<AgentId>,
    gone: BTreeSet<AgentId>,
}

impl Suspects {
    fn confirm(&mut self, here: Vec<AgentId>, gone: Vec<AgentId>) -> Vec<(AgentId, Edge)> {
        let twice = |agents: &[AgentId], before: &BTreeSet<AgentId>, edge| {
            agents
                .iter()
                .filter(|agent| before.contains(agent))
                .map(|agent| (*agent, edge))
                .collect::<Vec<_>>()
        };
        let mut confirmed = twice(&here, &self.here, Edge::Connected);
        confirmed.extend(twice(&gone, &self.gone, Edge::Disconnected));
        confirmed.truncate(TOLD_AT_ONCE_MAX);
        *self = Self { here: here.into_iter().collect(), gone: gone.into_iter().collect() };
        confirmed
    }
}

/// Mends what got lost: an edge that was not taken, a loss of this gateway that was called too early.
fn compare(gateway: &Arc<Gateway>, suspects: &mut Suspects) {
    if !gateway.bus.is_connected() {
        return;
    }
    let (here, gone) = gateway.hub.mismatches(gateway.id);
    for (agent, edge) in suspects.confirm(here, gone) {
        tracing::info!(%agent, ?edge, "tells again of an agent's presence");
        tokio::spawn(tell(Arc::clone(gateway), agent, edge));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_out_twice_is_told() {
        let agent = |n: u128| AgentId(uuid::Uuid::from_u128(n));
        let mut suspects = Suspects::default();
        assert_eq!(suspects.confirm(vec![agent(1), agent(2)], vec![agent(3)]), []);
        let told = suspects.confirm(vec![agent(2), agent(4)], vec![agent(3)]);
        assert_eq!(told, [(agent(2), Edge::Connected), (agent(3), Edge::Disconnected)]);
        assert_eq!(suspects.confirm(vec![agent(4)], vec![]), [(agent(4), Edge::Connected)]);
        let many: Vec<AgentId> = (0..=TOLD_AT_ONCE_MAX as u128).map(agent).collect();
        suspects.confirm(many.clone(), vec![]);
        assert_eq!(suspects.confirm(many, vec![]).len(), TOLD_AT_ONCE_MAX);
    }
}
