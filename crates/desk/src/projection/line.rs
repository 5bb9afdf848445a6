//! What waits in an agent's own queues, for who picks.

use std::cmp::Reverse;

use protocol::desk::LineContact;
use protocol::limits::LINE_SHOWN_MAX;
use protocol::{AgentId, ContactId, Millis};

use super::contact::{Contact, Stage};
use super::{Projection, Seat};

impl Projection {
    /// As they would be offered, first things first, and how many more there are. Whether somebody is able for one of them, the
    /// core says when they pick it.
    pub(crate) fn line(&self, agent: AgentId, now: Millis) -> (Vec<LineContact>, u32) {
        let Some(seat) = self.seats.get(&agent).filter(|seat| seat.is_configured) else {
            return (Vec::new(), 0);
        };
        let mut waiting: Vec<_> = self
            .contacts
            .iter()
            .filter(|(_, contact)| self.is_for(agent, seat, contact))
            .filter_map(|(id, contact)| {
                let (priority, worth) = self.forecast.worth(*id, now)?;
                Some(((Reverse(worth), contact.waiting_since, *id), priority, contact))
            })
            .collect();
        waiting.sort_unstable_by_key(|(order, ..)| *order);
        let more = u32::try_from(waiting.len().saturating_sub(LINE_SHOWN_MAX)).unwrap_or(u32::MAX);
        waiting.truncate(LINE_SHOWN_MAX);
        let waiting = waiting.into_iter();
        let shown = waiting.map(|((.., id), priority, contact)| self.in_line(id, priority, contact));
        (shown.collect(), more)
    }

    fn is_for(&self, agent: AgentId, seat: &Seat, contact: &Contact) -> bool {
        let Some(queue) = contact.queue.as_ref().filter(|queue| seat.serves.contains(queue)) else {
            return false;
        };
        contact.stage == Stage::Waiting
            && contact.preferred.is_none_or(|preferred| preferred == agent)
            && self.queues.get(queue).is_some_and(|facts| facts.picking)
    }

    fn in_line(&self, id: ContactId, priority: u8, contact: &Contact) -> LineContact {
        LineContact {
            contact: id,
            channel: contact.channel,
            queue: self.queue_title(contact).to_string(),
            category: contact.category.clone(),
            waiting_since: contact.waiting_since,
            priority,
            tags: contact.marks.tags.clone(),
            callback: contact.callback,
            practice: contact.practice,
        }
    }
}
