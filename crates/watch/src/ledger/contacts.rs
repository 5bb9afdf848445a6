//! Contacts: each in one place, moved only by what the log says.
#![expect(clippy::wildcard_enum_match_arm, reason = "a recount looks only at what it counts")]

use std::collections::{BTreeMap, BTreeSet};

use protocol::ids::{AgentId, ContactId, IncidentId, OfferId};
use protocol::record::{CompanyRole, EntryKind};
use protocol::{Event, Record};
use serde::Serialize;

use super::recount::Faults;

/// Contacts by where they are.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct ContactCount {
    /// Ever opened.
    pub accepted: u64,
    /// In a queue.
    pub waiting: u64,
    /// Waiting for an incident, in nobody's line.
    pub gathered: u64,
    /// Offered to an agent.
    pub offered: u64,
    /// With an agent.
    pub with_agents: u64,
    /// With an agent, and taking no room: laid aside by hand, or because the customer is silent.
    pub snoozed: u64,
    /// Resolved, the agent still writes it up.
    pub wrap_up: u64,
    /// Ended.
    pub resolved: u64,
    /// The customer left before an agent had it.
    pub abandoned: u64,
    /// Kept aside.
    pub parked: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Opened,
    Waiting,
    Gathered(IncidentId),
    Offered(OfferId, AgentId),
    With(AgentId),
    Aside(AgentId),
    WrapUp(AgentId),
    Resolved,
    Abandoned,
}

/// The contacts that went from one agent to another with this record without having been in a queue: somebody who leads took
/// them, or who was asked did not and who gave them has them again.
pub(super) fn taken_over(record: &Record) -> BTreeSet<ContactId> {
    let taken = record.events.iter().filter_map(|event| match event {
        Event::EntryAdded {
            contact,
            entry: EntryKind::TakenOver { .. } | EntryKind::HandedBack { .. },
            ..
        } => Some(*contact),
        _ => None,
    });
    taken.collect()
}

#[derive(Debug, Default)]
pub(super) struct Contacts {
    places: BTreeMap<ContactId, Place>,
    /// Who writes in which contact beside its owner.
    joined: BTreeSet<(ContactId, AgentId)>,
    /// Incidents that are not over.
    incidents: BTreeSet<IncidentId>,
}

impl Contacts {
    pub(super) fn record(&mut self, seq: u64, record: &Record, faults: &mut Faults) {
        let taken_over = taken_over(record);
        for event in &record.events {
            if let Event::ContactMoved { contact, .. } = event {
                self.goes_on(seq, *contact, faults);
            } else {
                self.event(seq, event, &taken_over, faults);
            }
        }
    }

    fn event(&mut self, seq: u64, event: &Event, taken_over: &BTreeSet<ContactId>, faults: &mut Faults) {
        match event {
            Event::ContactOpened { contact, .. } => self.open(seq, *contact, faults),
            Event::ContactReopened { contact } => {
                self.step(seq, *contact, Place::Opened, "reopens", faults, |place| {
                    matches!(place, Place::Resolved | Place::Abandoned | Place::WrapUp(_))
                });
            }
            Event::Queued { contact, .. } => {
                self.step(seq, *contact, Place::Waiting, "queues", faults, |place| {
                    matches!(
                        place,
                        Place::Opened
                            | Place::Waiting
                            | Place::Gathered(_)
                            | Place::With(_)
                            | Place::Aside(_)
                    )
                });
            }
            Event::IncidentSet { .. } | Event::IncidentEnded { .. } | Event::Gathered { .. } => {
                self.incident(seq, event, faults);
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
                    let takes_over = taken_over.contains(contact)
                        && matches!(place, Place::With(_) | Place::Aside(_) | Place::Gathered(_));
                    matches!(place, Place::Waiting | Place::Opened)
                        || place == Place::Aside(*agent)
                        || takes_over
                });
            }
            Event::SetAside { contact, agent, .. } => {
                self.step(seq, *contact, Place::Aside(*agent), "lays aside", faults, |place| {
                    place == Place::With(*agent) || place == Place::Aside(*agent)
                });
            }
            Event::WrapUpStarted { contact, agent, .. } => {
                self.step(seq, *contact, Place::WrapUp(*agent), "wraps up", faults, |place| {
                    place == Place::With(*agent) || place == Place::Aside(*agent)
                });
            }
            Event::Resolved { contact, agent } => {
                self.step(seq, *contact, Place::Resolved, "resolves", faults, |place| {
                    [Place::With(*agent), Place::Aside(*agent), Place::WrapUp(*agent)].contains(&place)
                        || matches!(place, Place::Gathered(_))
                });
            }
            Event::Abandoned { contact } => {
                self.step(seq, *contact, Place::Abandoned, "abandons", faults, |place| {
                    matches!(place, Place::Waiting | Place::Opened | Place::Gathered(_))
                });
            }
            Event::CompanyChanged { contact, agent, role } => {
                self.company(seq, *contact, *agent, *role, faults)
            }
            Event::EntryAdded { contact, entry: EntryKind::FromAgent { agent, .. }, .. } => {
                self.reply(seq, *contact, *agent, faults);
            }
            _ => {}
        }
    }

    fn incident(&mut self, seq: u64, event: &Event, faults: &mut Faults) {
        if let Event::IncidentSet { incident, .. } = event {
            self.incidents.insert(*incident);
        } else if let Event::IncidentEnded { incident } = event {
            self.incidents.remove(incident);
            let waits = |place: &&Place| **place == Place::Gathered(*incident);
            let left = self.places.values().filter(waits).count();
            if left > 0 {
                faults.add(format!("record {seq} ends {incident}, and {left} contacts wait for it"));
            }
        } else if let Event::Gathered { contact, incident } = event {
            if !self.incidents.contains(incident) {
                faults.add(format!("record {seq} has {contact} wait for {incident}, which is not one"));
            }
            self.step(seq, *contact, Place::Gathered(*incident), "gathers", faults, |place| {
                place == Place::Waiting
            });
        }
    }

    fn open(&mut self, seq: u64, contact: ContactId, faults: &mut Faults) {
        if self.places.insert(contact, Place::Opened).is_some() {
            faults.add(format!("record {seq} opens {contact} a second time"));
        }
    }

    /// Elsewhere, and with whoever has it: what has ended for its customer stays where it is.
    fn goes_on(&self, seq: u64, contact: ContactId, faults: &mut Faults) {
        let place = self.places.get(&contact);
        if !matches!(place, Some(Place::Waiting | Place::Gathered(_) | Place::With(_) | Place::Aside(_))) {
            faults.add(format!("record {seq} has {contact} go on elsewhere, which is {place:?}"));
        }
    }

    fn company(
        &mut self,
        seq: u64,
        contact: ContactId,
        agent: AgentId,
        role: Option<CompanyRole>,
        faults: &mut Faults,
    ) {
        let place = self.places.get(&contact);
        if matches!(place, None | Some(Place::Resolved | Place::Abandoned)) {
            faults.add(format!("record {seq} has company of {agent} in {contact}, which is not open"));
        }
        if role == Some(CompanyRole::Joined) {
            self.joined.insert((contact, agent));
        } else {
            self.joined.remove(&(contact, agent));
        }
    }

    fn reply(&self, seq: u64, contact: ContactId, agent: AgentId, faults: &mut Faults) {
        let place = self.places.get(&contact);
        let is_owner = place == Some(&Place::With(agent)) || place == Some(&Place::Aside(agent));
        if !is_owner && !self.joined.contains(&(contact, agent)) {
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

    pub(super) fn balance(&self, faults: &mut Faults) -> ContactCount {
        let mut count = ContactCount::default();
        for (contact, place) in &self.places {
            count.accepted += 1;
            match place {
                Place::Opened => faults.add(format!("{contact} was opened and is nowhere")),
                Place::Waiting => count.waiting += 1,
                Place::Gathered(_) => count.gathered += 1,
                Place::Offered(..) => count.offered += 1,
                Place::With(_) => count.with_agents += 1,
                Place::Aside(_) => count.snoozed += 1,
                Place::WrapUp(_) => count.wrap_up += 1,
                Place::Resolved => count.resolved += 1,
                Place::Abandoned => count.abandoned += 1,
            }
        }
        count
    }
}
