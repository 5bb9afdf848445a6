//! One cause, decided and applied in one pass.

use std::collections::BTreeSet;

use protocol::formats::READS;
use protocol::input::WIRE_VERSION;
use protocol::record::{Cause, EntryKind, Event, ParkReason, QueuedWhy, Record};
use protocol::{AgentId, ContactId, ConversationId, Input, InputBody, Millis, NoticeId, OfferId};

use crate::EVENTS_PER_RECORD;
use crate::contact::Contact;
use crate::empowerment::{WishId, notice_of};
use crate::state::State;

/// Why a cause leads to no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransitionError {
    /// The input was consumed before: the shell reads again what the log already holds. Skip it, append nothing.
    #[error("input {seq} was consumed before, the last one was {last}")]
    AlreadyConsumed {
        /// The one given.
        seq: u64,
        /// The last one consumed.
        last: u64,
    },
}

/// Decides what follows from one cause and applies it in the same pass.
///
/// The record has to be appended at `state.log_seq()` (as it is afterwards); if that fails for good, rebuild the state from
/// the log. `now` may lie before the last record: time then stands still. Every input leads to exactly one record; for a
/// [`Cause::Timer`] use [`crate::timer`], which gives none when nothing is due.
///
/// # Errors
/// [`TransitionError::AlreadyConsumed`]; the state is as before and the input is to be skipped.
pub fn transition(state: &mut State, cause: Cause, now: Millis) -> Result<Record, TransitionError> {
    if let Some(seq) = cause.inbound_seq()
        && seq <= state.inbound_seq()
    {
        return Err(TransitionError::AlreadyConsumed { seq, last: state.inbound_seq() });
    }
    let at = now.max(state.last_at());
    let events = Turn::new(state, at, &cause).run();
    state.finish(at, &cause, &events);
    Ok(Record { v: WIRE_VERSION, at, epoch: state.epoch(), policy: state.policy(), cause, events })
}

/// Decides without changing the state: what would follow from this cause.
///
/// # Errors
/// As [`transition`].
pub fn decide(state: &State, cause: Cause, now: Millis) -> Result<Record, TransitionError> {
    transition(&mut state.clone(), cause, now)
}

/// A record in the making.
pub(crate) struct Turn<'a> {
    pub(crate) state: &'a mut State,
    pub(crate) at: Millis,
    cause: &'a Cause,
    events: Vec<Event>,
    births: u32,
    /// Whether this record holds a part of what was asked of an incident.
    pub(crate) worked: bool,
    /// Waiting contacts that somebody might now have.
    pub(crate) loose_contacts: BTreeSet<ContactId>,
    /// Agents who might now have somebody.
    pub(crate) loose_agents: BTreeSet<AgentId>,
}

impl<'a> Turn<'a> {
    pub(crate) fn new(state: &'a mut State, at: Millis, cause: &'a Cause) -> Self {
        Self {
            state,
            at,
            cause,
            events: Vec::new(),
            births: 0,
            worked: false,
            loose_contacts: BTreeSet::new(),
            loose_agents: BTreeSet::new(),
        }
    }

    pub(crate) fn run(mut self) -> Vec<Event> {
        match self.cause {
            Cause::Input { input, .. } => self.input(input),
            Cause::Unreadable { .. } => self.emit(Event::Parked { reason: ParkReason::Unreadable }),
            Cause::Timer => {
                self.fire_due();
                self.settle();
            }
            Cause::Takeover { .. } => self.emit(Event::Fenced { epoch: self.state.epoch() + 1 }),
        }
        self.events
    }

    fn input(&mut self, input: &Input) {
        if input.v > READS {
            return self.emit(Event::Parked { reason: ParkReason::LaterVersion });
        }
        if self.is_duplicate(&input.body) {
            return self.emit(Event::DuplicateSkipped);
        }
        match &input.body {
            InputBody::Message(message) => self.message(message),
            InputBody::CustomerLeft { identity, .. } => self.customer_left(*identity),
            InputBody::PersonWanted { identity, .. } => self.person_wanted(*identity),
            InputBody::Command(command) => self.command(command),
            InputBody::AgentConnected { agent, gateway, .. } => self.agent_connected(*agent, *gateway),
            InputBody::AgentDisconnected { agent, gateway, .. } => {
                self.agent_disconnected(*agent, *gateway);
            }
            InputBody::GatewayLost { gateway, .. } => self.state.lose_gateway(*gateway),
            InputBody::Config(config) => self.config(config),
            InputBody::Integration(asked) => self.integration(asked),
            InputBody::Empowerment(input) => self.pass_input(input),
            InputBody::Wish(wish) => self.wish(wish),
            // What is parked concerns nobody who routes; the record is what remains of it.
            InputBody::ParkedDismissed { .. } => {}
            InputBody::Canary(canary) => self.canary(canary),
        }
        if !self.is_skipped() {
            self.settle();
        }
    }

    /// Notices only: messages and commands are told apart further on, as they have more to say.
    fn is_duplicate(&self, body: &InputBody) -> bool {
        let known = |id: NoticeId| self.state.stored.memory.has_notice(id);
        match body {
            InputBody::Message(_) | InputBody::Command(_) | InputBody::Integration(_) => false,
            InputBody::CustomerLeft { id, .. }
            | InputBody::PersonWanted { id, .. }
            | InputBody::AgentConnected { id, .. }
            | InputBody::AgentDisconnected { id, .. }
            | InputBody::GatewayLost { id, .. }
            | InputBody::ParkedDismissed { id, .. } => known(*id),
            InputBody::Canary(canary) => known(canary.id()),
            InputBody::Config(config) => known(config.id),
            InputBody::Empowerment(input) => known(notice_of(input)),
            InputBody::Wish(wish) => self.state.stored.memory.has_wish(WishId::of(wish)),
        }
    }

    fn is_skipped(&self) -> bool {
        matches!(self.events.first(), Some(Event::DuplicateSkipped | Event::Parked { .. }))
    }

    /// Applies an event, adds it to the record, and notes whom it concerns.
    pub(crate) fn emit(&mut self, event: Event) {
        let contact = contact_of(&event);
        let holder = contact.and_then(|id| self.state.contact(id)).and_then(Contact::holder);
        let agent = agent_of(&event);
        let was_there = agent.is_some_and(|id| self.is_there(id));
        let applied = self.state.apply_event(self.at, self.cause, &event);
        debug_assert_eq!(applied, Ok(()), "a decision does not fit its own state");
        if let Some(id) = contact {
            let after = self.state.contact(id);
            if after.is_some_and(Contact::is_waiting) {
                self.loose_contacts.insert(id);
            }
            let holder_after = after.and_then(Contact::holder);
            // Of another channel it takes other room.
            let frees = holder != holder_after || matches!(event, Event::ContactMoved { .. });
            self.loose_agents.extend(holder.filter(|_| frees));
        }
        if let Some(id) = agent
            && was_there != self.is_there(id)
        {
            self.came_or_went(id);
        }
        self.events.push(event);
    }

    fn came_or_went(&mut self, agent: AgentId) {
        if self.is_there(agent) {
            self.loose_agents.insert(agent);
        }
        let touched = self.state.index.touched_by(agent);
        let waits = |id: &ContactId| self.state.contact(*id).is_some_and(Contact::is_waiting);
        self.loose_contacts.extend(touched.into_iter().filter(waits));
    }

    pub(crate) fn is_there(&self, agent: AgentId) -> bool {
        self.state.index.desks.get(&agent).is_some_and(|desk| desk.there)
    }

    /// Whether the record has grown so large that the rest is left to the next one.
    pub(crate) fn is_full(&self) -> bool {
        self.events.len() >= EVENTS_PER_RECORD
    }

    pub(crate) fn events_so_far(&self) -> usize {
        self.events.len()
    }

    /// Adds an entry under the conversation's next sequence.
    pub(crate) fn entry(&mut self, conversation: ConversationId, contact: ContactId, entry: EntryKind) {
        let seq = self.state.conversation(conversation).map_or(0, |known| known.entries) + 1;
        self.emit(Event::EntryAdded { conversation, contact, seq, entry });
    }

    /// Puts a contact back to its old place, or in front of it while its customer is at risk.
    pub(crate) fn requeue(&mut self, id: ContactId, why: QueuedWhy) {
        let Some(contact) = self.state.contact(id) else { return };
        let event = Event::Queued {
            contact: id,
            queue: contact.queue.clone(),
            priority: contact.own_priority(),
            needs: contact.needs.clone(),
            since: contact.since,
            preferred: None,
            why,
        };
        self.emit(event);
        self.bring_forward(id);
    }

    pub(crate) fn new_contact(&mut self) -> ContactId {
        let (log_seq, n) = self.birth();
        ContactId { log_seq, n }
    }

    pub(crate) fn new_conversation(&mut self) -> ConversationId {
        let (log_seq, n) = self.birth();
        ConversationId { log_seq, n }
    }

    pub(crate) fn new_offer(&mut self) -> OfferId {
        let (log_seq, n) = self.birth();
        OfferId { log_seq, n }
    }

    /// Law 12: a name from where it is born, so that a replay gives the same.
    fn birth(&mut self) -> (u64, u32) {
        let n = self.births;
        self.births += 1;
        (self.state.log_seq() + 1, n)
    }
}

/// The contact that the event moves.
fn contact_of(event: &Event) -> Option<ContactId> {
    match event {
        Event::ContactOpened { contact, .. }
        | Event::ContactReopened { contact }
        | Event::ContactMoved { contact, .. }
        | Event::Queued { contact, .. }
        | Event::PreferenceEnded { contact }
        | Event::DeclinesLapsed { contact }
        | Event::Widened { contact, .. }
        | Event::Gathered { contact, .. }
        | Event::OfferMade { contact, .. }
        | Event::OfferEnded { contact, .. }
        | Event::Assigned { contact, .. }
        | Event::SetAside { contact, .. }
        | Event::WrapUpStarted { contact, .. }
        | Event::Resolved { contact, .. }
        | Event::Abandoned { contact } => Some(*contact),
        Event::Fenced { .. }
        | Event::ConfigApplied
        | Event::ConfigRefused { .. }
        | Event::ConversationOpened { .. }
        | Event::ConversationForgotten { .. }
        | Event::EntryAdded { .. }
        | Event::AgentConnected { .. }
        | Event::AgentDisconnected { .. }
        | Event::PresenceChanged { .. }
        | Event::PresenceQueued { .. }
        | Event::HoursChanged { .. }
        | Event::ServiceWarned { .. }
        | Event::CustomerChanged { .. }
        | Event::ServiceMissed { .. }
        | Event::CompanyChanged { .. }
        | Event::Passed { .. }
        | Event::ColleaguesAsked { .. }
        | Event::CustomerTold { .. }
        | Event::AtRisk { .. }
        | Event::IncidentSet { .. }
        | Event::IncidentAsked { .. }
        | Event::IncidentWorked { .. }
        | Event::IncidentEnded { .. }
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
        | Event::Parked { .. } => None,
    }
}

/// The agent whose coming or going the event tells.
fn agent_of(event: &Event) -> Option<AgentId> {
    match event {
        Event::AgentConnected { agent, .. }
        | Event::AgentDisconnected { agent, .. }
        | Event::PresenceChanged { agent, .. }
        | Event::PresenceQueued { agent, .. } => Some(*agent),
        Event::Fenced { .. }
        | Event::ConfigApplied
        | Event::ConfigRefused { .. }
        | Event::ConversationOpened { .. }
        | Event::ConversationForgotten { .. }
        | Event::ContactOpened { .. }
        | Event::ContactReopened { .. }
        | Event::ContactMoved { .. }
        | Event::EntryAdded { .. }
        | Event::Queued { .. }
        | Event::PreferenceEnded { .. }
        | Event::DeclinesLapsed { .. }
        | Event::Widened { .. }
        | Event::OfferMade { .. }
        | Event::OfferEnded { .. }
        | Event::Assigned { .. }
        | Event::SetAside { .. }
        | Event::WrapUpStarted { .. }
        | Event::Resolved { .. }
        | Event::Abandoned { .. }
        | Event::CompanyChanged { .. }
        | Event::HoursChanged { .. }
        | Event::ServiceWarned { .. }
        | Event::CustomerChanged { .. }
        | Event::ServiceMissed { .. }
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
        | Event::Parked { .. } => None,
    }
}
