//! What the log says about web conversations, as far as their customers may see it. A pure fold.
//!
//! For each visitor whom the router remembers, a few dozen bytes stay; entries stay for whoever may look at them soon.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use channel_web::CustomerState;
use forecast::{Forecast, Kept, Outlook};
use protocol::canary::CanaryStep;
use protocol::config::RoutingConfig;
use protocol::limits::AGENTS_MAX;
use protocol::record::{Cause, EntryKind, Event, Record};
use protocol::thread::{Entry, entries};
use protocol::{
    AgentId, ChannelKind, ContactId, ConversationId, IdentityId, InputBody, Millis, SubjectToken,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::limits::{BATCH_MAX, ENDED_KEPT_MAX, ENTRIES_KEPT_MAX};

/// The fold of the log.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Projection {
    applied: u64,
    is_configured: bool,
    accounts: BTreeSet<SubjectToken>,
    titles: HashMap<AgentId, Arc<str>>,
    /// Agents that are machines.
    bots: HashSet<AgentId>,
    by_identity: HashMap<IdentityId, ConversationId>,
    conversations: HashMap<ConversationId, Conversation>,
    /// Ended conversations, the longest ended first, with the record that ended them.
    ended: VecDeque<(ConversationId, u64)>,
    forecast: Forecast,
    queues: Vec<SubjectToken>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Conversation {
    identity: IdentityId,
    state: CustomerState,
    /// The contact that it is about, or was last.
    contact: Option<ContactId>,
    last_seq: u64,
    ended_at: Option<u64>,
    /// The latest entries, without a hole.
    entries: VecDeque<Arc<Entry>>,
}

impl Conversation {
    fn opened(identity: IdentityId) -> Self {
        let state = CustomerState::default();
        Self { identity, state, contact: None, last_seq: 0, ended_at: None, entries: VecDeque::new() }
    }
}

/// Where a visitor's conversation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) conversation: ConversationId,
    pub(crate) state: CustomerState,
    pub(crate) last_seq: u64,
}

/// What comes after an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// Nothing yet.
    Nothing,
    /// These, in order, perhaps with more behind them.
    Entries(Vec<Arc<Entry>>),
    /// Entries that are no longer kept here; `before` is the first one that is.
    Older { conversation: ConversationId, before: u64 },
}

impl Projection {
    /// Folds one record in; gives the visitors who have something new to see.
    pub(crate) fn apply(&mut self, log_seq: u64, record: &Record) -> BTreeSet<IdentityId> {
        let mut changed = BTreeSet::new();
        if log_seq <= self.applied {
            return changed;
        }
        self.applied = log_seq;
        self.forecast.apply(record);
        for event in &record.events {
            changed.extend(self.forgotten(event));
            self.event(event, &record.cause);
        }
        changed.extend(self.canary(log_seq, record));
        let mut grown = BTreeSet::new();
        for (conversation, entry) in entries(record) {
            grown.insert((conversation, entry.contact));
            changed.extend(self.entry(log_seq, conversation, entry));
        }
        // What changes for a customer always adds an entry as well.
        for (conversation, contact) in grown {
            self.stand(log_seq, conversation, contact, &record.events);
        }
        for event in &record.events {
            if let Event::ContactMoved { contact, from, conversation, .. } = event {
                self.moved(log_seq, *contact, (*from, *conversation), record);
            }
        }
        self.forget();
        changed
    }

    /// In the chat that it left it is over; in the one that it comes to it stands as it did.
    fn moved(
        &mut self,
        log_seq: u64,
        contact: ContactId,
        (from, to): (ConversationId, ConversationId),
        record: &Record,
    ) {
        if let Some(left) = self.conversations.get_mut(&from) {
            (left.state, left.contact) = (CustomerState::Resolved, None);
            if left.ended_at.is_none() {
                left.ended_at = Some(log_seq);
                self.ended.push_back((from, log_seq));
            }
        }
        // Where it was may be no chat, of which nothing is known here.
        let waits = self.forecast.of(contact, record.at).is_some();
        if let Some(joined) = self.conversations.get_mut(&to) {
            let told = record.events.iter().rev().find_map(|event| state_after(event, contact));
            let stood = if waits { CustomerState::Waiting } else { CustomerState::WithAgent };
            (joined.state, joined.contact, joined.ended_at) = (told.unwrap_or(stood), Some(contact), None);
        }
    }

    /// The last record folded in.
    pub(crate) fn applied(&self) -> u64 {
        self.applied
    }

    /// Whether a configuration is in force at all.
    pub(crate) fn is_configured(&self) -> bool {
        self.is_configured
    }

    /// Whether a web account of that name is configured.
    pub(crate) fn has_account(&self, account: &SubjectToken) -> bool {
        self.accounts.contains(account)
    }

    /// The agent's name for customers.
    pub(crate) fn title(&self, entry: &EntryKind) -> Option<Arc<str>> {
        self.titles.get(&agent_shown(entry)?).cloned()
    }

    /// Whether the agent whose name stands beside an entry is a machine; words say so themselves, whatever it is by now.
    pub(crate) fn is_bot(&self, entry: &EntryKind) -> bool {
        if let EntryKind::FromAgent { bot, .. } = entry {
            return *bot;
        }
        agent_shown(entry).is_some_and(|agent| self.bots.contains(&agent))
    }

    /// Where the visitor's conversation stands; `None` if they never wrote.
    pub(crate) fn standing(&self, identity: IdentityId) -> Option<Standing> {
        let id = *self.by_identity.get(&identity)?;
        let conversation = self.conversations.get(&id)?;
        Some(Standing { conversation: id, state: conversation.state, last_seq: conversation.last_seq })
    }

    /// How long the visitor will wait, while they do.
    pub(crate) fn outlook(&self, identity: IdentityId, now: Millis) -> Option<Outlook> {
        let conversation = self.conversations.get(self.by_identity.get(&identity)?)?;
        self.forecast.of(conversation.contact?, now)
    }

    /// How often what waiting customers were told came true, by queue.
    pub(crate) fn kept(&self) -> Vec<(SubjectToken, Kept)> {
        self.queues.iter().map(|queue| (queue.clone(), self.forecast.kept(queue))).collect()
    }

    /// Whose conversation it is.
    pub(crate) fn identity(&self, conversation: ConversationId) -> Option<IdentityId> {
        Some(self.conversations.get(&conversation)?.identity)
    }

    /// What comes after entry `seq` of the visitor's conversation.
    pub(crate) fn after(&self, identity: IdentityId, seq: u64) -> After {
        let found = self.by_identity.get(&identity).and_then(|id| Some((*id, self.conversations.get(id)?)));
        let Some((id, conversation)) = found else { return After::Nothing };
        if seq >= conversation.last_seq {
            return After::Nothing;
        }
        let kept = u64::try_from(conversation.entries.len()).unwrap_or(u64::MAX);
        let forgotten = conversation.last_seq.saturating_sub(kept);
        if seq < forgotten {
            return After::Older { conversation: id, before: forgotten + 1 };
        }
        let skipped = usize::try_from(seq - forgotten).unwrap_or(usize::MAX);
        After::Entries(conversation.entries.iter().skip(skipped).take(BATCH_MAX).cloned().collect())
    }

    fn event(&mut self, event: &Event, cause: &Cause) {
        // Where a conversation stands is told with its entries; see `stand`.
        if let Event::ConversationOpened { conversation, identity, channel: ChannelKind::Web, .. } = event {
            self.conversations.insert(*conversation, Conversation::opened(*identity));
            self.by_identity.insert(*identity, *conversation);
        }
        if let (Event::ConfigApplied, Cause::Input { input, .. }) = (event, cause)
            && let InputBody::Config(input) = &input.body
        {
            self.configure(&input.config);
        }
    }

    /// What a canary customer of the chat is shown of its rounds: a conversation that stands here alone, and in no log.
    fn canary(&mut self, log_seq: u64, record: &Record) -> Option<IdentityId> {
        let Cause::Input { input, .. } = &record.cause else { return None };
        let InputBody::Canary(canary) = &input.body else { return None };
        let is_heard = record.events.iter().any(|event| matches!(event, Event::CanaryHeard { .. }));
        if canary.channel != ChannelKind::Web || !is_heard {
            return None;
        }
        // No record of a canary's gives birth to anything, so these ids are nobody else's.
        let begun = ConversationId { log_seq, n: 0 };
        let id = *self.by_identity.entry(canary.identity).or_insert(begun);
        let conversation =
            self.conversations.entry(id).or_insert_with(|| Conversation::opened(canary.identity));
        let (kind, body) = match &canary.step {
            CanaryStep::Wrote { body } => (EntryKind::FromCustomer, Some(body.clone())),
            CanaryStep::Answered { .. } => {
                (EntryKind::FromAgent { agent: AgentId(Uuid::nil()), bot: true }, None)
            }
        };
        let seq = conversation.last_seq + 1;
        let contact = ContactId { log_seq: id.log_seq, n: id.n };
        let entry = Entry { seq, at: record.at, contact, kind, message: Some(canary.message), body };
        self.entry(log_seq, id, entry)
    }

    /// Whoever wrote in it begins anew with their next message; gives the visitor.
    fn forgotten(&mut self, event: &Event) -> Option<IdentityId> {
        let Event::ConversationForgotten { conversation } = event else { return None };
        let identity = self.conversations.remove(conversation)?.identity;
        self.by_identity.remove(&identity);
        Some(identity)
    }

    fn configure(&mut self, config: &RoutingConfig) {
        self.is_configured = true;
        self.queues = config.queues.iter().map(|queue| queue.name.clone()).collect();
        let web = config.accounts.iter().filter(|account| account.channel == ChannelKind::Web);
        self.accounts = web.map(|account| account.name.clone()).collect();
        // Who has left the company keeps their name in old conversations, until there are too many of them.
        if self.titles.len() + config.agents.len() > 2 * AGENTS_MAX {
            self.titles.clear();
        }
        self.bots = config.agents.iter().filter(|agent| agent.bot).map(|agent| agent.id).collect();
        self.titles.extend(config.agents.iter().map(|agent| (agent.id, agent.title.as_str().into())));
    }

    /// Adds an entry; gives its visitor if it belongs to a web conversation.
    fn entry(&mut self, log_seq: u64, id: ConversationId, entry: Entry) -> Option<IdentityId> {
        let conversation = self.conversations.get_mut(&id)?;
        if entry.seq != conversation.last_seq + 1 {
            tracing::error!(%id, found = entry.seq, after = conversation.last_seq, log_seq, "a conversation has a hole");
            conversation.entries.clear();
        }
        conversation.last_seq = entry.seq;
        conversation.entries.push_back(Arc::new(entry));
        if conversation.entries.len() > ENTRIES_KEPT_MAX {
            conversation.entries.pop_front();
        }
        Some(conversation.identity)
    }

    /// Where the conversation stands after these events of its contact.
    fn stand(&mut self, log_seq: u64, id: ConversationId, contact: ContactId, events: &[Event]) {
        let Some(conversation) = self.conversations.get_mut(&id) else { return };
        let last = events.iter().rev().find_map(|event| state_after(event, contact));
        conversation.state = last.unwrap_or(conversation.state);
        conversation.contact = Some(contact);
        if !conversation.state.is_idle() {
            conversation.ended_at = None;
        } else if conversation.ended_at.is_none() {
            conversation.ended_at = Some(log_seq);
            self.ended.push_back((id, log_seq));
        }
    }

    /// Lets go of the words of those who ended longest ago.
    fn forget(&mut self) {
        while self.ended.len() > ENDED_KEPT_MAX {
            let Some((id, ended_at)) = self.ended.pop_front() else { return };
            // Whoever came back since then is not ended, or ended anew and stands further back.
            if let Some(conversation) = self.conversations.get_mut(&id)
                && conversation.ended_at == Some(ended_at)
            {
                conversation.entries = VecDeque::new();
            }
        }
    }
}

/// The state that an event of the contact leads to. Entries alone would not do: a customer who left may be kept by
/// their agent, and one who came back may be with the agent again at once.
fn state_after(event: &Event, about: ContactId) -> Option<CustomerState> {
    let (contact, state) = match event {
        Event::ContactOpened { contact, .. }
        | Event::ContactReopened { contact }
        | Event::Queued { contact, .. } => (contact, CustomerState::Waiting),
        Event::Assigned { contact, .. } => (contact, CustomerState::WithAgent),
        Event::WrapUpStarted { contact, .. }
        | Event::Resolved { contact, .. }
        | Event::Abandoned { contact } => (contact, CustomerState::Resolved),
        Event::Fenced { .. }
        | Event::ConfigApplied
        | Event::ConfigRefused { .. }
        | Event::ConversationOpened { .. }
        | Event::ConversationForgotten { .. }
        | Event::ContactMoved { .. }
        | Event::EntryAdded { .. }
        | Event::PreferenceEnded { .. }
        | Event::DeclinesLapsed { .. }
        | Event::Widened { .. }
        | Event::OfferMade { .. }
        | Event::OfferEnded { .. }
        | Event::AgentConnected { .. }
        | Event::AgentDisconnected { .. }
        | Event::PresenceChanged { .. }
        | Event::PresenceQueued { .. }
        | Event::HoursChanged { .. }
        | Event::ServiceWarned { .. }
        | Event::CustomerChanged { .. }
        | Event::ServiceMissed { .. }
        | Event::SetAside { .. }
        | Event::CompanyChanged { .. }
        | Event::Passed { .. }
        | Event::ColleaguesAsked { .. }
        | Event::CustomerTold { .. }
        | Event::AtRisk { .. }
        | Event::IncidentSet { .. }
        | Event::IncidentAsked { .. }
        | Event::IncidentWorked { .. }
        | Event::IncidentEnded { .. }
        | Event::Gathered { .. }
        | Event::ContactMarked { .. }
        | Event::Mentioned { .. }
        | Event::MentionsRead { .. }
        | Event::CustomerBlocked { .. }
        | Event::CustomerUnblocked { .. }
        | Event::MessageHeldBack { .. }
        | Event::ActSettled { .. }
        | Event::CommandSettled { .. }
        | Event::CanaryHeard { .. }
        | Event::DuplicateSkipped
        | Event::Parked { .. } => return None,
    };
    (*contact == about).then_some(state)
}

/// The agent whose name a customer sees beside the entry.
fn agent_shown(entry: &EntryKind) -> Option<AgentId> {
    match entry {
        EntryKind::FromAgent { agent, .. }
        | EntryKind::Told { agent, .. }
        | EntryKind::Warned { agent }
        | EntryKind::Joined { agent }
        | EntryKind::TakenOver { agent, .. }
        | EntryKind::HandedBack { agent, .. }
        | EntryKind::JoinedBeside { agent }
        | EntryKind::ClosedAfterSilence { agent }
        | EntryKind::Resolved { agent, .. } => Some(*agent),
        EntryKind::FromCustomer
        | EntryKind::Suggested { .. }
        | EntryKind::HandedOver { .. }
        | EntryKind::Note { .. }
        | EntryKind::TransferredToQueue { .. }
        | EntryKind::TransferredToAgent { .. }
        | EntryKind::Reclaimed { .. }
        | EntryKind::Snoozed { .. }
        | EntryKind::Consulted { .. }
        | EntryKind::ConsultDeclined { .. }
        | EntryKind::Whispered { .. }
        | EntryKind::Annotated { .. }
        | EntryKind::Blocked { .. }
        | EntryKind::FromBlocked
        | EntryKind::LeftAgain { .. }
        | EntryKind::Automatic
        | EntryKind::CallbackAsked
        | EntryKind::SilenceWarned { .. }
        | EntryKind::IncidentTold { .. }
        | EntryKind::Closed { .. }
        | EntryKind::FromColleague
        | EntryKind::FeedbackAsked { .. }
        | EntryKind::FeedbackGiven { .. }
        | EntryKind::WentOn { .. }
        | EntryKind::CameFrom { .. }
        | EntryKind::Reopened
        | EntryKind::CustomerLeft => None,
    }
}

#[cfg(test)]
mod tests;
