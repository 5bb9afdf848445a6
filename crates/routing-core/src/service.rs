//! What queues promise their customers: when it is nearly over, and when it was not kept.

use std::collections::BTreeMap;

use protocol::config::ServiceLevel;
use protocol::hours::Calendar;
use protocol::record::{EntryKind, Event, QueuedWhy, ServiceMeasure};
use protocol::{ContactId, Millis, SubjectToken};
use serde::{Deserialize, Serialize};

use crate::due::Due;
use crate::state::State;
use crate::turn::Turn;

/// What is promised to the customer of one contact, by the queue in which it began: who is handed on was promised it all the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Targets {
    queue: SubjectToken,
    running: BTreeMap<ServiceMeasure, Target>,
    /// Whether an agent has answered.
    answered: bool,
    /// What is left of the resolution's time while the customer owes an answer, ms until the warning and until the end.
    paused: Option<(u64, u64, Told)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Target {
    warn_at: Millis,
    due: Millis,
    told: Told,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Told {
    Nothing,
    Warned,
    Missed,
}

impl Target {
    fn next(&self) -> Option<Millis> {
        match self.told {
            Told::Nothing => Some(self.warn_at),
            Told::Warned => Some(self.due),
            Told::Missed => None,
        }
    }
}

/// Time as a queue counts it.
struct Clock<'a>(Option<&'a Calendar>);

impl Clock<'_> {
    /// A promise whose end is further than anybody looks has none.
    fn after(&self, at: Millis, ms: u64) -> Option<Millis> {
        self.0.map_or(Some(at.plus(ms)), |calendar| calendar.after(at, ms))
    }

    fn between(&self, from: Millis, to: Millis) -> u64 {
        self.0.map_or(to.since(from), |calendar| calendar.open_between(from, to))
    }

    fn target(&self, at: Millis, ms: u64, warn_percent: u8) -> Option<Target> {
        let warn_ms = ms * u64::from(warn_percent) / 100;
        Some(Target { warn_at: self.after(at, warn_ms)?, due: self.after(at, ms)?, told: Told::Nothing })
    }
}

impl State {
    fn promise(&self, queue: &SubjectToken) -> Option<(ServiceLevel, Clock<'_>)> {
        let queue = self.index.policy.queue(queue)?;
        let service = queue.service?;
        let calendar = if service.business { self.index.policy.calendar(&queue.name) } else { None };
        Some((service, Clock(calendar)))
    }

    /// A contact begins to wait, for the first time or after its end.
    pub(crate) fn promise_begins(&mut self, at: Millis, id: ContactId, why: QueuedWhy) {
        if !matches!(why, QueuedWhy::Opened | QueuedWhy::Reopened) {
            return;
        }
        let Some(queue) = self.stored.contacts.get(&id).map(|contact| contact.queue.clone()) else { return };
        let Some((service, clock)) = self.promise(&queue) else { return };
        let answered = why == QueuedWhy::Reopened;
        let mut targets = Targets { queue: queue.clone(), running: BTreeMap::new(), answered, paused: None };
        let mut run = |measure, ms: Option<u64>| {
            let target = ms.and_then(|ms| clock.target(at, ms, service.warn_percent));
            targets.running.extend(target.map(|target| (measure, target)));
        };
        if answered {
            run(ServiceMeasure::NextResponse, service.next_ms);
        } else {
            run(ServiceMeasure::FirstResponse, service.first_ms);
        }
        run(ServiceMeasure::Resolution, service.resolution_ms);
        self.stored.targets.insert(id, targets);
        self.refresh_promise(id);
    }

    /// Somebody wrote: the customer's words ask for an answer, an agent's are one.
    pub(crate) fn promise_heard(&mut self, at: Millis, id: ContactId, entry: &EntryKind) {
        let is_customer = matches!(entry, EntryKind::FromCustomer);
        let is_agent =
            matches!(entry, EntryKind::FromAgent { .. } | EntryKind::FromColleague | EntryKind::Told { .. });
        let Some(mut targets) = self.stored.targets.get(&id).filter(|_| is_customer || is_agent).cloned()
        else {
            return;
        };
        // A queue that promises nothing any more is asked for nothing.
        let Some((service, clock)) = self.promise(&targets.queue.clone()) else {
            return self.promise_ends(id);
        };
        if is_customer {
            targets.customer_wrote(at, &service, &clock);
        } else {
            targets.agent_wrote(at, &clock);
        }
        self.stored.targets.insert(id, targets);
        self.refresh_promise(id);
    }

    pub(crate) fn promise_told(&mut self, id: ContactId, measure: ServiceMeasure, is_missed: bool) {
        if let Some(target) = self.stored.targets.get_mut(&id).and_then(|all| all.running.get_mut(&measure)) {
            target.told = if is_missed { Told::Missed } else { Told::Warned };
        }
        self.refresh_promise(id);
    }

    pub(crate) fn promise_ends(&mut self, id: ContactId) {
        if self.stored.targets.remove(&id).is_some() {
            self.refresh_promise(id);
        }
    }

    /// Sets anew when something has to be told of it.
    pub(crate) fn refresh_promise(&mut self, id: ContactId) {
        let next =
            self.stored.targets.get(&id).and_then(|all| all.running.values().filter_map(Target::next).min());
        self.index.promise_due(id, next.map(|at| (at, Due::Service(id))));
    }
}

impl Targets {
    fn customer_wrote(&mut self, at: Millis, service: &ServiceLevel, clock: &Clock<'_>) {
        if self.answered && !self.running.contains_key(&ServiceMeasure::NextResponse) {
            let next = service.next_ms.and_then(|ms| clock.target(at, ms, service.warn_percent));
            self.running.extend(next.map(|target| (ServiceMeasure::NextResponse, target)));
        }
        if let Some((warn_ms, due_ms, told)) = self.paused.take()
            && let (Some(warn_at), Some(due)) = (clock.after(at, warn_ms), clock.after(at, due_ms))
        {
            self.running.insert(ServiceMeasure::Resolution, Target { warn_at, due, told });
        }
    }

    fn agent_wrote(&mut self, at: Millis, clock: &Clock<'_>) {
        self.answered = true;
        self.running.remove(&ServiceMeasure::FirstResponse);
        self.running.remove(&ServiceMeasure::NextResponse);
        if let Some(target) = self.running.remove(&ServiceMeasure::Resolution) {
            let left = (clock.between(at, target.warn_at), clock.between(at, target.due), target.told);
            self.paused = Some(left);
        }
    }
}

impl Turn<'_> {
    /// Tells what is nearly over and what is over; a contact that waits then comes first, where its queue wants that.
    pub(crate) fn service(&mut self, id: ContactId) {
        let Some(targets) = self.state.stored.targets.get(&id) else { return };
        let due: Vec<_> = targets.running.iter().map(|(measure, target)| (*measure, *target)).collect();
        for (measure, target) in due {
            let (contact, due) = (id, target.due);
            if target.told == Told::Nothing && target.warn_at <= self.at && target.due > self.at {
                self.emit(Event::ServiceWarned { contact, measure, due });
            } else if target.told != Told::Missed && target.due <= self.at {
                self.emit(Event::ServiceMissed { contact, measure, due });
                self.escalate(id);
            }
        }
    }

    /// Who is let go by an incident comes first, if what they were promised was not kept meanwhile.
    pub(crate) fn escalate_missed(&mut self, id: ContactId) {
        let targets = self.state.stored.targets.get(&id);
        if targets.is_some_and(|all| all.running.values().any(|target| target.told == Told::Missed)) {
            self.escalate(id);
        }
    }

    fn escalate(&mut self, id: ContactId) {
        let Some(contact) = self.state.contact(id) else { return };
        let Some(targets) = self.state.stored.targets.get(&id) else { return };
        let queue = self.state.index.policy.queue(&targets.queue);
        let escalates = queue.and_then(|queue| queue.service).is_some_and(|service| service.escalate);
        if !escalates || !contact.is_waiting() || contact.priority == 0 {
            return;
        }
        let event = Event::Queued {
            contact: id,
            queue: contact.queue.clone(),
            priority: 0,
            needs: contact.needs.clone(),
            since: contact.since,
            preferred: contact.preferred(),
            why: QueuedWhy::Escalated,
        };
        self.emit(event);
    }
}
