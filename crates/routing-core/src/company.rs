//! Who is with a contact besides its owner: colleagues who are consulted, and who leads; and what becomes of a hand-over.
//!
//! Company takes no room and owns nothing: routing decides as if it were not there. It stands beside the contacts, because few of
//! them have any.

use protocol::command::Refusal;
use protocol::limits::{COMPANIONS_PER_CONTACT_MAX, COMPANY_PER_AGENT_MAX};
use protocol::record::{CompanyRole, EntryKind, Event, NotTaken};
use protocol::{AgentId, ContactId, ConversationId, Millis, SubjectToken};
use serde::{Deserialize, Serialize};

use crate::apply::Misfit;
use crate::contact::Phase;
use crate::due::{AT_ONCE, Due};
use crate::state::State;
use crate::turn::Turn;

type Settled = Result<(), Refusal>;

/// Somebody who is with a contact that is not theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Companion {
    /// Who.
    pub agent: AgentId,
    /// In which way.
    pub role: CompanyRole,
}

/// A contact on its way from one agent to another, which comes back if it is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandOver {
    /// Who gave it.
    pub from: AgentId,
    /// Who is to take it.
    pub to: AgentId,
}

impl State {
    /// Who is with a contact besides its owner, at most [`COMPANIONS_PER_CONTACT_MAX`].
    #[must_use]
    pub fn company(&self, contact: ContactId) -> &[Companion] {
        self.stored.company.get(&contact).map_or(&[], Vec::as_slice)
    }

    /// Makes somebody company in a way, or no more.
    pub(crate) fn accompany(
        &mut self,
        id: ContactId,
        agent: AgentId,
        role: Option<CompanyRole>,
    ) -> Result<(), Misfit> {
        if !self.stored.contacts.contains_key(&id) {
            return Err(Misfit::Contact(id));
        }
        let company = self.stored.company.entry(id).or_default();
        company.retain(|one| one.agent != agent);
        company.extend(role.map(|role| Companion { agent, role }));
        if company.is_empty() {
            self.stored.company.remove(&id);
        }
        self.index.company_changed(id, agent, role.is_some());
        self.refresh_consults(id);
        Ok(())
    }

    /// A contact has ended.
    pub(crate) fn company_ends(&mut self, id: ContactId) {
        self.stored.hand_overs.remove(&id);
        let Some(company) = self.stored.company.remove(&id) else { return };
        for one in company {
            self.index.company_changed(id, one.agent, false);
        }
        self.refresh_consults(id);
    }

    /// After a takeover: nobody could answer while nobody led.
    pub(crate) fn ask_anew(&mut self, at: Millis) {
        for (id, company) in &mut self.stored.company {
            let queue = self.stored.contacts.get(id).and_then(|known| self.index.policy.queue(&known.queue));
            let renewed = at.plus(queue.map_or(0, |queue| queue.offer_ms));
            for one in company {
                if let CompanyRole::Asked { until, .. } = &mut one.role {
                    *until = renewed;
                }
            }
        }
    }

    /// For an index that was made anew.
    pub(crate) fn seat_company(&mut self) {
        for (id, company) in &self.stored.company {
            for one in company {
                self.index.company_changed(*id, one.agent, true);
            }
        }
        let all: Vec<ContactId> = self.stored.company.keys().copied().collect();
        all.into_iter().for_each(|id| self.refresh_consults(id));
    }

    /// Sets anew when those who are asked for a word have not answered in time.
    pub(crate) fn refresh_consults(&mut self, id: ContactId) {
        let ends = self.company(id).iter().filter_map(|one| match one.role {
            CompanyRole::Asked { until, .. } => {
                let is_there = self.index.desks.get(&one.agent).is_some_and(|desk| desk.there);
                Some(if is_there { until } else { AT_ONCE })
            }
            CompanyRole::Consulted | CompanyRole::Watching | CompanyRole::Joined => None,
        });
        let due = ends.min().map(|at| (at, Due::Consult(id)));
        self.index.consult_due(id, due);
    }
}

impl Turn<'_> {
    pub(crate) fn consult(&mut self, agent: AgentId, id: ContactId, colleague: AgentId) -> Settled {
        let conversation = self.own(agent, id)?;
        // A bot would hear nothing of what is only practised.
        let is_deaf = self.state.is_practice(id) && self.state.is_bot(colleague);
        if colleague == agent || !self.is_there(colleague) || is_deaf {
            return Err(Refusal::ColleagueNotThere);
        }
        if self.role_of(colleague, id).is_some() {
            return Ok(());
        }
        self.must_have_place(colleague, id)?;
        let queue = self.state.contact(id).and_then(|contact| self.state.index.policy.queue(&contact.queue));
        let until = self.at.plus(queue.map_or(0, |queue| queue.offer_ms));
        self.become_company(id, colleague, Some(CompanyRole::Asked { by: agent, until }));
        self.entry(conversation, id, EntryKind::Consulted { agent, colleague });
        Ok(())
    }

    pub(crate) fn answer_consult(&mut self, agent: AgentId, id: ContactId, yes: bool) -> Settled {
        match self.role_of(agent, id) {
            Some(CompanyRole::Asked { until, .. }) if self.at <= until => {}
            Some(CompanyRole::Asked { .. }) | None => return Err(Refusal::OfferEnded),
            // The desk asks twice.
            Some(CompanyRole::Consulted | CompanyRole::Watching | CompanyRole::Joined) => return Ok(()),
        }
        if yes {
            self.become_company(id, agent, Some(CompanyRole::Consulted));
        } else {
            self.consult_declined(id, agent, NotTaken::Declined);
        }
        Ok(())
    }

    /// Also while nobody owns it: who leads sees what a customer who waits goes on writing.
    pub(crate) fn watch(&mut self, agent: AgentId, id: ContactId) -> Settled {
        self.must_lead_contact(agent, id)?;
        let is_owner = self.open_contact(id)?.owner() == Some(agent);
        if is_owner || self.role_of(agent, id).is_some_and(|role| !matches!(role, CompanyRole::Asked { .. }))
        {
            return Ok(());
        }
        self.must_have_place(agent, id)?;
        self.become_company(id, agent, Some(CompanyRole::Watching));
        Ok(())
    }

    pub(crate) fn whisper(&mut self, agent: AgentId, id: ContactId) -> Settled {
        let (conversation, _) = self.with(agent, id)?;
        self.entry(conversation, id, EntryKind::Whispered { agent });
        Ok(())
    }

    pub(crate) fn join(&mut self, agent: AgentId, id: ContactId) -> Settled {
        let (conversation, role) = self.with(agent, id)?;
        if matches!(self.open_contact(id)?.phase, Phase::WrapUp { .. }) {
            return Err(Refusal::ContactClosed);
        }
        if role != CompanyRole::Joined {
            self.become_company(id, agent, Some(CompanyRole::Joined));
            self.entry(conversation, id, EntryKind::JoinedBeside { agent });
        }
        Ok(())
    }

    /// Whoever was gone already is gone: a desk may ask twice.
    pub(crate) fn leave_company(&mut self, by: AgentId, id: ContactId, who: Option<AgentId>) -> Settled {
        let is_owner = self.open_contact(id)?.owner() == Some(by);
        let who = who.unwrap_or(by);
        if who != by && !is_owner {
            self.must_lead_contact(by, id)?;
        }
        self.part(id, who);
        Ok(())
    }

    /// The conversation of a contact in which this agent may write to the customer.
    pub(crate) fn may_write(&self, agent: AgentId, id: ContactId) -> Result<ConversationId, Refusal> {
        if self.role_of(agent, id) != Some(CompanyRole::Joined) {
            return self.own(agent, id);
        }
        let contact = self.open_contact(id)?;
        if matches!(contact.phase, Phase::WrapUp { .. }) {
            return Err(Refusal::ContactClosed);
        }
        Ok(contact.conversation)
    }

    /// The colleagues who were asked have not answered in time, or are not there any more.
    pub(crate) fn consults_ran_out(&mut self, id: ContactId) {
        let ran_out = |agent: AgentId, role: CompanyRole| match role {
            CompanyRole::Asked { .. } if !self.is_there(agent) => Some((agent, NotTaken::Gone)),
            CompanyRole::Asked { until, .. } if until <= self.at => Some((agent, NotTaken::NoTime)),
            CompanyRole::Asked { .. }
            | CompanyRole::Consulted
            | CompanyRole::Watching
            | CompanyRole::Joined => None,
        };
        let ran_out: Vec<_> =
            self.state.company(id).iter().filter_map(|one| ran_out(one.agent, one.role)).collect();
        for (agent, why) in ran_out {
            self.consult_declined(id, agent, why);
        }
    }

    /// The contact goes to somebody else: whom the owner asked in has no more to do with it, unless it is them. Who watches stays.
    pub(crate) fn part_from_consulted(&mut self, id: ContactId, to: Option<AgentId>) {
        let asked_in = self
            .state
            .company(id)
            .iter()
            .filter(|one| one.role != CompanyRole::Watching && Some(one.agent) != to);
        for agent in asked_in.map(|one| one.agent).collect::<Vec<_>>() {
            self.part(id, agent);
        }
    }

    /// The contact goes to another queue: who watches it and does not lead there watches it no more.
    pub(crate) fn part_from_who_does_not_lead(&mut self, id: ContactId, queue: &SubjectToken) {
        let company = self.state.company(id).iter();
        let watching = company.filter(|one| one.role == CompanyRole::Watching).map(|one| one.agent);
        let parted = watching.filter(|agent| self.must_lead_queue(*agent, queue).is_err());
        for agent in parted.collect::<Vec<_>>() {
            self.part(id, agent);
        }
    }

    /// The agent goes home, or cannot be reached any more.
    pub(crate) fn part_from_all(&mut self, agent: AgentId) {
        let with = self.state.index.desks.get(&agent).map(|desk| desk.company.clone());
        for id in with.unwrap_or_default() {
            self.part(id, agent);
        }
    }

    /// Ends how an agent is with a contact, if they are.
    pub(crate) fn part(&mut self, id: ContactId, agent: AgentId) {
        let Some(conversation) = self.state.contact(id).map(|contact| contact.conversation) else { return };
        match self.role_of(agent, id) {
            None => {}
            Some(CompanyRole::Asked { .. }) => self.consult_declined(id, agent, NotTaken::Gone),
            Some(CompanyRole::Consulted | CompanyRole::Watching) => self.become_company(id, agent, None),
            Some(CompanyRole::Joined) => {
                self.become_company(id, agent, None);
                self.entry(conversation, id, EntryKind::LeftAgain { agent });
            }
        }
    }

    /// The colleague to whom it was handed over did not take it: who gave it has it again, if they are there and have room. Tells
    /// whether they have; else it goes on in its queue.
    pub(crate) fn hand_back(&mut self, id: ContactId, why: NotTaken) -> bool {
        let Some(HandOver { from, to }) = self.state.stored.hand_overs.get(&id).copied() else {
            return false;
        };
        let Some(conversation) = self.state.contact(id).map(|contact| contact.conversation) else {
            return false;
        };
        // What a bot gave up does not come back to one.
        let is_for_people = self.state.contact(id).is_some_and(|contact| contact.people_only);
        if is_for_people && self.state.is_bot(from) {
            return false;
        }
        if !self.is_there(from) || !self.has_room_for(from, id) {
            return false;
        }
        self.emit(Event::Assigned { contact: id, agent: from });
        self.entry(conversation, id, EntryKind::HandedBack { agent: from, from: to, why });
        true
    }

    fn consult_declined(&mut self, id: ContactId, agent: AgentId, why: NotTaken) {
        self.become_company(id, agent, None);
        if let Some(conversation) = self.state.contact(id).map(|contact| contact.conversation) {
            self.entry(conversation, id, EntryKind::ConsultDeclined { agent, why });
        }
    }

    fn become_company(&mut self, contact: ContactId, agent: AgentId, role: Option<CompanyRole>) {
        self.emit(Event::CompanyChanged { contact, agent, role });
    }

    pub(crate) fn role_of(&self, agent: AgentId, id: ContactId) -> Option<CompanyRole> {
        self.state.company(id).iter().find(|one| one.agent == agent).map(|one| one.role)
    }

    /// The conversation of a contact that this agent is with, and how.
    pub(crate) fn with(
        &self,
        agent: AgentId,
        id: ContactId,
    ) -> Result<(ConversationId, CompanyRole), Refusal> {
        let conversation = self.open_contact(id)?.conversation;
        match self.role_of(agent, id) {
            Some(CompanyRole::Asked { .. }) | None => Err(Refusal::NotYours),
            Some(role @ (CompanyRole::Consulted | CompanyRole::Watching | CompanyRole::Joined)) => {
                Ok((conversation, role))
            }
        }
    }

    fn must_have_place(&self, agent: AgentId, id: ContactId) -> Settled {
        let is_full = self.state.company(id).len() >= COMPANIONS_PER_CONTACT_MAX;
        let desk = self.state.index.desks.get(&agent).ok_or(Refusal::ColleagueNotThere)?;
        if self.role_of(agent, id).is_none() && (is_full || desk.company.len() >= COMPANY_PER_AGENT_MAX) {
            return Err(Refusal::CompanyFull);
        }
        Ok(())
    }
}
