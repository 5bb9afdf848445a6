//! The state: what is stored, and the index beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use protocol::config::RoutingConfig;
use protocol::facts::FactValues;
use protocol::limits::CONVERSATIONS_MAX;
use protocol::remedy::Effort;
use protocol::{
    AgentId, ChannelKind, ContactId, ConversationId, GatewayId, Hash128, IdentityId, IncidentId, LinkId,
    Millis, OfferId, SubjectToken,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::blocks::Block;
use crate::company::{Companion, HandOver};
use crate::contact::{AgentState, Contact, Conversation, Ended, Phase};
use crate::incidents::{Categories, Incident};
use crate::index::Index;
use crate::marks::Marks;
use crate::memory::Memory;
use crate::policy::Policy;
use crate::service::Targets;

/// All that the core knows, as it is after a record of the log.
///
/// Serialise it for a snapshot; what is read back is equal and decides alike. Two states are equal when what is stored is:
/// indexes follow from it.
#[derive(Clone, Debug)]
pub struct State {
    pub(crate) stored: Stored,
    pub(crate) index: Index,
    /// Conversations of channels without threads.
    pub(crate) by_identity: BTreeMap<IdentityId, ConversationId>,
    /// Conversations that are a thread of their channel.
    pub(crate) by_thread: BTreeMap<Hash128, ConversationId>,
    /// The open contacts of whose customers this was verified.
    pub(crate) by_person: BTreeMap<Hash128, BTreeSet<ContactId>>,
    pub(crate) expiry: BTreeSet<(Millis, ContactId)>,
    /// Conversations without an open contact.
    pub(crate) idle: BTreeSet<(Millis, ConversationId)>,
    /// How many conversations a decision leaves room for. Only who decides needs it: who follows reads what was forgotten.
    pub(crate) conversations_max: usize,
    /// A contact that has no queue yet: between two events of one record.
    pub(crate) opening: Option<Opening>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Opening {
    pub(crate) contact: ContactId,
    pub(crate) conversation: ConversationId,
    pub(crate) channel: ChannelKind,
    pub(crate) people_only: bool,
}

impl Opening {
    pub(crate) fn into_contact(self, at: Millis, queue: &SubjectToken) -> Contact {
        Contact {
            conversation: self.conversation,
            channel: self.channel,
            opened_at: at,
            queue: queue.clone(),
            priority: 0,
            usual_priority: None,
            needs: Vec::new(),
            since: at,
            phase: Phase::New,
            declines: Vec::new(),
            effort: Effort::default(),
            waits_from: None,
            callback: false,
            warned: false,
            people_only: self.people_only,
            unheard: false,
        }
    }
}

/// What a snapshot holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Stored {
    pub(crate) log_seq: u64,
    pub(crate) inbound_seq: u64,
    pub(crate) epoch: u64,
    pub(crate) last_at: Millis,
    pub(crate) policy: Option<Hash128>,
    pub(crate) config: Arc<RoutingConfig>,
    pub(crate) agents: BTreeMap<AgentId, AgentState>,
    pub(crate) lost_gateways: BTreeSet<GatewayId>,
    /// What is promised to customers, for contacts whose queue promises something.
    #[serde(default)]
    pub(crate) targets: BTreeMap<ContactId, Targets>,
    /// Who is with contacts besides their owners.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) company: BTreeMap<ContactId, Vec<Companion>>,
    /// Since when customers wait for the bot that has their contact. Beside the contacts, as company is.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) asks_bot: BTreeMap<ContactId, Millis>,
    /// The bot that had an open contact last, and until when: what it still writes is a suggestion for a while.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) bot_before: BTreeMap<ContactId, (AgentId, Millis)>,
    /// What happened to many customers at once, and is not over.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) incidents: BTreeMap<IncidentId, Incident>,
    /// What contacts are about, remembered ended ones included.
    #[serde(default)]
    pub(crate) categories: Categories,
    /// What is known of contacts, remembered ended ones included, if any condition could ask. Beside the contacts, as company is.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) briefs: BTreeMap<ContactId, Brief>,
    /// What contacts are tagged with and what their fields hold, remembered ended ones included. Beside the contacts, as company is.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) marks: BTreeMap<ContactId, Marks>,
    /// Contacts that are only practised, remembered ended ones included.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) practice: BTreeSet<ContactId>,
    /// What was verified of the customers of open contacts. Beside the contacts, as company is.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) person_keys: BTreeMap<ContactId, BTreeSet<Hash128>>,
    /// Links of identities to what they are known by that a person took away.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) parted: BTreeSet<LinkId>,
    /// Customers whose messages lead to nothing for a while.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) blocks: BTreeMap<IdentityId, Block>,
    /// Contacts on their way to a colleague that come back if they are not taken.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) hand_overs: BTreeMap<ContactId, HandOver>,
    /// Queues that are closed now.
    #[serde(default)]
    pub(crate) closed: BTreeSet<SubjectToken>,
    pub(crate) contacts: BTreeMap<ContactId, Contact>,
    pub(crate) conversations: BTreeMap<ConversationId, Conversation>,
    pub(crate) ended: BTreeMap<ContactId, Ended>,
    pub(crate) memory: Memory,
    pub(crate) totals: Totals,
}

/// What is known of a contact.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Brief {
    pub(crate) facts: FactValues,
    /// The route that it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) route: Option<SubjectToken>,
}

impl Stored {
    pub(crate) fn facts_of(&self, id: ContactId) -> Option<&FactValues> {
        self.briefs.get(&id).map(|brief| &brief.facts)
    }
}

/// How many contacts there ever were. `opened` = open ones + `resolved` + `abandoned`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Contacts that began.
    pub opened: u64,
    /// Those that are now resolved; one that is reopened is not.
    pub resolved: u64,
    /// Those that are now abandoned; one that is reopened is not.
    pub abandoned: u64,
}

/// Open contacts of one queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ByQueue {
    /// In the queue.
    pub waiting: u32,
    /// For an incident, in nobody's line.
    pub gathered: u32,
    /// An agent is asked.
    pub offered: u32,
    /// An agent owns it.
    pub with_agents: u32,
    /// With an agent, taking no room.
    pub aside: u32,
    /// Resolved, the agent finishes.
    pub wrap_up: u32,
}

impl Default for State {
    fn default() -> Self {
        Self::new()
    }
}

impl State {
    /// Before the first record.
    #[must_use]
    pub fn new() -> Self {
        Self::from(Stored::default())
    }

    /// The same, which from here on decides with another limit than [`CONVERSATIONS_MAX`]. The limit is not stored, and
    /// following a log does not depend on it.
    #[must_use]
    pub fn with_conversations_max(self, conversations_max: usize) -> Self {
        Self { conversations_max, ..self }
    }

    /// The sequence in CONTACTS of the last record applied; 0 before the first.
    #[must_use]
    pub fn log_seq(&self) -> u64 {
        self.stored.log_seq
    }

    /// The sequence of the last INBOUND message consumed; 0 before the first.
    #[must_use]
    pub fn inbound_seq(&self) -> u64 {
        self.stored.inbound_seq
    }

    /// The epoch of the leader that wrote last.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.stored.epoch
    }

    /// When the last record was decided.
    #[must_use]
    pub fn last_at(&self) -> Millis {
        self.stored.last_at
    }

    /// The hash of the configuration in force; zeros before the first.
    #[must_use]
    pub fn policy(&self) -> Hash128 {
        self.stored.policy.unwrap_or(Hash128([0; 16]))
    }

    /// The configuration in force; empty before the first.
    #[must_use]
    pub fn config(&self) -> &Arc<RoutingConfig> {
        &self.stored.config
    }

    /// The open contact of this id.
    #[must_use]
    pub fn contact(&self, id: ContactId) -> Option<&Contact> {
        self.stored.contacts.get(&id)
    }

    /// Every open contact, oldest first.
    pub fn contacts(&self) -> impl Iterator<Item = (ContactId, &Contact)> {
        self.stored.contacts.iter().map(|(id, contact)| (*id, contact))
    }

    /// A contact that ended not long ago.
    #[must_use]
    pub fn ended(&self, id: ContactId) -> Option<&Ended> {
        self.stored.ended.get(&id)
    }

    /// The conversation of this id.
    #[must_use]
    pub fn conversation(&self, id: ConversationId) -> Option<&Conversation> {
        self.stored.conversations.get(&id)
    }

    /// The conversation that is this thread.
    pub(crate) fn conversation_of_thread(&self, thread: Hash128) -> Option<ConversationId> {
        self.by_thread.get(&thread).copied()
    }

    /// The conversation of this identity, on channels without threads.
    #[must_use]
    pub fn conversation_of(&self, identity: IdentityId) -> Option<ConversationId> {
        self.by_identity.get(&identity).copied()
    }

    /// How many conversations are remembered.
    #[must_use]
    pub fn conversation_count(&self) -> usize {
        self.stored.conversations.len()
    }

    /// Whether more inputs came in than can be remembered: one that is repeated late may then be taken a second time.
    #[must_use]
    pub fn forgets_inputs_early(&self) -> bool {
        self.stored.memory.is_full()
    }

    /// The configured agent of this id.
    #[must_use]
    pub fn agent(&self, id: AgentId) -> Option<&AgentState> {
        self.stored.agents.get(&id)
    }

    /// Every configured agent.
    pub fn agents(&self) -> impl Iterator<Item = (AgentId, &AgentState)> {
        self.stored.agents.iter().map(|(id, agent)| (*id, agent))
    }

    /// Whether an agent is a machine.
    pub(crate) fn is_bot(&self, agent: AgentId) -> bool {
        self.index.is_bot(agent)
    }

    /// The team that a configured agent works in.
    pub(crate) fn team_of(&self, agent: AgentId) -> Option<SubjectToken> {
        let desk = self.index.desks.get(&agent)?;
        self.index.floor.team(desk.profile).cloned()
    }

    /// Whether an agent serves a queue.
    pub(crate) fn serves(&self, agent: AgentId, queue: &SubjectToken) -> bool {
        self.index.desks.get(&agent).is_some_and(|desk| self.index.floor.serves(desk.profile, queue))
    }

    /// The contacts that an agent holds: offers, own ones, wrap-ups.
    pub fn held_by(&self, agent: AgentId) -> impl Iterator<Item = ContactId> + '_ {
        self.index.desks.get(&agent).into_iter().flat_map(|desk| desk.contacts.iter().copied())
    }

    /// The gateways through which agents are connected: the shell watches their leases.
    pub fn gateways(&self) -> impl Iterator<Item = GatewayId> + '_ {
        self.index.by_gateway.keys().copied()
    }

    /// Open contacts of each configured queue.
    pub fn by_queue(&self) -> impl Iterator<Item = (&SubjectToken, ByQueue)> {
        self.index.by_queue.iter().map(|(queue, counts)| (queue, *counts))
    }

    /// How many contacts wait for longer than their queue lets them (`wait_bound`), by queue; of queues that are closed now none.
    #[must_use]
    pub fn late(&self, now: Millis) -> BTreeMap<SubjectToken, u32> {
        self.index.floor.late(now)
    }

    /// Contacts since the first record.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.stored.totals
    }

    /// Whether a queue is closed now.
    #[must_use]
    pub fn is_closed(&self, queue: &SubjectToken) -> bool {
        self.stored.closed.contains(queue)
    }

    pub(crate) fn offer(&self, offer: OfferId) -> Option<(ContactId, &Contact)> {
        let id = *self.index.offers.get(&offer)?;
        Some((id, self.stored.contacts.get(&id)?))
    }

    /// Whether two contacts are of the same class.
    pub(crate) fn is_same_class(
        &self,
        (one_id, one): (ContactId, &Contact),
        (id, other): (ContactId, &Contact),
    ) -> bool {
        let asks = |id, contact: &Contact| self.index.policy.asks(&contact.queue, self.stored.facts_of(id));
        one.queue == other.queue
            && one.channel == other.channel
            && one.priority == other.priority
            && one.needs == other.needs
            && one.people_only == other.people_only
            && asks(one_id, one) == asks(id, other)
    }

    /// Builds what follows from the configuration, the agents and the open contacts.
    pub(crate) fn rebuild_index(&mut self) {
        let stored = &self.stored;
        let mut index = Index::new(Policy::new(&stored.config), stored.last_at);
        index.floor.closed.clone_from(&stored.closed);
        index.refresh_hours(stored.last_at);
        for queue in &stored.config.queues {
            index.by_queue.insert(queue.name.clone(), ByQueue::default());
        }
        for config in &stored.config.agents {
            if let Some(agent) = stored.agents.get(&config.id) {
                index.seat(config, agent, &stored.lost_gateways);
            }
        }
        for (id, contact) in &stored.contacts {
            index.link(*id, contact, stored.facts_of(*id));
        }
        self.index = index;
        let promised: Vec<ContactId> = self.stored.targets.keys().copied().collect();
        promised.into_iter().for_each(|id| self.refresh_promise(id));
        self.seat_company();
        let incidents: Vec<IncidentId> = self.stored.incidents.keys().copied().collect();
        incidents.into_iter().for_each(|id| self.refresh_incident(id));
        let blocked: Vec<IdentityId> = self.stored.blocks.keys().copied().collect();
        blocked.into_iter().for_each(|identity| self.refresh_block(identity));
        let asked: Vec<ContactId> = self.stored.asks_bot.keys().copied().collect();
        asked.into_iter().for_each(|id| self.refresh_stall(id));
    }
}

impl From<Stored> for State {
    fn from(stored: Stored) -> Self {
        let (mut by_identity, mut by_thread) = (BTreeMap::new(), BTreeMap::new());
        for (id, one) in &stored.conversations {
            match one.thread {
                Some(thread) => by_thread.insert(thread, *id),
                None => by_identity.insert(one.identity, *id),
            };
        }
        let mut by_person: BTreeMap<Hash128, BTreeSet<ContactId>> = BTreeMap::new();
        for (id, keys) in &stored.person_keys {
            for key in keys {
                by_person.entry(*key).or_default().insert(*id);
            }
        }
        let expiry = stored.ended.iter().map(|(id, ended)| (ended.at, *id)).collect();
        let without_contact = stored.conversations.iter().filter(|(_, one)| one.open.is_none());
        let idle = without_contact.map(|(id, one)| (one.idle_since, *id)).collect();
        let mut state = Self {
            stored,
            index: Index::default(),
            by_identity,
            by_thread,
            by_person,
            expiry,
            idle,
            conversations_max: CONVERSATIONS_MAX,
            opening: None,
        };
        state.rebuild_index();
        state
    }
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.stored == other.stored
    }
}

impl Serialize for State {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.stored.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for State {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Stored::deserialize(deserializer).map(Self::from)
    }
}

impl Conversation {
    pub(crate) fn new(identity: IdentityId, at: Millis) -> Self {
        Self {
            identity,
            entries: 0,
            owner: None,
            open: None,
            ended: None,
            idle_since: at,
            language: None,
            contacts: 0,
            at_risk_until: None,
            thread: None,
            gone_on: None,
            asked: None,
        }
    }
}

impl Contact {
    pub(crate) fn reopened(ended: Ended) -> Self {
        Self {
            conversation: ended.conversation,
            channel: ended.channel,
            opened_at: ended.opened_at,
            queue: ended.queue,
            priority: ended.priority,
            usual_priority: None,
            needs: ended.needs,
            since: ended.at,
            phase: Phase::New,
            declines: Vec::new(),
            effort: ended.effort,
            waits_from: None,
            callback: false,
            warned: false,
            people_only: ended.people_only,
            unheard: false,
        }
    }
}
