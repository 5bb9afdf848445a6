//! What who leads may do with contacts that are not theirs.

use protocol::command::Refusal;
use protocol::config::Agent;
use protocol::record::{EntryKind, Event, OfferEnd, QueuedWhy};
use protocol::{AgentId, ContactId, OfferId, SubjectToken};

use crate::contact::Phase;
use crate::turn::Turn;

impl Turn<'_> {
    /// The colleague has not missed it, and it goes to somebody else.
    pub(crate) fn revoke(&mut self, by: AgentId, offer: OfferId) -> Result<(), Refusal> {
        self.must_lead(by)?;
        let (contact, known) = self.state.offer(offer).ok_or(Refusal::OfferEnded)?;
        let Phase::Offered { agent, .. } = known.phase else { return Err(Refusal::OfferEnded) };
        self.must_lead_queue(by, &known.queue)?;
        self.emit(Event::OfferEnded { offer, contact, agent, end: OfferEnd::Revoked { by } });
        self.requeue(contact, QueuedWhy::OfferEnded);
        Ok(())
    }

    /// Within what they can hold, like everybody; whether they are online does not matter, as they ask for it themselves.
    pub(crate) fn take_over(&mut self, by: AgentId, id: ContactId) -> Result<(), Refusal> {
        self.must_lead_contact(by, id)?;
        self.have(by, id)
    }

    /// As [`Turn::take_over`], of somebody who may.
    pub(crate) fn have(&mut self, by: AgentId, id: ContactId) -> Result<(), Refusal> {
        let contact = self.open_contact(id)?;
        let (conversation, phase, from) = (contact.conversation, contact.phase, contact.owner());
        if from == Some(by) {
            return self.resume(by, id);
        }
        if matches!(phase, Phase::WrapUp { .. }) {
            return Err(Refusal::ContactClosed);
        }
        if !self.has_room_for(by, id) {
            return Err(Refusal::NoRoom);
        }
        if let Phase::Offered { offer, agent, .. } = phase {
            let end = if agent == by { OfferEnd::Accepted } else { OfferEnd::Revoked { by } };
            self.emit(Event::OfferEnded { offer, contact: id, agent, end });
        }
        self.part_from_consulted(id, Some(by));
        self.emit(Event::Assigned { contact: id, agent: by });
        self.entry(conversation, id, EntryKind::TakenOver { agent: by, from });
        Ok(())
    }

    pub(crate) fn must_lead(&self, agent: AgentId) -> Result<(), Refusal> {
        self.leading(agent).map(drop)
    }

    /// Who leads, but not this queue, is told so.
    pub(crate) fn must_lead_queue(&self, agent: AgentId, queue: &SubjectToken) -> Result<(), Refusal> {
        if self.leading(agent)?.leads_queue(queue) { Ok(()) } else { Err(Refusal::NotInScope) }
    }

    /// Who leads may know of any contact whether it is open; what they may do with it, its queue says.
    pub(crate) fn must_lead_contact(&self, agent: AgentId, id: ContactId) -> Result<(), Refusal> {
        let leading = self.leading(agent)?;
        if leading.leads_queue(&self.open_contact(id)?.queue) { Ok(()) } else { Err(Refusal::NotInScope) }
    }

    pub(crate) fn leading(&self, agent: AgentId) -> Result<&Agent, Refusal> {
        let config = self.state.config().agents.iter().find(|config| config.id == agent);
        config.filter(|config| config.leads()).ok_or(Refusal::NotLead)
    }
}
