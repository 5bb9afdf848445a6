//! Incidents: contacts of one cause wait together, in nobody's line, and are answered and resolved in one go.
//!
//! Who comes while an incident lasts is told of it at the door and keeps their place; who would rather talk to a person goes back
//! to it. What is done to many contacts is bounded in each record; the rest is left to the timer's next ones.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;

use protocol::command::Refusal;
use protocol::incident::{IncidentTerms, IncidentWork, TermsFault, check_words, in_language};
use protocol::limits::{GATHERED_AT_ONCE_MAX, INCIDENT_WORKS_MAX, INCIDENTS_MAX};
use protocol::policy::Words;
use protocol::record::{EntryKind, Event, QueuedWhy};
use protocol::{AgentId, ContactId, IncidentId, Millis, SubjectToken};
use serde::{Deserialize, Serialize};

use crate::apply::Misfit;
use crate::contact::{Contact, Phase};
use crate::due::Due;
use crate::state::State;
use crate::turn::Turn;

/// Most contacts of an incident that one record does something to: the words of all of them have to fit in.
pub(crate) const WORKED_PER_RECORD: usize = 80;
/// Most contacts that one record looks at for those that belong to an incident.
const LOOKED_AT_PER_RECORD: usize = 10_000;

/// Something that happened to many customers at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// What it is.
    pub terms: IncidentTerms,
    /// Who said so last.
    pub by: AgentId,
    /// When it was first said.
    pub opened_at: Millis,
    /// Whether it ends as soon as all that was asked is done: nothing comes to it any more.
    pub ends: bool,
    /// What is still to be done to its contacts, in order.
    pub works: VecDeque<Work>,
    /// Whose customers would not wait for it.
    pub kept_away: BTreeSet<ContactId>,
    /// Of those that wait for it: whose customers have left, and have not come back.
    pub left: BTreeSet<ContactId>,
}

/// Something that is being done to contacts of an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// What.
    pub work: IncidentWork,
    /// Up to which contact it is done.
    pub upto: Option<ContactId>,
    /// To contacts that were born before this record alone.
    pub before: u64,
    /// When it goes on.
    pub at: Millis,
}

impl Incident {
    fn covers(&self, contact: &Contact, category: Option<&SubjectToken>) -> bool {
        self.terms.covers(&contact.queue, category)
    }

    /// Whether customers are told of it at the door.
    fn is_at_the_door(&self, now: Millis) -> bool {
        !self.ends && !self.terms.notice.is_empty() && now < self.terms.until
    }

    fn due(&self) -> Millis {
        match self.works.front() {
            Some(work) => work.at,
            None if self.ends => Millis(0),
            None => self.terms.until,
        }
    }
}

/// What contacts are about: names once, and a number for each contact that has one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Categories {
    names: Vec<SubjectToken>,
    numbers: BTreeMap<SubjectToken, u16>,
    of: BTreeMap<ContactId, u16>,
}

impl Categories {
    pub(crate) fn insert(&mut self, id: ContactId, name: &SubjectToken) {
        let number = self.numbers.get(name).copied().or_else(|| {
            // Past 65,536 different names one is as none.
            let number = u16::try_from(self.names.len()).ok()?;
            self.names.push(name.clone());
            self.numbers.insert(name.clone(), number);
            Some(number)
        });
        self.of.extend(number.map(|number| (id, number)));
    }

    pub(crate) fn remove(&mut self, id: ContactId) {
        self.of.remove(&id);
    }

    pub(crate) fn get(&self, id: ContactId) -> Option<&SubjectToken> {
        self.names.get(usize::from(*self.of.get(&id)?))
    }
}

type Settled = Result<(), Refusal>;

fn refusal(fault: TermsFault) -> Refusal {
    match fault {
        TermsFault::Empty => Refusal::EmptyText,
        TermsFault::TooLong => Refusal::TooLong,
        TermsFault::OddText => Refusal::OddText,
        TermsFault::BadTime => Refusal::IncidentTime,
        TermsFault::TooWide | TermsFault::Unknown => Refusal::IncidentTooWide,
    }
}

impl Turn<'_> {
    pub(crate) fn set_incident(&mut self, by: AgentId, id: IncidentId, terms: &IncidentTerms) -> Settled {
        self.must_lead(by)?;
        terms.check(self.state.config(), self.at).map_err(refusal)?;
        self.must_lead_incident(by, terms)?;
        match self.state.incident(id) {
            Some(known) if known.ends => return Err(Refusal::UnknownIncident),
            Some(known) => self.must_lead_incident(by, &known.terms)?,
            None if self.state.stored.incidents.len() >= INCIDENTS_MAX => {
                return Err(Refusal::TooManyIncidents);
            }
            None => {}
        }
        self.emit(Event::IncidentSet { incident: id, by, terms: Box::new(terms.clone()) });
        Ok(())
    }

    pub(crate) fn gather(&mut self, by: AgentId, id: IncidentId, contacts: &[ContactId]) -> Settled {
        self.lasting(by, id)?;
        if contacts.len() > GATHERED_AT_ONCE_MAX {
            return Err(Refusal::TooLong);
        }
        if contacts.is_empty() {
            return self.ask_of_incident(by, id, IncidentWork::Gather, false);
        }
        let waiting = |id: &&ContactId| self.state.contact(**id).is_some_and(Contact::is_waiting);
        for contact in contacts.iter().filter(waiting) {
            self.must_lead_contact(by, *contact)?;
        }
        // Who has one meanwhile keeps it.
        for contact in contacts {
            if self.state.contact(*contact).is_some_and(Contact::is_waiting) {
                self.gathered(id, *contact);
            }
        }
        Ok(())
    }

    pub(crate) fn answer_incident(&mut self, by: AgentId, id: IncidentId, words: &Words) -> Settled {
        self.lasting(by, id)?;
        if words.is_empty() {
            return Err(Refusal::EmptyText);
        }
        check_words(words).map_err(refusal)?;
        self.ask_of_incident(by, id, IncidentWork::Answer { words: words.clone() }, false)
    }

    pub(crate) fn resolve_incident(
        &mut self,
        by: AgentId,
        id: IncidentId,
        disposition: &SubjectToken,
        words: &Words,
    ) -> Settled {
        self.lasting(by, id)?;
        check_words(words).map_err(refusal)?;
        let asked = self.state.index.policy.fields_of(disposition).ok_or(Refusal::UnknownDisposition)?;
        if !asked.is_empty() {
            return Err(Refusal::FieldMissing);
        }
        let (disposition, words) = (disposition.clone(), words.clone());
        self.ask_of_incident(by, id, IncidentWork::Resolve { by, disposition, words }, true)
    }

    pub(crate) fn close_incident(&mut self, by: AgentId, id: IncidentId) -> Settled {
        self.lasting(by, id)?;
        self.ask_of_incident(by, id, IncidentWork::Release, true)
    }

    fn lasting(&self, by: AgentId, id: IncidentId) -> Settled {
        self.must_lead(by)?;
        match self.state.incident(id) {
            Some(known) if !known.ends => self.must_lead_incident(by, &known.terms),
            Some(_) | None => Err(Refusal::UnknownIncident),
        }
    }

    /// What is done to an incident is done in all of its queues.
    fn must_lead_incident(&self, by: AgentId, terms: &IncidentTerms) -> Settled {
        if self.leading(by)?.leads_all_of(&terms.queues) { Ok(()) } else { Err(Refusal::NotInScope) }
    }

    fn ask_of_incident(&mut self, by: AgentId, id: IncidentId, work: IncidentWork, ends: bool) -> Settled {
        if self.state.incident(id).is_some_and(|known| known.works.len() >= INCIDENT_WORKS_MAX) {
            return Err(Refusal::TooManyIncidents);
        }
        self.emit(Event::IncidentAsked { incident: id, by: Some(by), work, ends });
        Ok(())
    }

    /// The incident of which a customer is told at the door.
    pub(crate) fn incident_at_the_door(&self, id: ContactId) -> Option<IncidentId> {
        let contact = self.state.contact(id).filter(|contact| contact.is_waiting())?;
        let category = self.state.stored.categories.get(id);
        let lasting = |(_, one): &(&IncidentId, &Incident)| {
            one.is_at_the_door(self.at) && !one.kept_away.contains(&id) && one.covers(contact, category)
        };
        self.state.stored.incidents.iter().find(lasting).map(|(incident, _)| *incident)
    }

    /// From here it waits for the incident, and its customer is told of it.
    pub(crate) fn gathered(&mut self, id: IncidentId, contact: ContactId) {
        self.emit(Event::Gathered { contact, incident: id });
        let notice = self.state.incident(id).map(|known| known.terms.notice.clone()).unwrap_or_default();
        self.tell_of_incident(id, contact, &notice);
    }

    fn tell_of_incident(&mut self, id: IncidentId, contact: ContactId, words: &Words) {
        let Some(conversation) = self.state.contact(contact).map(|known| known.conversation) else { return };
        let language = self.state.conversation(conversation).and_then(|known| known.language);
        if let Some(text) = in_language(words, language) {
            let text = text.clone();
            self.entry(conversation, contact, EntryKind::IncidentTold { incident: id, text });
        }
    }

    /// A part of what was asked, or the end of it.
    pub(crate) fn incident_due(&mut self, id: IncidentId) {
        let Some(incident) = self.state.incident(id) else { return };
        let Some(work) = incident.works.front().cloned() else {
            if incident.ends {
                return self.emit(Event::IncidentEnded { incident: id });
            }
            let work = IncidentWork::Release;
            return self.emit(Event::IncidentAsked { incident: id, by: None, work, ends: true });
        };
        let (contacts, upto) = match work.work {
            IncidentWork::Gather => self.state.those_that_belong(incident, &work),
            IncidentWork::Answer { .. } | IncidentWork::Resolve { .. } | IncidentWork::Release => {
                self.state.those_of(id, &work)
            }
        };
        self.worked = true;
        for contact in contacts {
            match &work.work {
                IncidentWork::Gather => self.gathered(id, contact),
                IncidentWork::Answer { words } => self.tell_of_incident(id, contact, words),
                IncidentWork::Resolve { by, disposition, words } => {
                    self.tell_of_incident(id, contact, words);
                    self.resolve_of_incident(contact, *by, disposition);
                }
                IncidentWork::Release => self.let_go(id, contact),
            }
        }
        self.emit(Event::IncidentWorked { incident: id, upto });
    }

    /// Back to its old place; nobody waits there any more whose customer has left and is not to be called back.
    fn let_go(&mut self, incident: IncidentId, id: ContactId) {
        let has_left = self.state.incident(incident).is_some_and(|known| known.left.contains(&id));
        if has_left && self.state.contact(id).is_some_and(|contact| !contact.callback) {
            return self.emit(Event::Abandoned { contact: id });
        }
        self.requeue(id, QueuedWhy::Released);
        self.escalate_missed(id);
    }

    fn resolve_of_incident(&mut self, id: ContactId, agent: AgentId, disposition: &SubjectToken) {
        let Some(conversation) = self.state.contact(id).map(|known| known.conversation) else { return };
        let disposition = disposition.clone();
        self.entry(conversation, id, EntryKind::Resolved { agent, disposition, fields: BTreeMap::new() });
        self.emit(Event::Resolved { contact: id, agent });
    }
}

impl State {
    /// An incident that is not over.
    #[must_use]
    pub fn incident(&self, id: IncidentId) -> Option<&Incident> {
        self.stored.incidents.get(&id)
    }

    /// All incidents that are not over.
    pub fn incidents(&self) -> impl Iterator<Item = (IncidentId, &Incident)> {
        self.stored.incidents.iter().map(|(id, incident)| (*id, incident))
    }

    /// The contacts that wait for an incident, oldest first.
    pub fn gathered_for(&self, id: IncidentId) -> impl Iterator<Item = ContactId> + '_ {
        self.index.gathered.get(&id).into_iter().flatten().copied()
    }

    /// The next contacts of an incident, and up to which one this record comes; `None`: they are the last.
    fn those_of(&self, id: IncidentId, work: &Work) -> (Vec<ContactId>, Option<ContactId>) {
        let after = work.upto.map_or(Bound::Unbounded, Bound::Excluded);
        let all = self.index.gathered.get(&id).into_iter();
        let next = all.flat_map(|all| all.range((after, Bound::Unbounded)));
        let next = next.copied().take_while(|contact| contact.log_seq < work.before);
        let next: Vec<ContactId> = next.take(WORKED_PER_RECORD).collect();
        let upto = next.last().copied().filter(|_| next.len() == WORKED_PER_RECORD);
        (next, upto)
    }

    /// The next waiting contacts that belong to an incident, and up to which contact this record looks.
    fn those_that_belong(&self, incident: &Incident, work: &Work) -> (Vec<ContactId>, Option<ContactId>) {
        let after = work.upto.map_or(Bound::Unbounded, Bound::Excluded);
        let (mut found, mut looked_at, mut upto) = (Vec::new(), 0, None);
        for (id, contact) in self.stored.contacts.range((after, Bound::Unbounded)) {
            if id.log_seq >= work.before {
                return (found, None);
            }
            if looked_at >= LOOKED_AT_PER_RECORD || found.len() >= WORKED_PER_RECORD {
                return (found, upto);
            }
            looked_at += 1;
            upto = Some(*id);
            let belongs = contact.is_waiting()
                && !incident.kept_away.contains(id)
                && incident.covers(contact, self.stored.categories.get(*id));
            found.extend(belongs.then_some(*id));
        }
        (found, None)
    }

    pub(crate) fn apply_incident_event(&mut self, at: Millis, event: &Event) -> Result<(), Misfit> {
        if let Event::IncidentSet { incident, by, terms } = event {
            self.incident_set(at, *incident, *by, terms);
        } else if let Event::IncidentAsked { incident, work, ends, .. } = event {
            self.incident_asked(at, *incident, work, *ends)?;
        } else if let Event::IncidentWorked { incident, upto } = event {
            self.incident_worked(at, *incident, *upto)?;
        } else if let Event::IncidentEnded { incident } = event {
            self.stored.incidents.remove(incident);
            self.refresh_incident(*incident);
        }
        Ok(())
    }

    fn incident_set(&mut self, at: Millis, id: IncidentId, by: AgentId, terms: &IncidentTerms) {
        let new = || Incident {
            terms: terms.clone(),
            by,
            opened_at: at,
            ends: false,
            works: VecDeque::new(),
            kept_away: BTreeSet::new(),
            left: BTreeSet::new(),
        };
        let incident = self.stored.incidents.entry(id).or_insert_with(new);
        (incident.terms, incident.by) = (terms.clone(), by);
        self.refresh_incident(id);
    }

    fn incident_asked(
        &mut self,
        at: Millis,
        id: IncidentId,
        work: &IncidentWork,
        ends: bool,
    ) -> Result<(), Misfit> {
        let before = self.stored.log_seq + 1;
        let incident = self.stored.incidents.get_mut(&id).ok_or(Misfit::Incident(id))?;
        incident.works.push_back(Work { work: work.clone(), upto: None, before, at });
        incident.ends |= ends;
        self.refresh_incident(id);
        Ok(())
    }

    fn incident_worked(&mut self, at: Millis, id: IncidentId, upto: Option<ContactId>) -> Result<(), Misfit> {
        let incident = self.stored.incidents.get_mut(&id).ok_or(Misfit::Incident(id))?;
        match (incident.works.front_mut(), upto) {
            (Some(work), Some(_)) => (work.upto, work.at) = (upto, at),
            (Some(_), None) => drop(incident.works.pop_front()),
            (None, _) => return Err(Misfit::Incident(id)),
        }
        self.refresh_incident(id);
        Ok(())
    }

    pub(crate) fn gather(&mut self, contact: ContactId, incident: IncidentId) -> Result<(), Misfit> {
        if !self.stored.incidents.contains_key(&incident) {
            return Err(Misfit::Incident(incident));
        }
        self.stored.hand_overs.remove(&contact);
        self.change_contact(contact, |contact| contact.phase = Phase::Gathered { incident })
    }

    /// The customer of a gathered contact left, or is there again.
    pub(crate) fn heard_by_incident(&mut self, id: ContactId, entry: &EntryKind) {
        let Some(Phase::Gathered { incident }) = self.contact(id).map(|contact| contact.phase) else {
            return;
        };
        let Some(incident) = self.stored.incidents.get_mut(&incident) else { return };
        if matches!(entry, EntryKind::CustomerLeft) {
            incident.left.insert(id);
        } else if matches!(entry, EntryKind::FromCustomer) {
            incident.left.remove(&id);
        }
    }

    /// A contact ended: if it is opened again, its customer is there.
    pub(crate) fn ended_within_incident(&mut self, id: ContactId) {
        for incident in self.stored.incidents.values_mut() {
            incident.left.remove(&id);
        }
    }

    /// A contact is remembered no more.
    pub(crate) fn forgotten_by_incidents(&mut self, id: ContactId) {
        self.stored.categories.remove(id);
        for incident in self.stored.incidents.values_mut() {
            incident.kept_away.remove(&id);
            incident.left.remove(&id);
        }
    }

    /// A gathered contact goes somewhere else; unless its incident let it go, it does not come back to it.
    pub(crate) fn leaves_incident(&mut self, id: ContactId, why: Option<QueuedWhy>) {
        let Some(Phase::Gathered { incident }) = self.contact(id).map(|contact| contact.phase) else {
            return;
        };
        let Some(incident) = self.stored.incidents.get_mut(&incident) else { return };
        // Were it gathered again, its customer would be there or not as of then.
        incident.left.remove(&id);
        if why != Some(QueuedWhy::Released) {
            incident.kept_away.insert(id);
        }
    }

    /// Sets anew when something has to be done for an incident.
    pub(crate) fn refresh_incident(&mut self, id: IncidentId) {
        let due = self.incident(id).map(|incident| (incident.due(), Due::Incident(id)));
        self.index.incident_due(id, due);
    }
}
