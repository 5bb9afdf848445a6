//! What an agent asks for.

use std::collections::BTreeMap;

use protocol::command::{AgentCommand, Command, Outcome, Presence, Refusal};
use protocol::config::Field;
use protocol::customer::{CustomerChange, CustomerWish};
use protocol::limits::{CLOCK_SKEW_MS_MAX, COMMAND_AGE_MS_MAX, REASON_BYTES_MAX};
use protocol::record::{EntryKind, Event, HandOverWhy, NotTaken, OfferEnd, Preferred, QueuedWhy};
use protocol::{AgentId, CommandId, ContactId, ConversationId, LinkId, OfferId, SubjectToken};

use crate::contact::{Contact, Phase};
use crate::index::Desk;
use crate::turn::Turn;

type Settled = Result<(), Refusal>;

impl Turn<'_> {
    pub(crate) fn command(&mut self, asked: &AgentCommand) {
        if let Some(outcome) = self.state.stored.memory.command(asked.agent, asked.id).cloned() {
            self.emit(Event::DuplicateSkipped);
            return self.emit(Event::CommandSettled { command: asked.id, outcome });
        }
        if let Command::Empower { ask } = &asked.command
            && self.state.agent(asked.agent).is_some()
        {
            // The worker knows which ids it has answered, and answers again.
            return self.pass_command(ask.contact());
        }
        let settled = self.check_age(asked.id).and_then(|()| self.carry_out(asked));
        let outcome = match settled {
            Ok(()) => Outcome::Done,
            Err(refusal) => Outcome::Refused { refusal },
        };
        self.emit(Event::CommandSettled { command: asked.id, outcome });
    }

    /// An id is remembered for a few days only. One whose time cannot be believed (no version 7, more than a day ahead) could
    /// come again after that and be carried out twice, so it is refused like one that is too old.
    pub(crate) fn check_age(&self, id: CommandId) -> Settled {
        let born = id.born_ms().ok_or(Refusal::TooOld)?;
        let too_old = self.at.0.saturating_sub(born) > COMMAND_AGE_MS_MAX;
        let too_new = born.saturating_sub(self.at.0) > CLOCK_SKEW_MS_MAX;
        if too_old || too_new { Err(Refusal::TooOld) } else { Ok(()) }
    }

    fn carry_out(&mut self, asked: &AgentCommand) -> Settled {
        let agent = asked.agent;
        if self.state.agent(agent).is_none() {
            return Err(Refusal::UnknownAgent);
        }
        match &asked.command {
            Command::SetPresence { presence, reason, when_free } => {
                self.set_presence(agent, *presence, reason.as_deref(), *when_free)
            }
            Command::Accept { offer } => self.accept(agent, *offer),
            Command::Decline { offer, reason } => self.decline(agent, *offer, reason),
            Command::Reply { contact, .. } => self.reply(agent, *contact),
            Command::Begin(begin) => self.begin(agent, begin),
            Command::Note { contact, mentions, .. } => self.note(agent, *contact, mentions),
            Command::Pick { contact } => self.pick(agent, *contact),
            Command::SetTags { .. }
            | Command::SetFields { .. }
            | Command::ReadMentions { .. }
            | Command::WarnCustomer { .. }
            | Command::BlockCustomer { .. }
            | Command::UnblockCustomer { .. } => self.note_down(agent, &asked.command),
            Command::TransferToQueue { contact, queue } => self.transfer_to_queue(agent, *contact, queue),
            Command::TransferToAgent { contact, agent: to, back } => {
                self.transfer_to_agent(agent, *contact, *to, *back)
            }
            Command::Resolve { contact, disposition, fields } => {
                self.resolve(agent, *contact, disposition, fields)
            }
            Command::Snooze { contact, until } => self.snooze(agent, *contact, *until),
            Command::Resume { contact } => self.resume(agent, *contact),
            Command::Revoke { offer } => self.revoke(agent, *offer),
            Command::TakeOver { contact } => self.take_over(agent, *contact),
            Command::Consult { contact, agent: colleague } => self.consult(agent, *contact, *colleague),
            Command::AnswerConsult { contact, yes } => self.answer_consult(agent, *contact, *yes),
            Command::Watch { contact } => self.watch(agent, *contact),
            Command::ChangeCustomer { contact, wish } => self.change_customer(asked, *contact, *wish),
            Command::Whisper { contact, .. } => self.whisper(agent, *contact),
            Command::Join { contact } => self.join(agent, *contact),
            Command::Leave { contact, agent: who } => self.leave_company(agent, *contact, *who),
            Command::TakeVoice { contact } => self.take_voice(agent, *contact),
            Command::SetIncident { incident, terms } => self.set_incident(agent, *incident, terms),
            Command::GatherForIncident { incident, contacts } => self.gather(agent, *incident, contacts),
            Command::AnswerIncident { incident, words } => self.answer_incident(agent, *incident, words),
            Command::ResolveIncident { incident, disposition, words } => {
                self.resolve_incident(agent, *incident, disposition, words)
            }
            Command::CloseIncident { incident } => self.close_incident(agent, *incident),
            Command::CallForHelp { contact, reason } => {
                self.give_up(agent, *contact, &HandOverWhy::CalledForHelp { reason: reason.clone() })
            }
            Command::Fail { contact, reason } => {
                self.give_up(agent, *contact, &HandOverWhy::Failed { reason: reason.clone() })
            }
            // Answered by the worker; routing refuses only who it does not know.
            Command::Empower { .. } => Ok(()),
            Command::EndWrapUp { contact } => self.end_wrap_up(agent, *contact),
        }
    }

    /// What is noted of a contact, and of its customer.
    fn note_down(&mut self, agent: AgentId, command: &Command) -> Settled {
        if let Command::SetTags { contact, add, remove } = command {
            self.set_tags(agent, *contact, add, remove)
        } else if let Command::SetFields { contact, fields } = command {
            self.set_fields(agent, *contact, fields)
        } else if let Command::ReadMentions { contact } = command {
            self.emit(Event::MentionsRead { contact: *contact, agent });
            Ok(())
        } else if let Command::WarnCustomer { contact, .. } = command {
            self.warn(agent, *contact)
        } else if let Command::BlockCustomer { contact, until, reason } = command {
            self.block(agent, *contact, *until, reason)
        } else if let Command::UnblockCustomer { identity } = command {
            self.unblock(agent, *identity)
        } else {
            Ok(())
        }
    }

    fn end_wrap_up(&mut self, agent: AgentId, id: ContactId) -> Settled {
        self.own_or_wrap_up(agent, id)?;
        match self.state.contact(id).map(|known| known.phase) {
            Some(Phase::WrapUp { .. }) => {
                self.emit(Event::Resolved { contact: id, agent });
                Ok(())
            }
            // The customer wrote again just before: there is no wrap-up, and the desk has to look again.
            Some(_) | None => Err(Refusal::NotYours),
        }
    }

    /// Who may look after the contact knows best who it is; what follows from it, readers of the log work out.
    fn change_customer(&mut self, asked: &AgentCommand, contact: ContactId, wish: CustomerWish) -> Settled {
        let agent = asked.agent;
        let conversation = match self.own_or_wrap_up(agent, contact) {
            Ok(conversation) => conversation,
            Err(refusal) => {
                self.must_lead(agent).map_err(|_| refusal)?;
                self.must_lead_contact(agent, contact)?;
                self.open_contact(contact)?.conversation
            }
        };
        let known = self.state.conversation(conversation).ok_or(Refusal::UnknownContact)?;
        let change = match wish {
            CustomerWish::Link { identity } if identity == known.identity => return Ok(()),
            CustomerWish::Link { identity } => CustomerChange::Linked {
                link: LinkId::of_command(asked.id),
                one: known.identity,
                other: identity,
            },
            CustomerWish::Part { link } => CustomerChange::Parted { link },
        };
        self.emit(Event::CustomerChanged { contact, agent, change });
        Ok(())
    }

    fn set_presence(
        &mut self,
        agent: AgentId,
        presence: Presence,
        reason: Option<&str>,
        when_free: bool,
    ) -> Settled {
        if reason.is_some_and(|reason| reason.len() > REASON_BYTES_MAX) {
            return Err(Refusal::TooLong);
        }
        if when_free && self.state.held_by(agent).next().is_some() {
            let reason = reason.map(str::to_owned);
            self.emit(Event::PresenceQueued { agent, presence, reason });
            return Ok(());
        }
        let changes =
            self.state.agent(agent).is_some_and(|known| known.presence != presence || known.next.is_some());
        if changes || reason.is_some() {
            let reason = reason.map(str::to_owned);
            self.emit(Event::PresenceChanged { agent, presence, reason });
        }
        if presence == Presence::Offline {
            self.part_from_all(agent);
        }
        Ok(())
    }

    pub(crate) fn accept(&mut self, agent: AgentId, offer: OfferId) -> Settled {
        let (contact, conversation) = self.asked(agent, offer)?;
        self.emit(Event::OfferEnded { offer, contact, agent, end: OfferEnd::Accepted });
        self.emit(Event::Assigned { contact, agent });
        self.entry(conversation, contact, EntryKind::Joined { agent });
        Ok(())
    }

    fn decline(&mut self, agent: AgentId, offer: OfferId, reason: &str) -> Settled {
        if reason.len() > REASON_BYTES_MAX {
            return Err(Refusal::TooLong);
        }
        let (contact, _) = self.asked(agent, offer)?;
        let end = OfferEnd::Declined { reason: reason.to_owned() };
        self.emit(Event::OfferEnded { offer, contact, agent, end });
        if !self.hand_back(contact, NotTaken::Declined) {
            self.requeue(contact, QueuedWhy::OfferEnded);
        }
        Ok(())
    }

    /// The contact of an offer that this agent may still answer.
    fn asked(&self, agent: AgentId, offer: OfferId) -> Result<(ContactId, ConversationId), Refusal> {
        let (id, contact) = self.state.offer(offer).ok_or(Refusal::OfferEnded)?;
        match contact.phase {
            Phase::Offered { agent: asked, .. } if asked != agent => Err(Refusal::NotYours),
            Phase::Offered { expires_at, .. } if self.at <= expires_at => Ok((id, contact.conversation)),
            Phase::New
            | Phase::Waiting { .. }
            | Phase::Gathered { .. }
            | Phase::Offered { .. }
            | Phase::WithAgent { .. }
            | Phase::Aside { .. }
            | Phase::WrapUp { .. } => Err(Refusal::OfferEnded),
        }
    }

    fn transfer_to_queue(&mut self, agent: AgentId, id: ContactId, queue: &SubjectToken) -> Settled {
        let owned = self.own(agent, id);
        let is_loose = match owned {
            Ok(_) => false,
            Err(refusal) => self.leads_loose(agent, id, refusal)?,
        };
        let conversation = self.open_contact(id)?.conversation;
        if self.state.index.policy.queue(queue).is_none() {
            return Err(Refusal::UnknownQueue);
        }
        if is_loose {
            self.take_back_offer(agent, id);
        }
        self.part_from_consulted(id, None);
        self.part_from_who_does_not_lead(id, queue);
        self.entry(conversation, id, EntryKind::TransferredToQueue { agent, queue: queue.clone() });
        let contact = self.state.contact(id).ok_or(Refusal::UnknownContact)?;
        // What it needed in one queue says nothing in another.
        let needs = if contact.queue == *queue {
            contact.needs.clone()
        } else {
            let language = self.state.conversation(conversation).and_then(|known| known.language);
            self.state.index.policy.spoken(queue, language).into_iter().collect()
        };
        let event = Event::Queued {
            contact: id,
            queue: queue.clone(),
            priority: contact.own_priority(),
            needs,
            since: contact.since,
            preferred: None,
            why: QueuedWhy::Transferred,
        };
        self.emit(event);
        self.bring_forward(id);
        Ok(())
    }

    /// Whether who leads may move a contact that nobody has; `refusal` is for who does not lead.
    fn leads_loose(&self, agent: AgentId, id: ContactId, refusal: Refusal) -> Result<bool, Refusal> {
        self.leading(agent).map_err(|_| refusal)?;
        if self.open_contact(id)?.owner().is_some() {
            return Err(refusal);
        }
        self.must_lead_contact(agent, id).map(|()| true)
    }

    fn take_back_offer(&mut self, by: AgentId, contact: ContactId) {
        let phase = self.state.contact(contact).map(|known| known.phase);
        if let Some(Phase::Offered { offer, agent, .. }) = phase {
            self.emit(Event::OfferEnded { offer, contact, agent, end: OfferEnd::Revoked { by } });
        }
    }

    fn transfer_to_agent(&mut self, agent: AgentId, id: ContactId, to: AgentId, back: bool) -> Settled {
        let conversation = self.own(agent, id)?;
        let contact = self.state.contact(id).ok_or(Refusal::UnknownContact)?;
        let colleague = self.state.index.desks.get(&to).filter(|_| to != agent);
        let is_wanted = |desk: &Desk| desk.bot_answer_ms.is_none() || !contact.people_only;
        if !colleague.is_some_and(|desk| desk.there && desk.takes_channel(contact.channel) && is_wanted(desk))
        {
            return Err(Refusal::ColleagueNotThere);
        }
        let wait = self.state.index.policy.queue(&contact.queue).map_or(0, |queue| queue.owner_wait_ms);
        let event = Event::Queued {
            contact: id,
            queue: contact.queue.clone(),
            priority: contact.own_priority(),
            needs: contact.needs.clone(),
            since: contact.since,
            preferred: Some(Preferred { agent: to, until: self.at.plus(wait) }),
            why: QueuedWhy::Transferred,
        };
        self.part_from_consulted(id, None);
        self.entry(conversation, id, EntryKind::TransferredToAgent { agent, to, back });
        self.emit(event);
        self.bring_forward(id);
        Ok(())
    }

    fn resolve(
        &mut self,
        agent: AgentId,
        id: ContactId,
        disposition: &SubjectToken,
        fields: &BTreeMap<SubjectToken, SubjectToken>,
    ) -> Settled {
        let conversation = self.own(agent, id)?;
        let policy = &self.state.index.policy;
        let asked = policy.fields_of(disposition).ok_or(Refusal::UnknownDisposition)?;
        let is_filled_in = |field: &Field| fields.get(&field.name).is_some_and(|value| field.takes(value));
        if fields.len() != asked.len() || !asked.iter().all(is_filled_in) {
            return Err(Refusal::FieldMissing);
        }
        let contact = self.state.contact(id);
        let queue = contact.and_then(|contact| policy.queue(&contact.queue));
        let wrap_up_ms = queue.map_or(0, |queue| queue.wrap_up_ms);
        // What takes no room does not begin to when it ends.
        let fits = contact.is_some_and(|contact| contact.holder().is_some()) || self.has_room_for(agent, id);
        let is_heard = contact.is_some_and(|contact| !contact.unheard);
        let (disposition, fields) = (disposition.clone(), fields.clone());
        self.entry(conversation, id, EntryKind::Resolved { agent, disposition, fields });
        if wrap_up_ms > 0 && fits {
            self.emit(Event::WrapUpStarted { contact: id, agent, until: self.at.plus(wrap_up_ms) });
        } else {
            self.emit(Event::Resolved { contact: id, agent });
        }
        if is_heard {
            self.ask_feedback(agent, conversation, id);
        }
        Ok(())
    }

    /// The conversation of a contact that this agent has now.
    pub(crate) fn own(&self, agent: AgentId, id: ContactId) -> Result<ConversationId, Refusal> {
        let conversation = self.own_or_wrap_up(agent, id)?;
        match self.state.contact(id).map(|contact| contact.phase) {
            Some(Phase::WrapUp { .. }) | None => Err(Refusal::ContactClosed),
            Some(_) => Ok(conversation),
        }
    }

    pub(crate) fn own_or_wrap_up(&self, agent: AgentId, id: ContactId) -> Result<ConversationId, Refusal> {
        let contact = self.open_contact(id)?;
        match contact.phase {
            Phase::WithAgent { agent: owner, .. }
            | Phase::Aside { agent: owner, .. }
            | Phase::WrapUp { agent: owner, .. }
                if owner == agent =>
            {
                Ok(contact.conversation)
            }
            Phase::New
            | Phase::Waiting { .. }
            | Phase::Gathered { .. }
            | Phase::Offered { .. }
            | Phase::WithAgent { .. }
            | Phase::Aside { .. }
            | Phase::WrapUp { .. } => Err(Refusal::NotYours),
        }
    }

    pub(crate) fn open_contact(&self, id: ContactId) -> Result<&Contact, Refusal> {
        let closed = || self.state.ended(id).map_or(Refusal::UnknownContact, |_| Refusal::ContactClosed);
        self.state.contact(id).ok_or_else(closed)
    }
}
