//! Incidents, from their definition: who comes with their cause waits for them, and goes back to the old place.

use std::collections::{BTreeMap, BTreeSet};

use protocol::incident::{IncidentTerms, IncidentWork};
use protocol::record::{EntryKind, Event, QueuedWhy};
use protocol::{ContactId, IncidentId, Millis, SubjectToken};

use super::{At, Model};

/// What is known of them.
#[derive(Debug, Default)]
pub(super) struct Incidents {
    lasting: BTreeMap<IncidentId, (IncidentTerms, bool)>,
    kept_away: BTreeSet<(IncidentId, ContactId)>,
    /// Who came in this record and has to be told at the door.
    expected: BTreeSet<ContactId>,
    left: BTreeSet<ContactId>,
    pub(super) categories: BTreeMap<ContactId, SubjectToken>,
}

impl Model {
    /// Before the event moves anybody.
    pub(super) fn incidents(&mut self, at: Millis, event: &Event) {
        match event {
            Event::IncidentSet { incident, terms, .. } => {
                let known = self.incidents.lasting.insert(*incident, (terms.as_ref().clone(), false));
                assert!(!known.is_some_and(|(_, ends)| ends), "changed after its end");
            }
            Event::IncidentAsked { incident, ends, work, .. } => {
                let known = self.incidents.lasting.get_mut(incident).expect("an incident");
                assert!(!known.1, "asked after its end");
                assert_eq!(*ends, matches!(work, IncidentWork::Resolve { .. } | IncidentWork::Release));
                known.1 = *ends;
            }
            Event::IncidentEnded { incident } => {
                let (_, ends) = self.incidents.lasting.remove(incident).expect("an incident");
                assert!(ends, "ended unasked");
                assert_eq!(self.count(|at| *at == At::Gathered(*incident)), 0, "somebody waits for nothing");
                self.incidents.kept_away.retain(|(of, _)| of != incident);
            }
            Event::ContactOpened { contact, category: Some(category), .. } => {
                self.incidents.categories.insert(*contact, category.clone());
            }
            Event::Gathered { contact, incident } => {
                assert!(self.incidents.lasting.contains_key(incident), "gathered for nothing");
                self.incidents.expected.remove(contact);
                let known = self.known(*contact);
                assert!(matches!(known.at, At::Waiting { .. }), "{:?} was gathered", known.at);
                known.at = At::Gathered(*incident);
            }
            Event::Queued { contact, queue, why, since, .. } => {
                let has_left = self.incidents.left.remove(contact);
                let is_awaited = self.callbacks.contains(contact);
                assert!(*why != QueuedWhy::Released || !has_left || is_awaited, "nobody is there any more");
                self.keeps_away(*contact, *why != QueuedWhy::Released);
                if let Some(known) = self.contacts.get(contact)
                    && matches!(known.at, At::Gathered(_))
                {
                    let is_old = known.queue.as_ref() == Some(queue) || *why == QueuedWhy::Transferred;
                    assert!(known.since == *since && is_old, "the old place");
                }
                let category = self.incidents.categories.get(contact);
                let covers = |(id, (terms, ends)): (&IncidentId, &(IncidentTerms, bool))| {
                    !ends
                        && !terms.notice.is_empty()
                        && at < terms.until
                        && terms.covers(queue, category)
                        && !self.incidents.kept_away.contains(&(*id, *contact))
                };
                // Who is written to first has an agent already.
                if matches!(why, QueuedWhy::Opened | QueuedWhy::Reopened)
                    && self.begins.is_none()
                    && self.incidents.lasting.iter().any(covers)
                {
                    self.incidents.expected.insert(*contact);
                }
            }
            Event::Assigned { contact, .. } => self.keeps_away(*contact, true),
            Event::EntryAdded { contact, entry, .. } => {
                let waits =
                    self.contacts.get(contact).is_some_and(|known| matches!(known.at, At::Gathered(_)));
                match entry {
                    EntryKind::CustomerLeft if waits => drop(self.incidents.left.insert(*contact)),
                    EntryKind::FromCustomer => drop(self.incidents.left.remove(contact)),
                    _ => {}
                }
            }
            Event::Abandoned { contact } => {
                let known = self.contacts[contact].at.clone();
                let has_left = self.incidents.left.remove(contact) || self.is_of_blocked(at, *contact);
                assert!(has_left || !matches!(known, At::Gathered(_)), "{contact} was given up");
            }
            _ => {}
        }
    }

    fn keeps_away(&mut self, contact: ContactId, kept: bool) {
        if let Some(At::Gathered(incident)) = self.contacts.get(&contact).map(|known| known.at.clone())
            && kept
        {
            self.incidents.kept_away.insert((incident, contact));
        }
    }

    /// Nobody passed the door of an incident untold.
    pub(super) fn check_door(&self) {
        assert_eq!(self.incidents.expected, BTreeSet::new(), "not told at the door");
    }

    pub(crate) fn incidents_open(&self) -> usize {
        self.incidents.lasting.len()
    }
}
