//! What a customer does: writes, leaves.

use conditions::routing::{About, RoutingFacts};
use protocol::facts::FactValues;
use protocol::input::CustomerMessage;
use protocol::record::{EntryKind, Event, OfferEnd, ParkReason, Preferred, QueuedWhy};
use protocol::{
    AgentId, ChannelKind, ContactId, ConversationId, Hash128, IdentityId, Language, SubjectToken,
};

use crate::apply::FORGOTTEN_PER_RECORD;
use crate::contact::{Conversation, Ended, Phase};
use crate::floor::ClassKey;
use crate::memory::Seen;
use crate::policy::Routing;
use crate::turn::Turn;

impl Turn<'_> {
    pub(crate) fn message(&mut self, message: &CustomerMessage) {
        match self.state.stored.memory.message(message) {
            Seen::SameContent => return self.emit(Event::DuplicateSkipped),
            Seen::OtherContent => return self.emit(Event::Parked { reason: ParkReason::ContentDiffers }),
            Seen::Never => {}
        }
        if !self.state.index.policy.has_account(message) {
            return self.emit(Event::Parked { reason: ParkReason::UnknownAccount });
        }
        if message.by_colleague {
            return self.colleague_wrote(message);
        }
        if self.state.is_blocked(message.identity, self.at) {
            return self.held_back(message);
        }
        let Some(conversation) = self.conversation(message) else {
            return self.emit(Event::Parked { reason: ParkReason::FloorFull });
        };
        if self.is_feedback(conversation, message) {
            return;
        }
        let Some(known) = self.state.conversation(conversation) else { return };
        let (open, ended, owner) = (known.open, known.ended, known.owner);
        let is_heard = |id| {
            self.state.conversation(id).is_some_and(|there| !self.state.is_blocked(there.identity, self.at))
        };
        let stands =
            self.state.stands(conversation).filter(|(there, _)| message.automatic && is_heard(*there));
        if let Some((conversation, contact)) = stands {
            // It wakes nobody, opens nothing again and stops no clock; it is there for who looks.
            return self.entry(conversation, contact, EntryKind::Automatic);
        }
        let is_returning = ended.is_some() || owner.is_some();
        let language = message.language.or(known.language);
        if let Some(contact) = open.or_else(|| self.follow(conversation, message)) {
            self.message_to_open(conversation, contact);
            return self.callback(conversation, message);
        }
        match ended.and_then(|id| Some((id, self.state.ended(id)?.clone()))) {
            Some((contact, last)) if self.reopens(&last) => {
                self.reopen(conversation, contact, last, owner);
            }
            Some(_) | None => {
                let facts = self.facts(message, language, is_returning);
                let Some(routing) = self.state.index.policy.route(message, &facts) else { return };
                let routing = self.with_language(routing, language);
                self.open(conversation, message, owner, (routing, facts));
            }
        }
        self.callback(conversation, message);
    }

    /// Who asks to be called back need not stay: their contact waits without them.
    fn callback(&mut self, conversation: ConversationId, message: &CustomerMessage) {
        let open = self.state.conversation(conversation).and_then(|known| known.open);
        if let Some(contact) = open.filter(|_| message.callback) {
            self.entry(conversation, contact, EntryKind::CallbackAsked);
        }
    }

    /// The customer's conversation; `None` if there is no room for a new one.
    fn conversation(&mut self, message: &CustomerMessage) -> Option<ConversationId> {
        let known = self.known_conversation(message);
        if known.is_some() {
            return known;
        }
        let thread = self.thread_of(message);
        self.new_conversation_of(message.identity, message.channel, &message.account, thread)
    }

    /// A conversation that nobody knew of; `None` if there is no room for one.
    pub(crate) fn new_conversation_of(
        &mut self,
        identity: IdentityId,
        channel: ChannelKind,
        account: &SubjectToken,
        thread: Option<Hash128>,
    ) -> Option<ConversationId> {
        if !self.has_room() && self.state.idle.is_empty() {
            return None;
        }
        self.make_room();
        let conversation = self.new_conversation();
        let account = account.clone();
        self.emit(Event::ConversationOpened { conversation, identity, channel, account, thread });
        Some(conversation)
    }

    /// The customer's conversation, if there is one already.
    pub(crate) fn known_conversation(&self, message: &CustomerMessage) -> Option<ConversationId> {
        match self.thread_of(message) {
            Some(thread) => self.state.conversation_of_thread(thread),
            None => self.state.conversation_of(message.identity),
        }
    }

    fn thread_of(&self, message: &CustomerMessage) -> Option<Hash128> {
        message.thread.as_ref().map(|thread| self.own_thread(thread.id, message.identity))
    }

    /// The thread that a message of this identity is of. Whom a channel lets into another's thread writes in it under its
    /// customer's identity; anybody else who names it has a thread of their own of that name, the same one each time.
    fn own_thread(&self, thread: Hash128, identity: IdentityId) -> Hash128 {
        let known = self.state.conversation_of_thread(thread).and_then(|id| self.state.conversation(id));
        if known.is_none_or(|known| known.identity == identity) {
            return thread;
        }
        let mut own = thread;
        for (byte, of_identity) in own.0.iter_mut().zip(identity.0.0) {
            *byte ^= of_identity;
        }
        own
    }

    fn has_room(&self) -> bool {
        self.state.conversation_count() < self.state.conversations_max
    }

    /// Forgets the conversation that has been idle for longest; more than one only after the limit was lowered.
    fn make_room(&mut self) {
        for _ in 0..FORGOTTEN_PER_RECORD {
            let idle = self.state.idle.first().copied();
            let Some((_, conversation)) = idle.filter(|_| !self.has_room()) else { return };
            self.emit(Event::ConversationForgotten { conversation });
        }
    }

    fn message_to_open(&mut self, conversation: ConversationId, contact: ContactId) {
        let phase = self.state.contact(contact).map(|open| open.phase);
        if let Some(Phase::WrapUp { agent, .. }) = phase {
            // The agent holds the slot still, so there is nothing to offer.
            self.emit(Event::ContactReopened { contact });
            self.emit(Event::Assigned { contact, agent });
            self.entry(conversation, contact, EntryKind::Reopened);
        }
        if let Some(Phase::Aside { .. }) = phase {
            self.come_back(contact);
        }
        self.entry(conversation, contact, EntryKind::FromCustomer);
    }

    fn reopens(&self, last: &Ended) -> bool {
        let policy = &self.state.index.policy;
        policy.queue(&last.queue).is_some_and(|queue| self.at.since(last.at) < queue.reopen_ms)
    }

    fn reopen(
        &mut self,
        conversation: ConversationId,
        contact: ContactId,
        last: Ended,
        owner: Option<AgentId>,
    ) {
        self.emit(Event::ContactReopened { contact });
        self.entry(conversation, contact, EntryKind::Reopened);
        self.entry(conversation, contact, EntryKind::FromCustomer);
        let able = |agent: &AgentId| {
            self.state
                .index
                .desks
                .get(agent)
                .is_some_and(|desk| desk.there && desk.takes_channel(last.channel))
        };
        let owner = owner.filter(able).filter(|agent| !(last.people_only && self.state.is_bot(*agent)));
        // A skill that was taken out of the configuration meanwhile would be waited for in vain.
        let policy = &self.state.index.policy;
        let needs = last.needs.into_iter().filter(|need| policy.has_skill(&need.skill)).collect();
        let routing = Routing { queue: last.queue, priority: last.priority, needs, route: None };
        self.queue(contact, routing, owner, QueuedWhy::Reopened);
    }

    fn open(
        &mut self,
        conversation: ConversationId,
        message: &CustomerMessage,
        owner: Option<AgentId>,
        (routing, facts): (Routing, FactValues),
    ) {
        let contact = self.new_contact();
        let category = self.state.index.policy.category(message).map(|one| one.name.clone());
        let (channel, route) = (message.channel, routing.route.clone());
        let asks = self.state.index.policy.asks(&routing.queue, Some(&facts));
        let practice = message.practice || self.state.index.policy.practises(message);
        let people_only = practice;
        self.emit(Event::ContactOpened {
            contact,
            conversation,
            channel,
            category,
            facts,
            route,
            practice,
            people_only,
        });
        self.entry(conversation, contact, EntryKind::FromCustomer);
        // Another matter may need what the owner of the last one lacks.
        let class = ClassKey {
            queue: routing.queue.clone(),
            priority: routing.priority,
            channel: message.channel,
            needs: routing.needs.clone(),
            people_only,
            asks,
        };
        let owner = owner.filter(|agent| {
            let index = &mut self.state.index;
            let class = index.floor.class_id(class, &index.policy);
            index.could(*agent, class)
        });
        self.queue(contact, routing, owner, QueuedWhy::Opened);
    }

    /// What is known of the matter, if any condition could ask.
    pub(crate) fn facts(
        &self,
        message: &CustomerMessage,
        language: Option<Language>,
        is_returning: bool,
    ) -> FactValues {
        let policy = &self.state.index.policy;
        if !policy.has_conditions() {
            return FactValues::new();
        }
        let language = language.map(|language| language.to_string());
        let scores = self.known_conversation(message).and_then(|id| self.state.conversation(id));
        let about = About {
            channel: message.channel,
            account: &message.account,
            category: message.category.as_ref(),
            language: language.as_deref(),
            is_returning,
            scores: scores.map(Conversation::scores).unwrap_or_default(),
        };
        RoutingFacts::of_contact(self.state.config(), &about, &message.facts)
    }

    /// From here it waits, first for who is preferred.
    fn queue(&mut self, contact: ContactId, routing: Routing, owner: Option<AgentId>, why: QueuedWhy) {
        let routing = self.overflowed(routing);
        let policy = &self.state.index.policy;
        let wait = policy.queue(&routing.queue).map_or(0, |queue| queue.owner_wait_ms);
        let is_closed = self.state.is_closed(&routing.queue);
        let opens_at = if is_closed { policy.opens_at(&routing.queue, self.at) } else { None };
        // In the morning the one who knows them still comes first.
        let until = opens_at.unwrap_or(self.at).plus(wait);
        let Routing { queue, priority, needs, route: _ } = routing;
        let preferred = owner.map(|agent| Preferred { agent, until });
        self.emit(Event::Queued { contact, queue, priority, needs, since: self.at, preferred, why });
        self.bring_forward(contact);
        if let Some(incident) = self.incident_at_the_door(contact) {
            return self.gathered(incident, contact);
        }
        if is_closed && let Some(conversation) = self.state.contact(contact).map(|known| known.conversation) {
            self.entry(conversation, contact, EntryKind::Closed { opens_at });
        }
    }

    /// The customer's language is one of the needs, where their queue speaks.
    fn with_language(&self, mut routing: Routing, language: Option<Language>) -> Routing {
        let spoken = self.state.index.policy.spoken(&routing.queue, language);
        if let Some(need) = spoken.filter(|need| routing.needs.iter().all(|other| other.skill != need.skill))
        {
            routing.needs.push(need);
        }
        routing
    }

    /// Another queue, while the one it is for is closed and that one is not.
    fn overflowed(&self, routing: Routing) -> Routing {
        if !self.state.is_closed(&routing.queue) {
            return routing;
        }
        let policy = &self.state.index.policy;
        let overflow = policy.queue(&routing.queue).and_then(|queue| queue.overflow.clone());
        match overflow.filter(|other| !self.state.is_closed(other)) {
            // What it needed in one queue says nothing in another, but whose language is spoken.
            Some(queue) => {
                let needs =
                    routing.needs.iter().filter(|need| policy.is_language(&need.skill)).cloned().collect();
                Routing { queue, needs, ..routing }
            }
            None => routing,
        }
    }

    pub(crate) fn customer_left(&mut self, identity: IdentityId) {
        let Some(conversation) = self.state.conversation_of(identity) else { return };
        let Some(contact) = self.state.conversation(conversation).and_then(|known| known.open) else {
            return;
        };
        let Some(open) = self.state.contact(contact) else { return };
        let phase = open.phase;
        if open.callback {
            return self.entry(conversation, contact, EntryKind::CustomerLeft);
        }
        match phase {
            // Who waits for an incident will find its end here when they come back.
            Phase::Gathered { .. } | Phase::WithAgent { .. } | Phase::Aside { .. } | Phase::WrapUp { .. } => {
                self.entry(conversation, contact, EntryKind::CustomerLeft);
            }
            Phase::New | Phase::Waiting { .. } => {
                self.entry(conversation, contact, EntryKind::CustomerLeft);
                self.emit(Event::Abandoned { contact });
            }
            Phase::Offered { offer, agent, .. } => {
                self.emit(Event::OfferEnded { offer, contact, agent, end: OfferEnd::CustomerGone });
                self.entry(conversation, contact, EntryKind::CustomerLeft);
                self.emit(Event::Abandoned { contact });
            }
        }
    }
}
