//! An open contact.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use protocol::command::Command;
use protocol::config::Authority;
use protocol::content::Sealed;
use protocol::record::{AsideWhy, CompanyRole, EntryKind, QueuedWhy, Receipt, ServiceMeasure};
use protocol::remedy::Effort;
use protocol::thread::Entry;
use protocol::{
    AgentId, Cause, ChannelKind, ConversationId, IdentityId, IncidentId, InputBody, Millis, OfferId,
    SubjectToken,
};

use serde::{Deserialize, Serialize};

use super::InputOf;

/// Most entries of one contact kept here, the latest ones; older ones are asked of the read models.
pub(crate) const ENTRIES_PER_CONTACT_MAX: usize = 200;

/// Most agents of one contact remembered as having had it, the latest ones.
pub(crate) const HAD_BY_MAX: usize = 16;

/// Most conversations of one contact remembered as left, the latest ones.
const CAME_FROM_MAX: usize = 8;

/// Where a contact stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Stage {
    Waiting,
    Gathered { incident: IncidentId },
    Offered { offer: OfferId },
    Held { agent: AgentId },
    Aside { agent: AgentId, why: AsideWhy },
    WrapUp { agent: AgentId, until: Millis },
}

/// How a promise stands that is not kept yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Late {
    /// When it is, or was, over.
    pub(super) due: Millis,
    /// Whether it is over.
    pub(super) is_missed: bool,
}

/// A contact that has not ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Contact {
    pub(crate) conversation: ConversationId,
    pub(super) channel: ChannelKind,
    pub(super) category: Option<SubjectToken>,
    pub(super) queue: Option<SubjectToken>,
    pub(super) opened_at: Millis,
    pub(super) waiting_since: Millis,
    /// The incident for which its customer would not wait.
    pub(super) kept_from: Option<IncidentId>,
    pub(super) stage: Stage,
    pub(super) receipt: Option<Receipt>,
    pub(super) entries: VecDeque<Arc<Entry>>,
    /// What it cost the customer; the conversation's part of it stands elsewhere.
    pub(super) effort: Effort,
    /// Since when the customer waits for an agent, while they do.
    pub(super) waits_from: Option<Millis>,
    /// What was promised and is nearly over, or over.
    pub(super) late: BTreeMap<ServiceMeasure, Late>,
    /// Whether the customer is to be called back.
    pub(super) callback: bool,
    /// Who is with it besides its owner.
    pub(super) company: Vec<(AgentId, CompanyRole)>,
    /// The entries in memory that machines of the customer's wrote.
    pub(super) automatic: BTreeSet<u64>,
    /// Who had it.
    pub(super) had_by: Vec<AgentId>,
    /// For whom it is kept, while it waits.
    pub(super) preferred: Option<AgentId>,
    pub(super) marks: Marks,
    /// Whether it is only practised.
    pub(super) practice: bool,
    /// Who was mentioned in it.
    pub(super) mentioned: BTreeSet<AgentId>,
    /// Where its customer said their name in a conversation that it left.
    pub(super) named_in: Option<Arc<Entry>>,
    /// The conversations that it left, the latest ones.
    pub(super) came_from: Vec<ConversationId>,
    /// Where an agent reached its customer first, sealed.
    pub(super) address: Option<Sealed>,
    identity: Option<IdentityId>,
}

/// What a contact is tagged with, and what its fields hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Marks {
    pub(super) tags: BTreeSet<SubjectToken>,
    pub(super) fields: BTreeMap<SubjectToken, SubjectToken>,
}

impl Contact {
    pub(super) fn open(
        conversation: ConversationId,
        channel: ChannelKind,
        category: Option<SubjectToken>,
        opened_at: Millis,
        cause: &Cause,
    ) -> Self {
        Self {
            conversation,
            channel,
            category,
            queue: None,
            opened_at,
            waiting_since: opened_at,
            kept_from: None,
            stage: Stage::Waiting,
            receipt: None,
            entries: VecDeque::new(),
            effort: Effort::default(),
            waits_from: None,
            late: BTreeMap::new(),
            callback: false,
            company: Vec::new(),
            automatic: BTreeSet::new(),
            had_by: Vec::new(),
            preferred: None,
            marks: Marks::default(),
            practice: false,
            mentioned: BTreeSet::new(),
            named_in: None,
            came_from: Vec::new(),
            address: address_in(cause),
            identity: InputOf::read(cause).identity,
        }
    }

    /// It goes on in another conversation, under whose customer's key its words are sealed from here on: whose that is, the next words
    /// say, which stand in the same record.
    pub(super) fn go_on(&mut self, to: ConversationId, channel: ChannelKind, cause: &Cause) {
        self.came_from.retain(|other| *other != self.conversation);
        self.came_from.push(self.conversation);
        if self.came_from.len() > CAME_FROM_MAX {
            self.came_from.remove(0);
        }
        (self.conversation, self.channel) = (to, channel);
        (self.identity, self.address) = (None, address_in(cause));
        let is_customers = |entry: &&Arc<Entry>| entry.kind == EntryKind::FromCustomer;
        let named_in = self.entries.iter().rev().find(is_customers).cloned();
        self.named_in = named_in.or(self.named_in.take());
        self.entries.clear();
        self.automatic.clear();
    }

    pub(super) fn add(&mut self, entry: Arc<Entry>) {
        if self.identity.is_none() {
            let parts = entry.body.as_ref().and_then(Sealed::parts);
            self.identity = parts.map(|(identity, _, _)| identity);
        }
        // An answer keeps what it can keep; a promise that was not kept stays told until the end.
        if matches!(
            entry.kind,
            EntryKind::FromAgent { .. } | EntryKind::FromColleague | EntryKind::Told { .. }
        ) {
            self.late.retain(|measure, late| *measure == ServiceMeasure::Resolution || late.is_missed);
        }
        self.callback |= entry.kind == EntryKind::CallbackAsked;
        self.entries.push_back(entry);
        if self.entries.len() > ENTRIES_PER_CONTACT_MAX {
            self.entries.pop_front();
            let first = self.first_seq();
            self.automatic.retain(|seq| *seq >= first);
        }
    }

    /// It waits for an agent, again or for the first time.
    pub(super) fn wait(&mut self, at: Millis, queue: &SubjectToken, since: Millis, why: QueuedWhy) {
        if self.owner().is_some()
            && matches!(why, QueuedWhy::Transferred | QueuedWhy::Reclaimed | QueuedWhy::HandedOver)
        {
            self.effort.transfers = self.effort.transfers.saturating_add(1);
        }
        self.waits_from.get_or_insert(at);
        self.stage = Stage::Waiting;
        self.queue = Some(queue.clone());
        self.waiting_since = since;
    }

    /// An agent has it.
    pub(super) fn assign(&mut self, at: Millis, agent: AgentId) {
        self.stage = Stage::Held { agent };
        if let Some(from) = self.waits_from.take() {
            self.effort.waited_ms = self.effort.waited_ms.saturating_add(at.since(from));
        }
        self.had_by.retain(|other| *other != agent);
        self.had_by.push(agent);
        if self.had_by.len() > HAD_BY_MAX {
            self.had_by.remove(0);
        }
    }

    /// Who holds it, wrap-up included.
    pub(crate) fn owner(&self) -> Option<AgentId> {
        match self.stage {
            Stage::Held { agent } | Stage::Aside { agent, .. } | Stage::WrapUp { agent, .. } => Some(agent),
            Stage::Waiting | Stage::Gathered { .. } | Stage::Offered { .. } => None,
        }
    }

    /// How an agent who does not own it is with it.
    pub(super) fn role_of(&self, agent: AgentId) -> Option<CompanyRole> {
        self.company.iter().find(|(other, _)| *other == agent).map(|(_, role)| *role)
    }

    /// Makes somebody company in a way, or no more.
    pub(super) fn accompany(&mut self, agent: AgentId, role: Option<CompanyRole>) {
        self.company.retain(|(other, _)| *other != agent);
        self.company.extend(role.map(|role| (agent, role)));
    }

    /// Who reads it: its owner, and who is with it.
    pub(super) fn readers(&self) -> impl Iterator<Item = AgentId> + '_ {
        let reads = |(agent, role): &(AgentId, CompanyRole)| match role {
            CompanyRole::Asked { .. } => None,
            CompanyRole::Consulted | CompanyRole::Watching | CompanyRole::Joined => Some(*agent),
        };
        self.owner().into_iter().chain(self.company.iter().filter_map(reads))
    }

    pub(super) fn is_read_by(&self, agent: AgentId) -> bool {
        self.readers().any(|reader| reader == agent)
    }

    /// Whether who has this authority leads it.
    pub(super) fn is_led_by(&self, authority: &Authority) -> bool {
        self.queue.as_ref().is_some_and(|queue| authority.leads_queue(queue))
    }

    /// With whose key its words are sealed.
    pub(crate) fn identity(&self) -> Option<IdentityId> {
        self.identity
    }

    /// The queue that counts it as waiting.
    pub(super) fn waits_in(&self) -> Option<&SubjectToken> {
        let waits = self.owner().is_none() && !matches!(self.stage, Stage::Gathered { .. });
        self.queue.as_ref().filter(|_| waits)
    }

    /// The sequence of the first entry kept.
    pub(super) fn first_seq(&self) -> u64 {
        self.entries.front().map_or(1, |entry| entry.seq)
    }

    /// Whether something other than the customer's own words is in it: an agent had it before.
    pub(super) fn was_held(&self) -> bool {
        self.entries.iter().any(|entry| {
            !matches!(
                entry.kind,
                EntryKind::FromCustomer
                    | EntryKind::Reopened
                    | EntryKind::Closed { .. }
                    | EntryKind::CallbackAsked
                    | EntryKind::CustomerLeft
            )
        })
    }
}

/// The address to which an agent wrote first.
fn address_in(cause: &Cause) -> Option<Sealed> {
    let Cause::Input { input, .. } = cause else { return None };
    let InputBody::Command(command) = &input.body else { return None };
    let Command::Begin(begin) = &command.command else { return None };
    begin.address.clone()
}
