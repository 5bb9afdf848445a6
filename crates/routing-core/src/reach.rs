//! Conversations that do not begin with a customer's words here: an agent writes first, a colleague wrote in the provider's own app,
//! and a contact goes on where its customer is now.
//!
//! A contact that goes on elsewhere is the same contact: it keeps its place in its line, its owner, and all that is known of it. That two
//! identities are one customer the router knows from what was verified for both and came with their messages; who an agent
//! says they are is not asked here, since nobody is to be let into somebody's place by mistake.

use std::collections::BTreeSet;

use conditions::routing::{About, RoutingFacts};
use protocol::command::{Begin, Refusal};
use protocol::customer::CustomerChange;
use protocol::facts::FactValues;
use protocol::input::CustomerMessage;
use protocol::record::{Cause, EntryKind, Event, OfferEnd, QueuedWhy};
use protocol::{
    AgentId, ChannelKind, Command, ContactId, ConversationId, Hash128, IdentityId, InputBody, LinkId, Millis,
};

use crate::apply::Misfit;
use crate::contact::{Contact, Conversation, Phase};
use crate::index::Desk;
use crate::state::State;
use crate::turn::Turn;

/// Links that somebody parted and that are remembered; past that some are forgotten.
const PARTED_MAX: usize = 100_000;

impl State {
    /// The contact is in another conversation from here.
    pub(crate) fn contact_moved(
        &mut self,
        at: Millis,
        id: ContactId,
        to: ConversationId,
        channel: ChannelKind,
    ) -> Result<(), Misfit> {
        let contact = self.stored.contacts.get(&id).ok_or(Misfit::Contact(id))?;
        let (from, owner) = (contact.conversation, contact.owner());
        let left = self.stored.conversations.get_mut(&from).ok_or(Misfit::Conversation(from))?;
        (left.open, left.idle_since, left.contacts) = (None, at, left.contacts.saturating_sub(1));
        left.gone_on = Some(id);
        let (language, at_risk_until, asked) = (left.language, left.at_risk_until, left.asked.clone());
        self.idle.insert((at, from));
        let joined = self.stored.conversations.get_mut(&to).ok_or(Misfit::Conversation(to))?;
        (joined.open, joined.gone_on) = (Some(id), None);
        if let Some(asked) = asked {
            joined.asked.get_or_insert_default().joined(&asked);
        }
        joined.owner = owner.or(joined.owner);
        joined.language = joined.language.or(language);
        joined.at_risk_until = joined.at_risk_until.max(at_risk_until);
        joined.contacts = joined.contacts.saturating_add(1);
        self.idle.remove(&(joined.idle_since, to));
        if let Some(before) = joined.ended.take() {
            self.forget_ended_contact(before);
        }
        self.change_contact(id, |contact| {
            (contact.conversation, contact.channel) = (to, channel);
        })
    }

    /// An agent's first words, to somebody who has not asked for any.
    pub(crate) fn begun(&mut self, cause: &Cause, id: ContactId, entry: &EntryKind) {
        let Cause::Input { input, .. } = cause else { return };
        let InputBody::Command(asked) = &input.body else { return };
        let begins = matches!(&asked.command, Command::Begin(begin) if begin.contact.is_none());
        if !begins || !matches!(entry, EntryKind::FromAgent { .. }) {
            return;
        }
        if let Some(contact) = self.stored.contacts.get_mut(&id) {
            contact.unheard = true;
            self.index.refresh_due(id, contact);
        }
    }

    /// The contact of a conversation and where it is now: the open one, the one that goes on elsewhere, or the last one.
    pub(crate) fn stands(&self, conversation: ConversationId) -> Option<(ConversationId, ContactId)> {
        let known = self.conversation(conversation)?;
        let here = known.open.or(known.ended).map(|contact| (conversation, contact));
        let elsewhere = || {
            let contact = known.gone_on?;
            let open = self.contact(contact).map(|open| open.conversation);
            Some((open.or_else(|| Some(self.ended(contact)?.conversation))?, contact))
        };
        here.or_else(elsewhere)
    }

    /// Somebody said that a link joins who does not belong together.
    pub(crate) fn parted(&mut self, change: &CustomerChange) {
        if let CustomerChange::Parted { link } = change {
            self.stored.parted.insert(*link);
            if self.stored.parted.len() > PARTED_MAX {
                self.stored.parted.pop_first();
            }
        }
    }

    /// What was verified of who wrote is known of their contact while it is open.
    pub(crate) fn names_person(&mut self, id: ContactId, message: &CustomerMessage) {
        let verified = message.keys.iter().flat_map(|keys| keys.verified.iter().copied());
        for key in verified {
            self.stored.person_keys.entry(id).or_default().insert(key);
            self.by_person.entry(key).or_default().insert(id);
        }
    }

    pub(crate) fn forget_person(&mut self, id: ContactId) {
        for key in self.stored.person_keys.remove(&id).unwrap_or_default() {
            if let Some(contacts) = self.by_person.get_mut(&key) {
                contacts.remove(&id);
                if contacts.is_empty() {
                    self.by_person.remove(&key);
                }
            }
        }
    }

    fn is_parted(&self, identity: IdentityId, key: Hash128) -> bool {
        self.stored.parted.contains(&LinkId::of_key(identity, key))
    }

    /// The open contacts of whom anything of this was verified, oldest first, but for whom a person said that it does not name them.
    fn of_person<'a>(&'a self, keys: impl Iterator<Item = &'a Hash128>) -> BTreeSet<ContactId> {
        let is_named = |key: Hash128, contact: ContactId| {
            let identity = self.contact(contact).and_then(|open| self.conversation(open.conversation));
            identity.is_some_and(|known| !self.is_parted(known.identity, key))
        };
        let of = keys.filter_map(|key| Some((*key, self.by_person.get(key)?)));
        of.flat_map(|(key, contacts)| contacts.iter().copied().filter(move |id| is_named(key, *id))).collect()
    }

    /// Whether the agent who holds a contact would still have room for it if it were of another channel.
    fn would_fit(&self, agent: AgentId, contact: &Contact, channel: ChannelKind) -> bool {
        let Some(desk) = self.index.desks.get(&agent) else { return false };
        if contact.holder() != Some(agent) {
            let limit = self.index.policy.queue(&contact.queue).and_then(|queue| queue.per_agent_max);
            return desk.room.spare(channel) > 0 && desk.has_room_in(&contact.queue, limit);
        }
        let mut room = desk.room.clone();
        room.release(contact.channel, None);
        room.spare(channel) > 0
    }
}

impl Turn<'_> {
    /// Somebody of ours wrote to the customer outside: the conversation has it, and the customer was answered.
    pub(crate) fn colleague_wrote(&mut self, message: &CustomerMessage) {
        let stands = self.known_conversation(message).and_then(|id| self.state.stands(id));
        match stands {
            Some((conversation, contact)) => self.entry(conversation, contact, EntryKind::FromColleague),
            None => self.emit(Event::MessageHeldBack { identity: message.identity }),
        }
    }

    /// Has the customer's open contact go on in the conversation in which they write now, if there is one that is about the same.
    pub(crate) fn follow(
        &mut self,
        conversation: ConversationId,
        message: &CustomerMessage,
    ) -> Option<ContactId> {
        // A machine of theirs is not where they are.
        let keys = message.keys.as_ref().filter(|_| !message.automatic)?;
        let is_theirs = |key: &&Hash128| !self.state.is_parted(message.identity, **key);
        let candidates = self.state.of_person(keys.verified.iter().filter(is_theirs));
        let contact = candidates.into_iter().find(|id| self.follows(*id, conversation, message))?;
        let offered = match self.state.contact(contact)?.phase {
            Phase::Offered { offer, agent, .. } => Some((offer, agent)),
            Phase::New
            | Phase::Waiting { .. }
            | Phase::Gathered { .. }
            | Phase::WithAgent { .. }
            | Phase::Aside { .. }
            | Phase::WrapUp { .. } => None,
        };
        // They may not be able to answer there.
        if let Some((offer, agent)) = offered {
            self.emit(Event::OfferEnded { offer, contact, agent, end: OfferEnd::CustomerGone });
            self.requeue(contact, QueuedWhy::OfferEnded);
        }
        self.go_on(contact, conversation, message.channel);
        Some(contact)
    }

    fn follows(&self, id: ContactId, to: ConversationId, message: &CustomerMessage) -> bool {
        let Some(contact) = self.state.contact(id).filter(|contact| contact.conversation != to) else {
            return false;
        };
        // A letter is about what its thread is about.
        let stays = |id| {
            let is_blocked = |identity| self.state.is_blocked(identity, self.at);
            let known = self.state.conversation(id);
            known.is_none_or(|known| known.thread.is_some() || is_blocked(known.identity))
        };
        if stays(contact.conversation) || stays(to) {
            return false;
        }
        let policy = &self.state.index.policy;
        let practice = message.practice || policy.practises(message);
        let category = policy.category(message).map(|one| &one.name);
        let is_other = category.is_some_and(|name| self.state.stored.categories.get(id) != Some(name));
        if practice != self.state.is_practice(id) || is_other {
            return false;
        }
        let Some(routing) = policy.route(message, &FactValues::new()) else { return false };
        match contact.phase {
            Phase::Waiting { .. } | Phase::Offered { .. } | Phase::Gathered { .. } => {
                contact.queue == routing.queue
            }
            Phase::WithAgent { agent, .. } | Phase::Aside { agent, .. } => {
                self.state.index.desks.get(&agent).is_some_and(|desk| desk.takes_channel(message.channel))
                    && self.state.serves(agent, &routing.queue)
                    && self.state.would_fit(agent, contact, message.channel)
            }
            // It has ended for the customer: what they write now is another matter.
            Phase::New | Phase::WrapUp { .. } => false,
        }
    }

    fn go_on(&mut self, contact: ContactId, conversation: ConversationId, channel: ChannelKind) {
        let Some((from, before)) = self.state.contact(contact).map(|one| (one.conversation, one.channel))
        else {
            return;
        };
        self.entry(from, contact, EntryKind::WentOn { channel });
        self.emit(Event::ContactMoved { contact, from, conversation, channel });
        self.entry(conversation, contact, EntryKind::CameFrom { conversation: from, channel: before });
        self.bring_forward(contact);
    }

    /// An agent writes to a customer first, or goes on where they can be reached.
    pub(crate) fn begin(&mut self, agent: AgentId, begin: &Begin) -> Result<(), Refusal> {
        let Begin { channel, account, identity, queue, .. } = begin;
        let policy = &self.state.index.policy;
        if policy.account(*channel, account).is_none() {
            return Err(Refusal::UnknownAccount);
        }
        if policy.queue(queue).is_none() {
            return Err(Refusal::UnknownQueue);
        }
        let takes = |desk: &Desk| desk.takes_channel(*channel);
        if !self.state.serves(agent, queue) || !self.state.index.desks.get(&agent).is_some_and(takes) {
            return Err(Refusal::NotAble);
        }
        if self.state.is_blocked(*identity, self.at) {
            return Err(Refusal::CustomerBlocked);
        }
        let known = self.state.conversation_of(*identity);
        let open = known.and_then(|id| self.state.conversation(id)?.open);
        if open.is_some() {
            return Err(Refusal::AlreadyOpen);
        }
        if let Some(contact) = begin.contact {
            return self.begin_with(agent, contact, begin);
        }
        let limit = policy.queue(queue).and_then(|queue| queue.per_agent_max);
        let has_room = |desk: &Desk| desk.room.spare(*channel) > 0 && desk.has_room_in(queue, limit);
        if !self.state.index.desks.get(&agent).is_some_and(has_room) {
            return Err(Refusal::NoRoom);
        }
        let conversation = self.conversation_with(begin)?;
        let contact = self.contact_begun(conversation, begin);
        self.emit(Event::Assigned { contact, agent });
        self.reply(agent, contact)
    }

    /// The contact that the agent holds goes on there.
    fn begin_with(&mut self, agent: AgentId, contact: ContactId, begin: &Begin) -> Result<(), Refusal> {
        self.own(agent, contact)?;
        let held = self.open_contact(contact)?;
        let is_aside = matches!(held.phase, Phase::Aside { .. });
        if !self.state.would_fit(agent, held, begin.channel) {
            return Err(Refusal::NoRoom);
        }
        // What is only practised reaches nobody, and what is not stays in reports.
        let account = self.state.index.policy.account(begin.channel, &begin.account);
        if account.is_some_and(|account| account.practice) != self.state.is_practice(contact) {
            return Err(Refusal::CannotBegin);
        }
        let conversation = self.conversation_with(begin)?;
        self.go_on(contact, conversation, begin.channel);
        if is_aside {
            self.emit(Event::Assigned { contact, agent });
        }
        self.reply(agent, contact)
    }

    fn contact_begun(&mut self, conversation: ConversationId, begin: &Begin) -> ContactId {
        let contact = self.new_contact();
        let known = self.state.conversation(conversation);
        let language = known.and_then(|known| known.language);
        let scores = known.map(Conversation::scores).unwrap_or_default();
        let policy = &self.state.index.policy;
        let account = policy.account(begin.channel, &begin.account);
        let priority = account.map_or(0, |account| account.priority);
        let practice = account.is_some_and(|account| account.practice);
        let facts = if policy.has_conditions() {
            let language = language.map(|language| language.to_string());
            let about = About {
                channel: begin.channel,
                account: &begin.account,
                category: None,
                language: language.as_deref(),
                is_returning: known.is_some_and(|known| known.owner.is_some()),
                scores,
            };
            RoutingFacts::of_contact(self.state.config(), &about, &FactValues::new())
        } else {
            FactValues::new()
        };
        self.emit(Event::ContactOpened {
            contact,
            conversation,
            channel: begin.channel,
            category: None,
            facts,
            route: None,
            practice,
            people_only: practice,
        });
        self.emit(Event::Queued {
            contact,
            queue: begin.queue.clone(),
            priority,
            needs: Vec::new(),
            since: self.at,
            preferred: None,
            why: QueuedWhy::Opened,
        });
        contact
    }

    fn conversation_with(&mut self, begin: &Begin) -> Result<ConversationId, Refusal> {
        if let Some(known) = self.state.conversation_of(begin.identity) {
            return Ok(known);
        }
        let begun = self.new_conversation_of(begin.identity, begin.channel, &begin.account, None);
        begun.ok_or(Refusal::NoRoom)
    }
}
