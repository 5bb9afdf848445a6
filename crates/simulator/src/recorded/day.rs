//! What a day came to, counted from its records alone: the same count for the one that was and the one that would have been.

#![expect(clippy::wildcard_enum_match_arm, reason = "a count looks only at what it counts")]

use std::collections::{BTreeMap, BTreeSet};

use protocol::record::{Event, Record};
use protocol::{AgentId, ContactId, ConversationId, IdentityId, Millis};

use super::Key;

/// Within which wait an answer counts as in time, ms.
const WITHIN_MS: u64 = 20_000;

/// Whose contacts are whose, in order.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    identities: BTreeMap<ConversationId, IdentityId>,
    counts: BTreeMap<IdentityId, u32>,
    keys: BTreeMap<ContactId, Key>,
}

impl Keys {
    pub(crate) fn learn(&mut self, record: &Record) {
        for event in &record.events {
            match event {
                Event::ConversationOpened { conversation, identity, .. } => {
                    self.identities.insert(*conversation, *identity);
                }
                Event::ContactOpened { contact, conversation, .. } => {
                    let Some(identity) = self.identities.get(conversation) else { continue };
                    let count = self.counts.entry(*identity).or_default();
                    *count += 1;
                    self.keys.insert(*contact, (*identity, *count));
                }
                _ => {}
            }
        }
    }

    pub(crate) fn of(&self, contact: ContactId) -> Option<Key> {
        self.keys.get(&contact).copied()
    }
}

/// What became of one contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Served {
    /// Its id on that day.
    pub contact: ContactId,
    /// Who had it first.
    pub agent: Option<AgentId>,
    /// How long it waited for them, or until its customer left, ms; `None` while it waits.
    pub waited_ms: Option<u64>,
    came: Millis,
    left: bool,
}

/// An agent's day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Contacts that were theirs at some time.
    pub contacts: u64,
    /// For how long they held at least one, ms.
    pub busy_ms: u64,
    since: Option<Millis>,
}

/// A day.
#[derive(Debug, Default)]
pub struct Day {
    pub(crate) served: BTreeMap<Key, Served>,
    /// Each agent's.
    pub loads: BTreeMap<AgentId, Load>,
    keys: Keys,
    held: BTreeMap<AgentId, BTreeSet<ContactId>>,
    owner: BTreeMap<ContactId, AgentId>,
}

impl Day {
    pub(crate) fn fold(&mut self, record: &Record) {
        self.keys.learn(record);
        let at = record.at;
        for event in &record.events {
            match event {
                Event::ContactOpened { contact, .. } => {
                    if let Some(key) = self.keys.of(*contact) {
                        let new =
                            Served { contact: *contact, agent: None, waited_ms: None, came: at, left: false };
                        self.served.insert(key, new);
                    }
                }
                Event::Assigned { contact, agent } => self.assigned(at, *contact, *agent),
                Event::Abandoned { contact } => {
                    if let Some(served) = self.served_of(*contact).filter(|served| served.agent.is_none()) {
                        (served.waited_ms, served.left) = (Some(at.since(served.came)), true);
                    }
                }
                Event::Resolved { contact, .. }
                | Event::Queued { contact, .. }
                | Event::SetAside { contact, .. } => {
                    self.freed(at, *contact);
                }
                _ => {}
            }
        }
    }

    fn served_of(&mut self, contact: ContactId) -> Option<&mut Served> {
        self.served.get_mut(&self.keys.of(contact)?)
    }

    fn assigned(&mut self, at: Millis, contact: ContactId, agent: AgentId) {
        self.freed(at, contact);
        if let Some(served) = self.served_of(contact).filter(|served| served.agent.is_none()) {
            (served.agent, served.waited_ms) = (Some(agent), Some(at.since(served.came)));
        }
        let held = self.held.entry(agent).or_default();
        let load = self.loads.entry(agent).or_default();
        load.contacts += 1;
        if held.is_empty() {
            load.since = Some(at);
        }
        held.insert(contact);
        self.owner.insert(contact, agent);
    }

    fn freed(&mut self, at: Millis, contact: ContactId) {
        let Some(agent) = self.owner.remove(&contact) else { return };
        let held = self.held.entry(agent).or_default();
        held.remove(&contact);
        if held.is_empty()
            && let Some(load) = self.loads.get_mut(&agent)
            && let Some(since) = load.since.take()
        {
            load.busy_ms += at.since(since);
        }
    }

    /// The day ends: who still works has worked until then.
    pub(crate) fn close(&mut self, at: Millis) {
        for load in self.loads.values_mut() {
            if let Some(since) = load.since.take() {
                load.busy_ms += at.since(since);
            }
        }
    }

    /// Contacts that came.
    #[must_use]
    pub fn arrived(&self) -> usize {
        self.served.len()
    }

    /// Contacts that an agent had.
    #[must_use]
    pub fn answered(&self) -> usize {
        self.served.values().filter(|served| served.agent.is_some()).count()
    }

    /// Contacts whose customer left before.
    #[must_use]
    pub fn abandoned(&self) -> usize {
        self.served.values().filter(|served| served.left).count()
    }

    /// The waits of those who were answered, sorted, ms.
    #[must_use]
    pub fn waits(&self) -> Vec<u64> {
        let answered = self.served.values().filter(|served| served.agent.is_some());
        let mut waits: Vec<u64> = answered.filter_map(|served| served.waited_ms).collect();
        waits.sort_unstable();
        waits
    }

    /// Of those who were answered or left: the share that was answered within 20 s; `None` of none.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a share of contacts of a day")]
    pub fn service_level(&self) -> Option<f64> {
        let in_time = self.waits().iter().filter(|waited| **waited <= WITHIN_MS).count();
        let all = self.answered() + self.abandoned();
        (all > 0).then(|| in_time as f64 / all as f64)
    }
}
