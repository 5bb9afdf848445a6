//! What the empowerment worker is told, and what becomes of its wishes, from the log alone.

use std::collections::{BTreeMap, BTreeSet};

use protocol::limits::ASKED_MAX;
use protocol::policy::Ask;
use protocol::record::{Cause, EntryKind, Event, QueuedWhy, Record};
use protocol::remedy::{ContactContext, Effort, EmpowermentInput, Wish};
use protocol::{AgentId, AskId, Command, ContactId, ConversationId, InputBody, Millis, TellId};

use super::{At, Model};

#[derive(Debug, Default)]
pub(super) struct Given {
    costs: BTreeMap<ContactId, Cost>,
    owners: BTreeMap<ConversationId, AgentId>,
    at_risk: BTreeMap<ConversationId, Millis>,
    told: BTreeSet<TellId>,
    asked: BTreeSet<(AskId, u32)>,
}

#[derive(Clone, Copy, Debug)]
struct Cost {
    conversation: ConversationId,
    effort: Effort,
    waits_from: Option<Millis>,
    own_priority: Option<u8>,
}

impl Model {
    /// Before the event is folded.
    pub(super) fn given(&mut self, record: &Record, event: &Event) {
        match event {
            Event::Passed { context } => self.check_passed(record, context.as_deref()),
            Event::ColleaguesAsked { ask, round, agents } => {
                assert!(self.given.asked.insert((*ask, *round)), "{ask} round {round} was asked twice");
                self.check_asked(record, agents);
            }
            Event::CustomerTold { tell, told } => {
                assert!(self.given.told.insert(*tell), "{tell} was told twice");
                let is_told =
                    |event: &&Event| matches!(event, Event::EntryAdded { entry: EntryKind::Told { .. }, .. });
                assert_eq!(record.events.iter().filter(is_told).count(), usize::from(*told));
            }
            Event::AtRisk { conversation, until } => {
                let before = self.given.at_risk.insert(*conversation, *until);
                assert!(
                    before.is_none_or(|before| before <= *until),
                    "{conversation}: the risk ends earlier"
                );
            }
            Event::Queued { contact, priority, why, .. } => {
                self.check_place(record.at, *contact, *priority, *why);
            }
            _ => self.cost(record.at, event),
        }
    }

    fn cost(&mut self, at: Millis, event: &Event) {
        match event {
            Event::ContactOpened { contact, conversation, .. } => {
                let before =
                    self.given.costs.values().filter(|cost| cost.conversation == *conversation).count();
                let contacts_before = u32::try_from(before).unwrap();
                let effort = Effort { contacts_before, ..Effort::default() };
                let new = Cost { conversation: *conversation, effort, waits_from: None, own_priority: None };
                self.given.costs.insert(*contact, new);
            }
            Event::ContactReopened { contact } => self.cost_of(*contact).effort.reopenings += 1,
            Event::Assigned { contact, agent } => {
                let conversation = self.cost_of(*contact).conversation;
                self.given.owners.insert(conversation, *agent);
                self.cost_of(*contact).stops_waiting(at);
            }
            Event::ContactMoved { contact, from, conversation, .. } => {
                let before =
                    self.given.costs.values().filter(|cost| cost.conversation == *conversation).count();
                let cost = self.cost_of(*contact);
                cost.conversation = *conversation;
                cost.effort.contacts_before = u32::try_from(before).unwrap();
                let risks = [from, conversation].map(|one| self.given.at_risk.get(one).copied());
                if let Some(until) = risks.into_iter().flatten().max() {
                    self.given.at_risk.insert(*conversation, until);
                }
                if let At::With(agent) | At::Aside(agent) = self.contacts[contact].at {
                    self.given.owners.insert(*conversation, agent);
                }
            }
            Event::Abandoned { contact } | Event::Resolved { contact, .. } => {
                self.cost_of(*contact).stops_waiting(at);
            }
            _ => {}
        }
    }

    fn cost_of(&mut self, id: ContactId) -> &mut Cost {
        self.given.costs.get_mut(&id).unwrap()
    }

    /// In front while its customer is at risk, in its own place otherwise.
    fn check_place(&mut self, at: Millis, id: ContactId, priority: u8, why: QueuedWhy) {
        let conversation = self.cost_of(id).conversation;
        let is_at_risk = self.given.at_risk.get(&conversation).is_some_and(|until| at < *until);
        let stood = self.contacts[&id].at.clone();
        let cost = self.cost_of(id);
        if why == QueuedWhy::Escalated {
            assert!(matches!(stood, At::Waiting { .. }), "{id} is brought forward: {stood:?}");
            assert_eq!(priority, 0);
            return;
        }
        if why == QueuedWhy::AtRisk {
            assert!(is_at_risk, "{id} is not at risk and comes first");
            assert!(matches!(stood, At::Waiting { .. }), "{id} is brought forward: {stood:?}");
            assert_eq!(priority, 0);
            return;
        }
        let own = *cost.own_priority.get_or_insert(priority);
        assert_eq!(priority, own, "{id} stands in the place of another");
        cost.waits_from.get_or_insert(at);
        // A customer who wants a person, or whom a lead moves, may not have had anybody yet.
        let had_somebody = matches!(stood, At::With(_) | At::Aside(_));
        let is_handed_on = matches!(why, QueuedWhy::HandedOver | QueuedWhy::Transferred);
        if is_handed_on && had_somebody || why == QueuedWhy::Reclaimed {
            cost.effort.transfers += 1;
        }
    }

    /// Whoever waits at risk is in front when the record ends.
    pub(super) fn check_risk(&self, at: Millis) {
        for (id, known) in &self.contacts {
            let until = self.given.at_risk.get(&known.conversation);
            // A time that ended does not move a contact to the back.
            if until.is_some_and(|until| at < *until) && matches!(known.at, At::Waiting { .. }) {
                assert_eq!(known.priority, 0, "{id} is at risk and waits behind");
            }
        }
    }

    fn check_asked(&self, record: &Record, agents: &[AgentId]) {
        let Cause::Input { input, .. } = &record.cause else { panic!("no input") };
        let InputBody::Wish(Wish::AskFor { whom, queue, but, .. }) = &input.body else { panic!("no ask") };
        let could = self.config.agents.iter().filter(|agent| {
            let serves = match whom {
                Ask::AskPeer => agent.queues.contains(queue),
                Ask::AskLead => agent.leads_queue(queue),
            };
            serves && self.is_there(agent.id) && !but.contains(&agent.id)
        });
        let mut expected: Vec<_> =
            could.map(|agent| (self.workers[&agent.id].idle_since, agent.id)).collect();
        expected.sort();
        expected.truncate(ASKED_MAX);
        let expected: Vec<_> = expected.into_iter().map(|(_, agent)| agent).collect();
        assert_eq!(agents, expected);
    }

    fn check_passed(&self, record: &Record, context: Option<&ContactContext>) {
        let Cause::Input { input, .. } = &record.cause else { panic!("no input") };
        match &input.body {
            InputBody::Command(asked) => {
                let Command::Empower { ask } = &asked.command else { panic!("{asked:?} was passed on") };
                let is_open = |id: &ContactId| self.contacts.get(id).is_some_and(Self::is_open);
                match context {
                    None => assert!(!ask.contact().is_some_and(|id| is_open(&id)), "no context"),
                    Some(context) => {
                        assert_eq!(Some(context.contact), ask.contact());
                        assert_eq!(context.holder, self.holder(context.contact));
                        self.check_context(record.at, context);
                    }
                }
            }
            InputBody::Empowerment(EmpowermentInput::Thanks { identity, .. }) => {
                let Some(context) = context else { return };
                assert_eq!(context.identity, *identity);
                assert_eq!(context.holder, self.given.owners.get(&context.conversation).copied());
                self.check_context(record.at, context);
            }
            other => panic!("{other:?} was passed on"),
        }
    }

    fn holder(&self, id: ContactId) -> Option<AgentId> {
        match self.contacts[&id].at {
            At::With(agent) | At::Aside(agent) | At::WrapUp(agent) => Some(agent),
            _ => None,
        }
    }

    fn check_context(&self, at: Millis, context: &ContactContext) {
        let (known, cost) = (&self.contacts[&context.contact], self.given.costs[&context.contact]);
        assert_eq!(context.conversation, known.conversation);
        assert_eq!(context.channel, known.channel);
        assert_eq!(Some(&context.queue), known.queue.as_ref());
        let waits = cost.waits_from.map_or(0, |from| at.since(from));
        let effort = Effort { waited_ms: cost.effort.waited_ms + waits, ..cost.effort };
        assert_eq!(context.effort, effort, "{}", context.contact);
    }
}

impl Cost {
    fn stops_waiting(&mut self, at: Millis) {
        if let Some(from) = self.waits_from.take() {
            self.effort.waited_ms += at.since(from);
        }
    }
}
