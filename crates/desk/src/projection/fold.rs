//! How one record changes the floor.

use std::sync::Arc;

use protocol::command::{Command, Outcome};
use protocol::record::{CompanyRole, EntryKind, OfferEnd, QueuedWhy, ServiceMeasure};
use protocol::remedy::Effort;
use protocol::thread::{self, Entry};
use protocol::{
    AgentId, Cause, CommandId, ContactId, ConversationId, Event, InputBody, Millis, OfferId, Record,
    SubjectToken,
};

use super::contact::{Contact, Late, Stage};
use super::memory::EndedContact;
use super::{Change, InputOf, Offer, Projection, Seat};
use crate::answer::{Answer, AnsweredBy};

/// What one fold gathers.
#[derive(Default)]
pub(super) struct Step {
    at: Millis,
    changes: Vec<(AgentId, Change)>,
    made: Vec<OfferId>,
    /// Who reads which contact from here on.
    taken: Vec<(AgentId, ContactId)>,
    settled: Vec<(AgentId, Change)>,
}

impl Step {
    pub(super) fn at(&self) -> Millis {
        self.at
    }

    pub(super) fn tell(&mut self, agent: AgentId, change: Change) {
        self.changes.push((agent, change));
    }

    /// Takes back an offer that the same record made: nobody was asked. Tells whether it was one.
    fn untell_offer(&mut self, offer: OfferId) -> bool {
        let is_new = self.made.contains(&offer);
        if is_new {
            self.changes.retain(|(_, change)| *change != Change::Offer(offer));
        }
        is_new
    }
}

impl Projection {
    /// Folds one record; a sequence that was folded before changes nothing.
    pub(crate) fn fold(&mut self, seq: u64, record: &Record) -> Vec<(AgentId, Change)> {
        if seq <= self.log_seq {
            return Vec::new();
        }
        self.log_seq = seq;
        self.forecast.apply(record);
        let mut step = Step { at: record.at, ..Step::default() };
        let mut entries = thread::entries(record).map(|(_, entry)| Arc::new(entry));
        for event in &record.events {
            if let Event::EntryAdded { conversation, contact, .. } = event {
                self.learn_language(*conversation, &record.cause);
                if let Some(entry) = entries.next() {
                    self.learn_automatic(&entry, &record.cause);
                    self.entry_added(&mut step, *conversation, *contact, &entry);
                }
            } else {
                self.happened(&mut step, record, event);
            }
        }
        self.finish(step)
    }

    fn happened(&mut self, step: &mut Step, record: &Record, event: &Event) {
        match event {
            Event::Fenced { .. } => self.renew_offers(step),
            Event::ConfigApplied => self.configure(step, &record.cause),
            Event::ContactOpened { contact, conversation, channel, category, practice, .. } => {
                let mut opened =
                    Contact::open(*conversation, *channel, category.clone(), record.at, &record.cause);
                opened.practice = *practice;
                self.admit(*contact, opened);
                let known = self.conversations.entry(*conversation).or_default();
                known.contacts = known.contacts.saturating_add(1);
            }
            Event::ContactReopened { contact } => self.reopen(*contact, record),
            Event::ContactMoved { .. } => self.moved(step, event, &record.cause),
            Event::Queued { contact, queue, since, why, preferred, .. } => {
                self.queued(step, *contact, queue, *since, *why);
                self.change(*contact, |contact| contact.preferred = preferred.map(|one| one.agent));
            }
            Event::PreferenceEnded { contact } => self.change(*contact, |contact| contact.preferred = None),
            Event::ContactMarked { .. } => self.marked(step, event),
            Event::Mentioned { .. } => self.mentioned_in(step, event),
            Event::MentionsRead { contact, agent } => self.mentions_read(step, *agent, *contact),
            Event::CustomerBlocked { .. } | Event::CustomerUnblocked { .. } => self.blocked(step, event),
            Event::OfferMade { offer, contact, agent, expires_at, receipt } => {
                let (contact, agent, receipt) = (*contact, *agent, receipt.clone());
                self.offer_made(step, *offer, Offer { contact, agent, expires_at: *expires_at, receipt });
            }
            Event::OfferEnded { offer, contact, end, .. } => self.offer_ended(step, *offer, *contact, end),
            Event::Assigned { contact, agent } => self.assigned(step, *contact, *agent),
            Event::SetAside { .. } | Event::WrapUpStarted { .. } => self.stays(step, event),
            Event::CompanyChanged { contact, agent, role } => {
                self.company_changed(step, *contact, *agent, *role);
            }
            Event::Resolved { contact, .. } | Event::Abandoned { contact } => self.end(step, *contact),
            Event::AgentConnected { agent, gateway } => self.seat_changed(*agent).connected = Some(*gateway),
            Event::AgentDisconnected { agent, .. } => self.seat_changed(*agent).connected = None,
            Event::PresenceChanged { agent, .. } | Event::PresenceQueued { agent, .. } => {
                self.presence(*agent, event);
                step.tell(*agent, Change::Presence);
            }
            Event::CommandSettled { command, outcome } => self.settle(step, &record.cause, *command, outcome),
            Event::ServiceWarned { contact, measure, due } => self.late(*contact, *measure, *due, false),
            Event::ServiceMissed { contact, measure, due } => self.late(*contact, *measure, *due, true),
            Event::HoursChanged { queue, open } => self.hours(queue, *open),
            Event::IncidentSet { .. } | Event::IncidentAsked { .. } | Event::IncidentEnded { .. } => {
                self.incident(record.at, event);
            }
            Event::Gathered { contact, incident } => {
                self.change(*contact, |contact| contact.stage = Stage::Gathered { incident: *incident });
            }
            Event::ConversationForgotten { conversation } => {
                self.conversations.remove(conversation);
            }
            Event::EntryAdded { .. }
            | Event::CustomerChanged { .. }
            | Event::ConfigRefused { .. }
            | Event::ConversationOpened { .. }
            | Event::MessageHeldBack { .. }
            | Event::ActSettled { .. }
            | Event::Passed { .. }
            | Event::ColleaguesAsked { .. }
            | Event::CustomerTold { .. }
            | Event::AtRisk { .. }
            | Event::IncidentWorked { .. }
            | Event::DeclinesLapsed { .. }
            | Event::Widened { .. }
            | Event::CanaryHeard { .. }
            | Event::DuplicateSkipped
            | Event::Parked { .. } => {}
        }
    }

    /// Still its owner's, in another way.
    fn stays(&mut self, step: &mut Step, event: &Event) {
        let (id, stage) = if let Event::SetAside { contact, agent, why } = event {
            (*contact, Stage::Aside { agent: *agent, why: *why })
        } else if let Event::WrapUpStarted { contact, agent, until } = event {
            (*contact, Stage::WrapUp { agent: *agent, until: *until })
        } else {
            return;
        };
        self.change(id, |contact| contact.stage = stage);
        self.tell_all_of(step, id);
    }

    /// What was taken comes with all of the record's entries, and before the answer to the command that took it.
    fn finish(&mut self, step: Step) -> Vec<(AgentId, Change)> {
        let Step { mut changes, taken, settled, at, made: _ } = step;
        for (agent, contact) in taken {
            if self.read(agent, contact).is_some() {
                changes.push((agent, Change::Taken(contact)));
            }
        }
        changes.extend(settled);
        self.ended.forget_before(at);
        changes
    }

    fn presence(&mut self, agent: AgentId, event: &Event) {
        let seat = self.seat_changed(agent);
        if let Event::PresenceChanged { presence, reason, .. } = event {
            (seat.presence, seat.next, seat.reason) = (*presence, None, reason.clone());
        } else if let Event::PresenceQueued { presence, .. } = event {
            seat.next = Some(*presence);
        }
    }

    fn hours(&mut self, queue: &SubjectToken, open: bool) {
        if open {
            self.closed.remove(queue);
        } else {
            self.closed.insert(queue.clone());
        }
    }

    fn queued(
        &mut self,
        step: &mut Step,
        id: ContactId,
        queue: &SubjectToken,
        since: Millis,
        why: QueuedWhy,
    ) {
        let before = self.owner_of(id);
        let at = step.at;
        self.change(id, |contact| {
            if let Stage::Gathered { incident } = contact.stage
                && why != QueuedWhy::Released
            {
                contact.kept_from = Some(incident);
            }
            contact.wait(at, queue, since, why);
        });
        if let Some(before) = before {
            self.take_away(step, before, id, why_gone(why));
            self.tell_all_of(step, id);
        }
    }

    /// Somebody is with a contact, in another way than before, or no more.
    fn company_changed(&mut self, step: &mut Step, id: ContactId, agent: AgentId, role: Option<CompanyRole>) {
        let Some(contact) = self.contacts.get_mut(&id) else { return };
        let read_before = contact.is_read_by(agent);
        contact.accompany(agent, role);
        let reads = contact.is_read_by(agent);
        if role.is_some() {
            self.seat(agent).company.insert(id);
        } else if self.seat(agent).company.remove(&id) {
            step.tell(agent, Change::ContactGone { contact: id, why: "left" });
        }
        if reads && !read_before {
            step.taken.push((agent, id));
        }
        self.tell_all_of(step, id);
    }

    /// The facts of a contact changed: everybody who shows it is told.
    pub(super) fn tell_all_of(&self, step: &mut Step, id: ContactId) {
        let Some(contact) = self.contacts.get(&id) else { return };
        let company = contact.company.iter().map(|(agent, _)| *agent);
        for agent in contact.owner().into_iter().chain(company) {
            if !step.taken.contains(&(agent, id)) {
                step.tell(agent, Change::Contact(id));
            }
        }
    }

    fn late(&mut self, id: ContactId, measure: ServiceMeasure, due: Millis, is_missed: bool) {
        if let Some(contact) = self.contacts.get_mut(&id) {
            contact.late.insert(measure, Late { due, is_missed });
        }
    }

    fn offer_made(&mut self, step: &mut Step, id: OfferId, offer: Offer) {
        step.made.push(id);
        self.seat(offer.agent).offers.insert(id);
        self.change(offer.contact, |contact| {
            contact.stage = Stage::Offered { offer: id };
            contact.receipt = Some(offer.receipt.clone());
        });
        step.tell(offer.agent, Change::Offer(id));
        self.offers.insert(id, offer);
    }

    fn offer_ended(&mut self, step: &mut Step, id: OfferId, contact: ContactId, end: &OfferEnd) {
        self.end_offer(step, id, how_ended(end));
        self.change(contact, |contact| {
            if contact.stage == (Stage::Offered { offer: id }) {
                contact.stage = Stage::Waiting;
            }
        });
    }

    fn assigned(&mut self, step: &mut Step, id: ContactId, agent: AgentId) {
        let before = self.owner_of(id);
        let at = step.at;
        self.change(id, |contact| {
            contact.assign(at, agent);
            contact.accompany(agent, None);
        });
        self.seat(agent).company.remove(&id);
        if before != Some(agent) {
            if let Some(before) = before {
                self.take_away(step, before, id, "transferred");
            }
            self.seat(agent).contacts.insert(id);
            step.taken.push((agent, id));
        }
        // Who had it before, in wrap-up or aside, has its entries.
        self.tell_all_of(step, id);
    }

    fn learn_automatic(&mut self, entry: &Entry, cause: &Cause) {
        let is_automatic = entry.kind == EntryKind::FromCustomer && InputOf::read(cause).is_automatic;
        if is_automatic && let Some(contact) = self.contacts.get_mut(&entry.contact) {
            contact.automatic.insert(entry.seq);
        }
    }

    fn entry_added(
        &mut self,
        step: &mut Step,
        conversation: ConversationId,
        id: ContactId,
        entry: &Arc<Entry>,
    ) {
        if matches!(entry.kind, EntryKind::Warned { .. }) {
            let known = self.conversations.entry(conversation).or_default();
            known.warnings = known.warnings.saturating_add(1);
        }
        self.learn_score(conversation, &entry.kind);
        let Some(contact) = self.contacts.get_mut(&id) else { return };
        contact.add(Arc::clone(entry));
        for agent in contact.readers() {
            if !step.taken.contains(&(agent, id)) {
                step.tell(agent, Change::Entry { conversation, entry: Arc::clone(entry) });
            }
        }
        match contact.stage {
            // The customer went on writing while somebody is asked: the card shows it.
            Stage::Offered { offer } => {
                if let Some(asked) = self.offers.get(&offer) {
                    step.tell(asked.agent, Change::Offer(offer));
                }
            }
            Stage::Waiting
            | Stage::Gathered { .. }
            | Stage::Held { .. }
            | Stage::Aside { .. }
            | Stage::WrapUp { .. } => {}
        }
    }

    fn settle(&mut self, step: &mut Step, cause: &Cause, command: CommandId, outcome: &Outcome) {
        let Cause::Input { input, .. } = cause else { return };
        let InputBody::Command(asked) = &input.body else { return };
        let is_for_worker = matches!(asked.command, Command::Empower { .. });
        let by = if is_for_worker { AnsweredBy::Worker } else { AnsweredBy::Routing };
        let answer = match outcome {
            Outcome::Done => Answer::Routing(Outcome::Done),
            Outcome::Refused { refusal } => by.refusing(*refusal),
        };
        self.settled.remember(command, asked.agent, answer.clone());
        step.settled.push((asked.agent, Change::Settled { command, answer }));
    }

    /// A new leader starts the leases of open offers anew.
    fn renew_offers(&mut self, step: &mut Step) {
        for (id, offer) in &mut self.offers {
            let queue = self.contacts.get(&offer.contact).and_then(|contact| contact.queue.as_ref());
            let Some(facts) = queue.and_then(|queue| self.queues.get(queue)) else { continue };
            offer.expires_at = step.at.plus(facts.offer_ms);
            step.tell(offer.agent, Change::Offer(*id));
        }
        self.ask_anew(step);
    }

    /// So do the questions to colleagues.
    fn ask_anew(&mut self, step: &mut Step) {
        let mut asked = Vec::new();
        for (id, contact) in &mut self.contacts {
            let facts = contact.queue.as_ref().and_then(|queue| self.queues.get(queue));
            let Some(offer_ms) = facts.map(|facts| facts.offer_ms) else { continue };
            for (_, role) in &mut contact.company {
                if let CompanyRole::Asked { until, .. } = role {
                    *until = step.at.plus(offer_ms);
                    asked.push(*id);
                }
            }
        }
        asked.dedup();
        for id in asked {
            self.tell_all_of(step, id);
        }
    }

    fn end_offer(&mut self, step: &mut Step, id: OfferId, how: &'static str) {
        let Some(offer) = self.offers.remove(&id) else { return };
        self.seat(offer.agent).offers.remove(&id);
        if !step.untell_offer(id) {
            step.tell(offer.agent, Change::OfferEnded { offer: id, how });
        }
    }

    fn take_away(&mut self, step: &mut Step, agent: AgentId, contact: ContactId, why: &'static str) {
        self.seat(agent).contacts.remove(&contact);
        step.tell(agent, Change::ContactGone { contact, why });
    }

    fn admit(&mut self, id: ContactId, contact: Contact) {
        self.by_conversation.insert(contact.conversation, id);
        self.contacts.insert(id, contact);
    }

    /// Who shows it is given the other conversation, which is read from here on; the one before it is the customer's history.
    fn moved(&mut self, step: &mut Step, event: &Event, cause: &Cause) {
        let Event::ContactMoved { contact: id, from, conversation: to, channel } = event else { return };
        let (id, from, to) = (*id, *from, *to);
        let Some(contact) = self.contacts.get_mut(&id) else { return };
        contact.go_on(to, *channel, cause);
        let readers: Vec<AgentId> = contact.readers().collect();
        self.joined_from(from, to);
        step.taken.extend(readers.into_iter().map(|agent| (agent, id)));
        if self.by_conversation.get(&from) == Some(&id) {
            self.by_conversation.remove(&from);
        }
        self.by_conversation.insert(to, id);
    }

    fn reopen(&mut self, id: ContactId, record: &Record) {
        // Still in wrap-up: what follows in the record says whose it is now.
        if self.contacts.contains_key(&id) {
            return;
        }
        let Some(conversation) = conversation_of(record, id) else { return };
        let ended = self.ended.take(id);
        let InputOf { channel, .. } = InputOf::read(&record.cause);
        let mut contact = Contact::open(conversation, channel, None, record.at, &record.cause);
        if let Some(EndedContact { opened_at, category, effort, had_by, marks, practice, .. }) = ended {
            let reopenings = effort.reopenings.saturating_add(1);
            (contact.opened_at, contact.category, contact.had_by) = (opened_at, category, had_by);
            contact.effort = Effort { reopenings, ..effort };
            (contact.marks, contact.practice) = (marks, practice);
        }
        self.admit(id, contact);
    }

    fn end(&mut self, step: &mut Step, id: ContactId) {
        if let Some(Contact { stage: Stage::Offered { offer }, .. }) = self.contacts.get(&id) {
            self.end_offer(step, *offer, "customer_gone");
        }
        let Some(contact) = self.contacts.remove(&id) else { return };
        self.count(contact.waits_in().cloned().as_ref(), None);
        if self.by_conversation.get(&contact.conversation) == Some(&id) {
            self.by_conversation.remove(&contact.conversation);
        }
        if let Some(owner) = contact.owner() {
            self.take_away(step, owner, id, "ended");
        }
        for (agent, _) in &contact.company {
            self.seat(*agent).company.remove(&id);
            step.tell(*agent, Change::ContactGone { contact: id, why: "ended" });
        }
        let reopen_ms =
            contact.queue.as_ref().and_then(|queue| self.queues.get(queue)).map_or(0, |q| q.reopen_ms);
        let identity = contact.identity();
        let Contact { opened_at, category, effort, had_by, marks, practice, mentioned, .. } = contact;
        let ended = EndedContact { opened_at, category, identity, effort, had_by, marks, practice };
        self.mentions_end(id, mentioned);
        self.ended.remember(id, ended, step.at.plus(reopen_ms));
    }

    /// Changes a contact and keeps the counts of who waits where.
    pub(super) fn change(&mut self, id: ContactId, with: impl FnOnce(&mut Contact)) {
        let Some(contact) = self.contacts.get_mut(&id) else { return };
        let before = contact.waits_in().cloned();
        with(contact);
        let after = contact.waits_in().cloned();
        self.count(before.as_ref(), after.as_ref());
    }

    fn count(&mut self, before: Option<&SubjectToken>, after: Option<&SubjectToken>) {
        if before == after {
            return;
        }
        if let Some(waiting) = before.and_then(|queue| self.waiting.get_mut(queue)) {
            *waiting = waiting.saturating_sub(1);
        }
        if let Some(queue) = after {
            *self.waiting.entry(queue.clone()).or_default() += 1;
        }
        self.floor_version += 1;
    }

    pub(super) fn seat(&mut self, agent: AgentId) -> &mut Seat {
        self.seats.entry(agent).or_insert_with(|| Seat::unknown(agent))
    }

    /// As [`Self::seat`], for a change that the floor shows.
    fn seat_changed(&mut self, agent: AgentId) -> &mut Seat {
        self.floor_version += 1;
        self.seat(agent)
    }
}

fn conversation_of(record: &Record, id: ContactId) -> Option<ConversationId> {
    thread::entries(record).find(|(_, entry)| entry.contact == id).map(|(conversation, _)| conversation)
}

fn how_ended(end: &OfferEnd) -> &'static str {
    match end {
        OfferEnd::Accepted => "accepted",
        OfferEnd::Declined { .. } => "declined",
        OfferEnd::TimedOut => "timed_out",
        OfferEnd::AgentGone => "agent_gone",
        OfferEnd::CustomerGone => "customer_gone",
        OfferEnd::PersonWanted => "person_wanted",
        OfferEnd::Revoked { .. } => "revoked",
    }
}

fn why_gone(why: QueuedWhy) -> &'static str {
    match why {
        QueuedWhy::Transferred => "transferred",
        QueuedWhy::Reclaimed => "reclaimed",
        QueuedWhy::HandedOver => "handed_over",
        QueuedWhy::Returned => "returned",
        QueuedWhy::Opened
        | QueuedWhy::Reopened
        | QueuedWhy::OfferEnded
        | QueuedWhy::AtRisk
        | QueuedWhy::Released
        | QueuedWhy::Escalated => "ended",
    }
}
