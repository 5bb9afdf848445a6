//! Taking a waiting contact without being asked.

use protocol::command::Refusal;
use protocol::record::{ChoiceRule, EntryKind, Event, OfferEnd};
use protocol::{AgentId, ContactId, Millis};

use crate::contact::{Contact, Phase};
use crate::state::State;
use crate::turn::Turn;

impl Turn<'_> {
    /// As an acceptance of an offer that was never made. Like everybody they stay within what they can hold and are able for; whether
    /// they are online does not matter, as they ask for it themselves, and who said no before may think better of it.
    pub(crate) fn pick(&mut self, agent: AgentId, id: ContactId) -> Result<(), Refusal> {
        let contact = self.open_contact(id)?;
        match contact.phase {
            Phase::Offered { offer, agent: asked, .. } if asked == agent => return self.accept(agent, offer),
            // The desk asks twice.
            Phase::WithAgent { agent: owner, .. } | Phase::Aside { agent: owner, .. } if owner == agent => {
                return Ok(());
            }
            Phase::Waiting { preferred } if preferred.is_some_and(|one| one.agent != agent) => {
                return Err(Refusal::Reserved);
            }
            Phase::Waiting { .. } => {}
            Phase::New
            | Phase::Gathered { .. }
            | Phase::Offered { .. }
            | Phase::WithAgent { .. }
            | Phase::Aside { .. }
            | Phase::WrapUp { .. } => return Err(Refusal::NotWaiting),
        }
        let queue = self.state.index.policy.queue(&contact.queue);
        let Some(offer_ms) = queue.filter(|queue| queue.picking).map(|queue| queue.offer_ms) else {
            return Err(Refusal::NoPicking);
        };
        if !self.state.is_able(self.at, agent, id, contact) {
            return Err(Refusal::NotAble);
        }
        if !self.has_room_for(agent, id) {
            return Err(Refusal::NoRoom);
        }
        let conversation = contact.conversation;
        let receipt = self.state.receipt_for(self.at, id, contact, agent, ChoiceRule::Picked);
        let (offer, expires_at) = (self.new_offer(), self.at.plus(offer_ms));
        self.emit(Event::OfferMade { offer, contact: id, agent, expires_at, receipt });
        self.emit(Event::OfferEnded { offer, contact: id, agent, end: OfferEnd::Accepted });
        self.emit(Event::Assigned { contact: id, agent });
        self.entry(conversation, id, EntryKind::Joined { agent });
        Ok(())
    }
}

impl State {
    /// Whether an agent is of a step that a waiting contact has reached, or is preferred by it.
    pub(crate) fn is_able(&self, at: Millis, agent: AgentId, id: ContactId, contact: &Contact) -> bool {
        if contact.preferred().is_some_and(|preferred| preferred.agent == agent) {
            return true;
        }
        let class = self.index.spots.get(&id).and_then(|spot| self.index.floor.class(spot.class));
        let open = class.and_then(|class| class.open_to(at.since(contact.since)));
        let desk = self.index.desks.get(&agent);
        open.zip(desk).is_some_and(|(open, desk)| open.contains(desk.profile))
    }
}
