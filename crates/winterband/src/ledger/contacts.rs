//! Contacts: each in one place, moved only by what the log says.
#![expect(clippy::wildcard_enum_match_arm, reason = "a recount looks only at what it counts")]

use std::collections::BTreeMap;

use protocol::ids::{AgentId, ContactId, OfferId};
use protocol::record::EntryKind;
use protocol::{Event, Record};
use serde::Serialize;

use super::recount::Faults;

/// Contacts by where they are.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct ContactCount {
    /// Ever opened.
    pub(crate) accepted: u64,
    /// In a queue.
    pub(crate) waiting: u64,
    /// Offered to an agent.
    pub(crate) offered: u64,
    /// With an agent.
    pub(crate) with_agents: u64,
    /// Put off.
    pub(crate) snoozed: u64,
    /// Resolved, the agent still writes it up.
    pub(crate) wrap_up: u64,
    /// Ended.
    pub(crate) resolved: u64,
    /// The customer left before an agent had it.
    pub(crate) abandoned: u64,
    /// Kept aside.
    pub(crate) parked: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Opened,
    Waiting,
    Offered(OfferId, AgentId),
    With(AgentId),
    WrapUp(AgentId),
    Resolved,
    Abandoned,
}

#[derive(Debug, Default)]
pub(super) struct Contacts {
    places: BTreeMap<ContactId, Place>,
}

impl Contacts {
    pub(super) fn record(&mut self, seq: u64, record: &Record, faults: &mut Faults) {
        for event in &record.events {
            self.event(seq, event, faults);
        }
    }

    fn event(&mut self, seq: u64, event: &Event, faults: &mut Faults) {
        match event {
            Event::ContactOpened { contact, .. } => self.open(seq, *contact, faults),
            Event::ContactReopened { contact } => {
                self.step(seq, *contact, Place::Opened, "reopens", faults, |place| {
                    matches!(place, Place::Resolved | Place::Abandoned | Place::WrapUp(_))
                });
            }
            Event::Queued { contact, .. } => {
                self.step(seq, *contact, Place::Waiting, "queues", faults, |place| {
                    matches!(place, Place::Opened | Place::Waiting | Place::With(_))
                });
            }
            Event::OfferMade { contact, offer, agent, .. } => {
                self.step(seq, *contact, Place::Offered(*offer, *agent), "offers", faults, |place| {
                    place == Place::Waiting
                });
            }
            Event::OfferEnded { contact, offer, agent, .. } => {
                self.step(seq, *contact, Place::Waiting, "ends the offer of", faults, |place| {
                    place == Place::Offered(*offer, *agent)
                });
            }
            Event::Assigned { contact, agent } => {
                self.step(seq, *contact, Place::With(*agent), "assigns", faults, |place| {
                    matches!(place, Place::Waiting | Place::Opened)
                });
            }
            Event::WrapUpStarted { contact, agent, .. } => {
                self.step(seq, *contact, Place::WrapUp(*agent), "wraps up", faults, |place| {
                    place == Place::With(*agent)
                });
            }
            Event::Resolved { contact, agent } => {
                self.step(seq, *contact, Place::Resolved, "resolves", faults, |place| {
                    place == Place::With(*agent) || place == Place::WrapUp(*agent)
                });
            }
            Event::Abandoned { contact } => {
                self.step(seq, *contact, Place::Abandoned, "abandons", faults, |place| {
                    matches!(place, Place::Waiting | Place::Opened)
                });
            }
            Event::EntryAdded { contact, entry: EntryKind::FromAgent { agent }, .. } => {
                self.reply(seq, *contact, *agent, faults);
            }
            _ => {}
        }
    }

    fn open(&mut self, seq: u64, contact: ContactId, faults: &mut Faults) {
        if self.places.insert(contact, Place::Opened).is_some() {
            faults.add(format!("record {seq} opens {contact} a second time"));
        }
    }

    fn reply(&self, seq: u64, contact: ContactId, agent: AgentId, faults: &mut Faults) {
        if self.places.get(&contact) != Some(&Place::With(agent)) {
            faults.add(format!("record {seq} has a reply of {agent}, who does not hold {contact}"));
        }
    }

    fn step(
        &mut self,
        seq: u64,
        contact: ContactId,
        to: Place,
        verb: &str,
        faults: &mut Faults,
        may: impl Fn(Place) -> bool,
    ) {
        match self.places.get_mut(&contact) {
            None => faults.add(format!("record {seq} {verb} {contact}, which no record opens")),
            Some(place) => {
                if !may(*place) {
                    faults.add(format!("record {seq} {verb} {contact}, which is {place:?}"));
                }
                *place = to;
            }
        }
    }

    pub(super) fn close(self, faults: &mut Faults) -> ContactCount {
        let mut count = ContactCount::default();
        for (contact, place) in &self.places {
            count.accepted += 1;
            match place {
                Place::Opened => faults.add(format!("{contact} was opened and is nowhere")),
                Place::Waiting => count.waiting += 1,
                Place::Offered(..) => count.offered += 1,
                Place::With(_) => count.with_agents += 1,
                Place::WrapUp(_) => count.wrap_up += 1,
                Place::Resolved => count.resolved += 1,
                Place::Abandoned => count.abandoned += 1,
            }
        }
        count
    }
}
