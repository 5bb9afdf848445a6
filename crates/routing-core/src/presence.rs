//! Desks that become reachable and unreachable.

use protocol::record::{EntryKind, Event, HandOverWhy, QueuedWhy};
use protocol::{AgentId, GatewayId};

use crate::contact::Phase;
use crate::turn::Turn;

impl Turn<'_> {
    /// An agent who is not configured is not connected: their gateway tells so.
    pub(crate) fn agent_connected(&mut self, agent: AgentId, gateway: GatewayId) {
        if self.state.agent(agent).is_some() {
            self.emit(Event::AgentConnected { agent, gateway });
        }
    }

    /// Only the gateway they are connected through can lose them: they may have come back through another.
    pub(crate) fn agent_disconnected(&mut self, agent: AgentId, gateway: GatewayId) {
        if self.state.agent(agent).is_some_and(|known| known.gateway == Some(gateway)) {
            self.gone(agent);
        }
    }

    pub(crate) fn gone(&mut self, agent: AgentId) {
        let reclaim_ms = self.state.reclaim_ms(agent);
        self.emit(Event::AgentDisconnected { agent, reclaim_at: self.at.plus(reclaim_ms) });
    }

    /// What an unreachable agent has goes on; wrap-ups end, and they are with nobody else's contacts any more.
    pub(crate) fn reclaim(&mut self, agent: AgentId) {
        self.part_from_all(agent);
        let held: Vec<_> = self.state.held_by(agent).collect();
        for id in held {
            let Some(contact) = self.state.contact(id) else { continue };
            match contact.phase {
                Phase::WithAgent { .. } if self.state.is_bot(agent) => self.hand_over(id, &HandOverWhy::Gone),
                Phase::WithAgent { .. } => {
                    let conversation = contact.conversation;
                    self.part_from_consulted(id, None);
                    self.entry(conversation, id, EntryKind::Reclaimed { agent });
                    self.requeue(id, QueuedWhy::Reclaimed);
                }
                Phase::WrapUp { .. } => self.emit(Event::Resolved { contact: id, agent }),
                Phase::New
                | Phase::Waiting { .. }
                | Phase::Gathered { .. }
                | Phase::Offered { .. }
                | Phase::Aside { .. } => {}
            }
        }
    }
}
