//! How many agents work off a queue.

use std::collections::{BTreeSet, HashMap};

use protocol::command::Presence;
use protocol::config::RoutingConfig;
use protocol::{AgentId, SubjectToken};
use serde::{Deserialize, Serialize};

/// Who serves what, and whether they are there.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Staff {
    seats: HashMap<AgentId, Seat>,
    there: HashMap<SubjectToken, u32>,
}

/// What is known of an agent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Seat {
    pub(crate) is_connected: bool,
    pub(crate) presence: Presence,
    pub(crate) is_about_to_go: bool,
    serves: BTreeSet<SubjectToken>,
}

impl Default for Seat {
    fn default() -> Self {
        Self {
            is_connected: false,
            presence: Presence::Offline,
            is_about_to_go: false,
            serves: BTreeSet::new(),
        }
    }
}

impl Seat {
    fn is_there(&self) -> bool {
        self.is_connected && self.presence == Presence::Online && !self.is_about_to_go
    }
}

impl Staff {
    /// How many agents who serve the queue are there.
    pub(crate) fn there(&self, queue: &SubjectToken) -> u32 {
        self.there.get(queue).copied().unwrap_or(0)
    }

    pub(crate) fn change(&mut self, agent: AgentId, change: impl FnOnce(&mut Seat)) {
        let seat = self.seats.entry(agent).or_default();
        let was_there = seat.is_there();
        change(seat);
        let is_there = seat.is_there();
        if was_there == is_there {
            return;
        }
        for queue in &seat.serves {
            let there = self.there.entry(queue.clone()).or_default();
            *there = if is_there { *there + 1 } else { there.saturating_sub(1) };
        }
    }

    pub(crate) fn configure(&mut self, config: &RoutingConfig) {
        let configured: BTreeSet<AgentId> = config.agents.iter().map(|agent| agent.id).collect();
        self.seats.retain(|agent, _| configured.contains(agent));
        for agent in &config.agents {
            self.seats.entry(agent.id).or_default().serves.clone_from(&agent.queues);
        }
        self.there.clear();
        for seat in self.seats.values().filter(|seat| seat.is_there()) {
            for queue in &seat.serves {
                *self.there.entry(queue.clone()).or_default() += 1;
            }
        }
    }
}
