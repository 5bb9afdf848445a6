//! Contacts that are somebody's and take no room with them: laid aside by hand, or because their customer is silent.
//!
//! They come back to their agent at once if there is room, else they wait for them first and then for anybody: so nobody ever
//! holds more than they can.

use protocol::command::{Presence, Refusal};
use protocol::limits::{SNOOZE_MS_MAX, SNOOZE_MS_MIN, SNOOZED_PER_AGENT_MAX};
use protocol::record::{AsideWhy, EntryKind, Event, Preferred, QueuedWhy};
use protocol::{AgentId, ContactId, Millis};

use crate::contact::Phase;
use crate::turn::Turn;

impl Turn<'_> {
    pub(crate) fn snooze(&mut self, agent: AgentId, id: ContactId, until: Millis) -> Result<(), Refusal> {
        let conversation = self.own(agent, id)?;
        let ahead = until.since(self.at);
        if !(SNOOZE_MS_MIN..=SNOOZE_MS_MAX).contains(&ahead) {
            return Err(Refusal::BadTime);
        }
        if self.state.index.desks.get(&agent).is_some_and(|desk| desk.snoozed >= SNOOZED_PER_AGENT_MAX) {
            return Err(Refusal::NoRoom);
        }
        self.emit(Event::SetAside { contact: id, agent, why: AsideWhy::Snoozed { until } });
        self.entry(conversation, id, EntryKind::Snoozed { agent, until });
        Ok(())
    }

    pub(crate) fn resume(&mut self, agent: AgentId, id: ContactId) -> Result<(), Refusal> {
        self.own(agent, id)?;
        match self.state.contact(id).map(|contact| contact.phase) {
            Some(Phase::Aside { .. }) if self.has_room_for(agent, id) => {
                self.emit(Event::Assigned { contact: id, agent });
                Ok(())
            }
            Some(Phase::Aside { .. }) => Err(Refusal::NoRoom),
            // The desk asks twice, or it came back meanwhile.
            Some(_) | None => Ok(()),
        }
    }

    pub(crate) fn silent(&mut self, id: ContactId) {
        let Some(Phase::WithAgent { agent, unanswered_since: Some(since) }) =
            self.state.contact(id).map(|contact| contact.phase)
        else {
            return;
        };
        self.emit(Event::SetAside { contact: id, agent, why: AsideWhy::Silent { since } });
    }

    pub(crate) fn warn_of_close(&mut self, id: ContactId) {
        let Some(contact) = self.state.contact(id) else { return };
        let warning = self.state.index.policy.queue(&contact.queue).and_then(|queue| queue.close_warning_ms);
        let closes_at = self.at.plus(warning.unwrap_or(0));
        self.entry(contact.conversation, id, EntryKind::SilenceWarned { closes_at });
    }

    pub(crate) fn close_after_silence(&mut self, id: ContactId) {
        let Some(contact) = self.state.contact(id) else { return };
        let (conversation, Some(agent)) = (contact.conversation, contact.owner()) else { return };
        self.entry(conversation, id, EntryKind::ClosedAfterSilence { agent });
        self.emit(Event::Resolved { contact: id, agent });
    }

    /// Its time came, or its customer wrote.
    pub(crate) fn come_back(&mut self, id: ContactId) {
        let Some(contact) = self.state.contact(id) else { return };
        let Phase::Aside { agent, .. } = contact.phase else { return };
        if self.is_there(agent) && self.has_room_for(agent, id) {
            return self.emit(Event::Assigned { contact: id, agent });
        }
        let wait = self.state.index.policy.queue(&contact.queue).map_or(0, |queue| queue.owner_wait_ms);
        let preferred = Preferred { agent, until: self.at.plus(wait) };
        let takes = |desk: &crate::index::Desk| desk.there && desk.takes_channel(contact.channel);
        let is_awaited = self.state.index.desks.get(&agent).is_some_and(takes);
        let event = Event::Queued {
            contact: id,
            queue: contact.queue.clone(),
            priority: contact.own_priority(),
            needs: contact.needs.clone(),
            since: self.at,
            preferred: is_awaited.then_some(preferred),
            why: QueuedWhy::Returned,
        };
        self.emit(event);
        self.bring_forward(id);
    }

    /// Whether one more contact like this fits, whoever it comes from.
    pub(crate) fn has_room_for(&self, agent: AgentId, id: ContactId) -> bool {
        let Some(contact) = self.state.contact(id) else { return false };
        let limit = self.state.index.policy.queue(&contact.queue).and_then(|queue| queue.per_agent_max);
        self.state.index.desks.get(&agent).is_some_and(|desk| {
            desk.room.spare(contact.channel) > 0 && desk.has_room_in(&contact.queue, limit)
        })
    }

    /// The presence that waited until they hold nothing.
    pub(crate) fn leave(&mut self, agent: AgentId) {
        let Some((presence, reason)) = self.state.agent(agent).and_then(|known| known.next.clone()) else {
            return;
        };
        self.emit(Event::PresenceChanged { agent, presence, reason });
        if presence == Presence::Offline {
            self.part_from_all(agent);
        }
    }
}
