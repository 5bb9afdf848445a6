//! What the logs say about messages to be sent and the threads they belong to. A pure fold of CONTACTS and DELIVERIES.

mod bounded;
mod reach;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use channel_email::place_id;
use protocol::delivery::{Delivery, DeliveryState};
use protocol::input::CustomerMessage;
use protocol::record::{Cause, EntryKind, Event, Record};
use protocol::thread::{Entry, entries};
use protocol::{
    AgentId, ChannelKind, ContactId, ConversationId, Hash128, IdentityId, InputBody, MessageId, Millis,
    SubjectToken,
};

use self::bounded::Bounded;

/// Latest messages of a customer whose places in the log are known: what an answer is an answer to.
const HEARD_KEPT_MAX: usize = 4;
/// Hashes of providers' ids by which threads are found again; the oldest go.
const ALIASES_KEPT_MAX: usize = 2_000_000;
/// Steps of a conversation that are remembered of what is over, the latest ones; what is to come or waits has all of its own.
const STEPS_KEPT_MAX: usize = 200;
/// Messages of ours by whose id a provider's status is matched; the oldest go.
const SENT_KEPT_MAX: usize = 1_000_000;

/// The reason of a failure after which nothing more is sent to that address until it writes again.
pub(crate) const ADDRESS_UNKNOWN: &str = "address_unknown";
/// The same of somebody else whom a message went to, a copy or who it was passed on to: the customer's address is as good as
/// before.
pub(crate) const RECIPIENT_UNKNOWN: &str = "recipient_unknown";

/// The reason of a failure because its customer wants to be written to no more: their provider said so, or they did.
pub(crate) const OPTED_OUT: &str = "opted_out";

/// An account of a channel.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct AccountKey {
    pub(crate) channel: ChannelKind,
    pub(crate) account: SubjectToken,
}

/// Whether an account sends anything for entries of a kind.
pub(crate) type Sends = Box<dyn Fn(&AccountKey, &EntryKind) -> bool + Send + Sync>;

/// The fold.
pub(crate) struct Book {
    channels: Vec<ChannelKind>,
    sends: Sends,
    conversations: HashMap<ConversationId, Talk>,
    threads: HashMap<Hash128, ConversationId>,
    aliases: Bounded<Hash128, Hash128>,
    /// Whose each thread is.
    owners: Bounded<Hash128, IdentityId>,
    by_identity: HashMap<IdentityId, Vec<ConversationId>>,
    suppressed: HashSet<IdentityId>,
    /// Since when somebody wants to be written to no more, or again: the later word counts, from whichever log it is read first.
    may_write: HashMap<IdentityId, (Millis, bool)>,
    sent: Bounded<MessageId, Place>,
    by_provider: Bounded<Hash128, Place>,
    /// The last record of CONTACTS that is folded.
    contacts: u64,
    /// What DELIVERIES said of conversations that CONTACTS has not shown yet.
    early: BTreeMap<ConversationId, Vec<(u64, Delivery)>>,
    agents: HashMap<AgentId, Agent>,
}

/// Where a message stands that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) conversation: ConversationId,
    /// `None`: the record that tells of it is of a version that did not say.
    pub(crate) contact: Option<ContactId>,
    pub(crate) seq: u64,
    /// Our id of it; what the house said by itself has none.
    pub(crate) message: Option<MessageId>,
}

#[derive(Clone, Debug)]
struct Agent {
    title: String,
    bot: bool,
}

/// A conversation of a channel that is sent to.
#[derive(Clone, Debug)]
pub(crate) struct Talk {
    pub(crate) key: AccountKey,
    pub(crate) identity: IdentityId,
    pub(crate) thread: Option<Hash128>,
    /// The record of the first message, and of the latest ones: where they can be read again.
    pub(crate) heard: VecDeque<u64>,
    /// The record in which an agent wrote first, where that tells the address.
    pub(crate) begun: Option<u64>,
    /// When the customer wrote last.
    pub(crate) heard_at: Millis,
    /// Whether its contact is open.
    pub(crate) is_open: bool,
    /// What is to be sent, in order, the first of which is next.
    pending: VecDeque<Entry>,
    /// How far each entry has come, of those that are not behind everybody.
    steps: BTreeMap<u64, Step>,
    /// The last entry that CONTACTS has shown.
    seen_to: u64,
    /// The router has forgotten it: it goes when all of it is sent.
    is_forgotten: bool,
}

/// The latest word about an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) state: DeliveryState,
    pub(crate) attempt: u32,
    pub(crate) again_at: Option<Millis>,
    /// Which record of DELIVERIES was the first that began its latest attempt: whoever wrote it hands the message over.
    pub(crate) begun: Option<Begun>,
    /// Attempts that do not count, because the account was not let in: the message itself was not tried.
    pub(crate) untried: u32,
}

/// An attempt that was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Begun {
    pub(crate) attempt: u32,
    /// The record.
    pub(crate) at: u64,
    /// When it was written.
    pub(crate) since: Millis,
}

impl Book {
    /// Of these channels; others have their own ways. What nothing is sent for waits nowhere, whoever leads.
    pub(crate) fn new(channels: Vec<ChannelKind>, sends: Sends) -> Self {
        Self {
            channels,
            sends,
            conversations: HashMap::new(),
            threads: HashMap::new(),
            aliases: Bounded::new(ALIASES_KEPT_MAX),
            owners: Bounded::new(ALIASES_KEPT_MAX),
            by_identity: HashMap::new(),
            suppressed: HashSet::new(),
            may_write: HashMap::new(),
            sent: Bounded::new(SENT_KEPT_MAX),
            by_provider: Bounded::new(SENT_KEPT_MAX),
            contacts: 0,
            early: BTreeMap::new(),
            agents: HashMap::new(),
        }
    }

    /// Folds one record of CONTACTS in; gives the conversations that have something new to send.
    pub(crate) fn record(&mut self, log_seq: u64, record: &Record) -> Vec<ConversationId> {
        for event in &record.events {
            self.event(event);
        }
        if let Cause::Input { input, .. } = &record.cause {
            match &input.body {
                InputBody::Config(config) if has(record, &Event::ConfigApplied) => {
                    let agents = config.config.agents.iter();
                    self.agents.extend(
                        agents.map(|agent| (agent.id, Agent { title: agent.title.clone(), bot: agent.bot })),
                    );
                }
                InputBody::Message(message) => self.heard(log_seq, record, message),
                InputBody::Command(command) => self.begun(log_seq, record, &command.command),
                InputBody::Config(_)
                | InputBody::Integration(_)
                | InputBody::CustomerLeft { .. }
                | InputBody::PersonWanted { .. }
                | InputBody::AgentConnected { .. }
                | InputBody::AgentDisconnected { .. }
                | InputBody::GatewayLost { .. }
                | InputBody::Empowerment(_)
                | InputBody::Wish(_)
                | InputBody::Canary(_)
                | InputBody::ParkedDismissed { .. } => {}
            }
        }
        let mut grown = Vec::new();
        for (conversation, entry) in entries(record) {
            if self.entry(conversation, entry) {
                grown.push(conversation);
            }
        }
        self.contacts = log_seq;
        // What came of a conversation that is born by now has been told; what is of none of ours is nothing to us.
        while let Some(early) = self.early.first_entry()
            && early.key().log_seq <= log_seq
        {
            for (at, delivery) in early.remove() {
                self.delivery(at, &delivery);
            }
        }
        grown
    }

    fn event(&mut self, event: &Event) {
        if let Event::ContactMoved { from, conversation, .. } = event {
            self.moved(*from, *conversation);
        }
        if let Event::ConversationForgotten { conversation } = event
            && let Some(talk) = self.conversations.get_mut(conversation)
        {
            talk.is_forgotten = true;
            self.forget_if_over(*conversation);
        }
        if let Event::ConversationOpened { conversation, identity, channel, account, thread } = event
            && self.channels.contains(channel)
        {
            let talk = Talk {
                key: AccountKey { channel: *channel, account: account.clone() },
                identity: *identity,
                thread: *thread,
                heard: VecDeque::new(),
                begun: None,
                heard_at: Millis(0),
                is_open: false,
                pending: VecDeque::new(),
                steps: BTreeMap::new(),
                seen_to: 0,
                is_forgotten: false,
            };
            self.conversations.insert(*conversation, talk);
            self.by_identity.entry(*identity).or_default().push(*conversation);
            if let Some(thread) = thread {
                self.threads.insert(*thread, *conversation);
                // A thread of the core's own making stands in no message.
                self.expect(*thread, &[], *identity);
            }
        }
    }

    fn forget_if_over(&mut self, id: ConversationId) {
        let is_over = |talk: &Talk| talk.is_forgotten && talk.pending.is_empty();
        if !self.conversations.get(&id).is_some_and(is_over) {
            return;
        }
        let Some(talk) = self.conversations.remove(&id) else { return };
        if let Some(thread) = talk.thread
            && self.threads.get(&thread) == Some(&id)
        {
            self.threads.remove(&thread);
        }
        if let Some(of) = self.by_identity.get_mut(&talk.identity) {
            of.retain(|other| *other != id);
            if of.is_empty() {
                self.by_identity.remove(&talk.identity);
            }
        }
    }

    fn heard(&mut self, log_seq: u64, record: &Record, message: &CustomerMessage) {
        // It is ours: the customer neither said anything by it nor may they be answered longer.
        if message.by_colleague {
            return;
        }
        let added = record.events.iter().find_map(|event| {
            let Event::EntryAdded { conversation, entry, .. } = event else { return None };
            is_theirs(entry).then_some((*conversation, entry))
        });
        // Also of who is blocked, whose words nobody is shown; what came again is as old as it was first.
        let is_new =
            |event: &Event| matches!(event, Event::EntryAdded { .. } | Event::MessageHeldBack { .. });
        if let Some(may) = message.may_write.filter(|_| record.events.iter().any(is_new)) {
            later(&mut self.may_write, message.identity, record.at, may);
        }
        let Some((conversation, entry)) = added else { return };
        let Some(talk) = self.conversations.get_mut(&conversation) else { return };
        if !message.automatic {
            self.suppressed.remove(&message.identity);
            // What is answered to a question after a contact opens none.
            talk.is_open |= *entry == EntryKind::FromCustomer;
            talk.heard_at = record.at;
        }
        if talk.heard.len() > HEARD_KEPT_MAX {
            // The first one stays: it says who the customer is.
            talk.heard.remove(1);
        }
        talk.heard.push_back(log_seq);
        if let Some(thread) = &message.thread {
            self.expect(thread.id, &thread.aliases, message.identity);
        }
    }

    /// Notes an entry; whether it is one to be sent.
    fn entry(&mut self, id: ConversationId, entry: Entry) -> bool {
        let Some(talk) = self.conversations.get_mut(&id) else { return false };
        if matches!(entry.kind, EntryKind::Resolved { .. } | EntryKind::ClosedAfterSilence { .. }) {
            talk.is_open = false;
        }
        talk.seen_to = talk.seen_to.max(entry.seq);
        let Entry { contact, seq, message, .. } = entry;
        let place = Place { conversation: id, contact: Some(contact), seq, message };
        if let Some(message) = entry.message {
            self.sent.insert(message, place);
        }
        let is_said = is_theirs(&entry.kind) || entry.kind == EntryKind::FromColleague;
        if is_said || !entry.kind.is_for_customer() || !(self.sends)(&talk.key, &entry.kind) {
            return false;
        }
        if talk.key.channel == ChannelKind::Email
            && entry.message.is_none()
            && let Some(message) = place_id(id.log_seq, entry.seq)
        {
            // What the house mails by itself bounces too.
            self.sent.insert(message, place);
        }
        if talk.steps.get(&entry.seq).is_some_and(|step| step.state.is_settled()) {
            return false;
        }
        talk.pending.push_back(entry);
        true
    }

    /// Folds one record of DELIVERIES in, which stands there at `at`; gives the state that its message has now, if that changed.
    pub(crate) fn delivery(&mut self, at: u64, delivery: &Delivery) -> Option<DeliveryState> {
        if delivery.conversation.log_seq > self.contacts {
            self.early.entry(delivery.conversation).or_default().push((at, delivery.clone()));
            return None;
        }
        // Of one that CONTACTS has shown and that is not here, nothing is sent any more.
        let talk = self.conversations.get_mut(&delivery.conversation)?;
        if let Some(hash) = delivery.provider_hash {
            let Delivery { conversation, contact, seq, message, .. } = *delivery;
            self.by_provider.insert(hash, Place { conversation, contact, seq, message });
        }
        let before = talk.steps.get(&delivery.seq).copied();
        let told = Step::told(at, delivery);
        let step = before.map_or(told, |before| before.then(told));
        talk.steps.insert(delivery.seq, step);
        if step.state.is_settled() {
            talk.pending.retain(|entry| entry.seq != delivery.seq);
        }
        talk.forget_steps();
        if step.state == DeliveryState::Failed && delivery.reason.as_deref() == Some(ADDRESS_UNKNOWN) {
            self.suppressed.insert(talk.identity);
        }
        // What was never handed over was refused by ourselves, which is no news.
        if step.state == DeliveryState::Failed
            && delivery.reason.as_deref() == Some(OPTED_OUT)
            && let Some(begun) = step.begun
        {
            later(&mut self.may_write, talk.identity, begun.since, false);
        }
        self.forget_if_over(delivery.conversation);
        (before.map(|before| before.state) != Some(step.state)).then_some(step.state)
    }

    pub(crate) fn talk(&self, id: ConversationId) -> Option<&Talk> {
        self.conversations.get(&id)
    }

    /// How far an entry has come.
    pub(crate) fn step(&self, id: ConversationId, seq: u64) -> Option<Step> {
        self.conversations.get(&id)?.steps.get(&seq).copied()
    }

    /// The next entry to be sent in a conversation, and how far it came before.
    pub(crate) fn next(&self, id: ConversationId) -> Option<(&Talk, &Entry, Option<Step>)> {
        let talk = self.conversations.get(&id)?;
        let entry = talk.pending.front()?;
        Some((talk, entry, talk.steps.get(&entry.seq).copied()))
    }

    /// Takes out an entry that its account sends nothing for; the account was not here when the entry was read.
    pub(crate) fn skip(&mut self, id: ConversationId, seq: u64) {
        if let Some(talk) = self.conversations.get_mut(&id) {
            talk.pending.retain(|entry| entry.seq != seq);
        }
    }

    /// All conversations that have something to send.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = (ConversationId, &Talk)> {
        self.conversations.iter().filter(|(_, talk)| !talk.pending.is_empty()).map(|(id, talk)| (*id, talk))
    }

    /// The thread that a hash of a provider's id belongs to.
    pub(crate) fn thread_of(&self, alias: Hash128) -> Option<Hash128> {
        self.aliases.get(&alias).copied()
    }

    /// Whose thread it is: of whoever began it.
    pub(crate) fn owner_of(&self, thread: Hash128) -> Option<IdentityId> {
        self.owners.get(&thread).copied()
    }

    /// A customer's conversations by an account.
    pub(crate) fn of_customer(
        &self,
        key: &AccountKey,
        identity: IdentityId,
    ) -> impl Iterator<Item = (ConversationId, &Talk)> {
        let all = self.by_identity.get(&identity).into_iter().flatten();
        let all = all.filter_map(|id| Some((*id, self.conversations.get(id)?)));
        all.filter(move |(_, talk)| talk.key == *key)
    }

    /// The customer's open thread of an account that was used last, and the one that was, open or not.
    pub(crate) fn threads_of(
        &self,
        key: &AccountKey,
        identity: IdentityId,
    ) -> (Option<Hash128>, Option<Hash128>) {
        let mut all: Vec<&Talk> = self.of_customer(key, identity).map(|(_, talk)| talk).collect();
        all.sort_by_key(|talk| std::cmp::Reverse(talk.heard_at));
        let open = all.iter().find(|talk| talk.is_open).and_then(|talk| talk.thread);
        (open, all.first().and_then(|talk| talk.thread))
    }

    /// Whether somebody said that they want to be written to no more.
    pub(crate) fn is_opted_out(&self, identity: IdentityId) -> bool {
        matches!(self.may_write.get(&identity), Some((_, false)))
    }

    /// Whether nothing is to be sent to a customer: their address gave everything back, and they have not written since.
    pub(crate) fn is_suppressed(&self, identity: IdentityId) -> bool {
        self.suppressed.contains(&identity)
    }

    /// Remembers a message that was just made durable: the next one may name it before the log shows it.
    pub(crate) fn expect(&mut self, thread: Hash128, aliases: &[Hash128], owner: IdentityId) {
        if self.owners.get(&thread).is_none() {
            self.owners.insert(thread, owner);
        }
        for alias in aliases {
            // The first thread that an id is of keeps it: nobody takes another's mails over by naming them.
            if self.aliases.get(alias).is_none() {
                self.aliases.insert(*alias, thread);
            }
        }
    }

    #[cfg(test)]
    pub(crate) fn conversation_of(&self, thread: Hash128) -> Option<ConversationId> {
        self.threads.get(&thread).copied()
    }

    /// Which message of ours a provider means.
    pub(crate) fn place_of(&self, message: MessageId) -> Option<Place> {
        self.sent.get(&message).copied()
    }

    pub(crate) fn place_of_provider(&self, hash: Hash128) -> Option<Place> {
        self.by_provider.get(&hash).copied()
    }

    /// The agent's name for customers, and whether it is a machine.
    pub(crate) fn by(&self, entry: &EntryKind) -> (Option<String>, bool) {
        let (agent, bot) = if let EntryKind::FromAgent { agent, bot } = entry {
            (*agent, *bot)
        } else if let EntryKind::Told { agent, .. } | EntryKind::Warned { agent } = entry {
            (*agent, false)
        } else {
            return (None, false);
        };
        let known = self.agents.get(&agent);
        (known.map(|known| known.title.clone()), bot || known.is_some_and(|known| known.bot))
    }
}

impl Talk {
    /// Messages that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.pending.len()
    }

    /// Lets the oldest steps go of what is over. One of an entry that is to come must stay, however many there are: without it
    /// the entry would be sent again.
    fn forget_steps(&mut self) {
        let over_to = self.pending.front().map_or(self.seen_to, |first| first.seq.saturating_sub(1));
        while self.steps.len() > STEPS_KEPT_MAX
            && self.steps.first_key_value().is_some_and(|(seq, _)| *seq <= over_to)
        {
            self.steps.pop_first();
        }
    }
}

fn later(all: &mut HashMap<IdentityId, (Millis, bool)>, who: IdentityId, at: Millis, may: bool) {
    if all.get(&who).is_none_or(|(before, _)| *before <= at) {
        all.insert(who, (at, may));
    }
}

impl Step {
    fn told(at: u64, delivery: &Delivery) -> Self {
        let Delivery { state, attempt, again_at, .. } = *delivery;
        let begun = (state == DeliveryState::Sending).then_some(Begun { attempt, at, since: delivery.at });
        // A message that waits by itself says until when; one that waits with its account does not.
        let is_untried = state == DeliveryState::Queued && again_at.is_none() && attempt > 0;
        Self { state, attempt, again_at, begun, untried: u32::from(is_untried) }
    }

    fn then(self, next: Self) -> Self {
        Self {
            state: self.state.then(next.state),
            attempt: self.attempt.max(next.attempt),
            again_at: next.again_at,
            begun: match (self.begun, next.begun) {
                (Some(before), Some(begun)) if begun.attempt > before.attempt => Some(begun),
                (None, begun) => begun,
                (before, Some(_) | None) => before,
            },
            untried: self.untried.saturating_add(next.untried),
        }
    }
}

/// Whether the customer wrote it, or a machine of theirs.
fn is_theirs(entry: &EntryKind) -> bool {
    matches!(entry, EntryKind::FromCustomer | EntryKind::Automatic | EntryKind::FeedbackGiven { .. })
}

fn has(record: &Record, event: &Event) -> bool {
    record.events.contains(event)
}

#[cfg(test)]
mod tests;
