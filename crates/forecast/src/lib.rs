//! How long a waiting customer will wait: their place in line and the time that it takes, learned from the log, and how often what
//! was said came true. A pure fold over the records.
//!
//! What is learned is how fast a place in line is worked off: the wait of those who were served, for one place and one agent there.
//! It is said of two shares of customers: half are served within [`Wait::p50_ms`], nine of ten within [`Wait::p90_ms`]. Where too
//! little was seen, where nobody is there or where the queue is closed, nothing is said.

#![warn(missing_docs)]

mod learn;
mod line;
mod staff;

use std::collections::HashMap;

use protocol::config::{PriorityClass, Queue, RoutingConfig};
use protocol::record::{Cause, Event, Record};
use protocol::{ContactId, InputBody, Millis, SubjectToken};
use routing_core::Scoring;
use serde::{Deserialize, Serialize};

use crate::learn::Learned;
pub use crate::learn::{Kept, Share, Wait};
use crate::line::{Line, Place};
use crate::staff::Staff;

/// Where a waiting customer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outlook {
    /// Their place in the queue: 1 is next.
    pub position: u32,
    /// How long it takes from now, if that can be said.
    pub wait: Option<Wait>,
    /// Whether it takes longer than nine of ten customers were told it would.
    pub is_late: bool,
}

/// The fold of the log.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Forecast {
    policy: Policy,
    staff: Staff,
    queues: HashMap<SubjectToken, Queued>,
    waiting: HashMap<ContactId, Waiting>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Policy {
    queues: HashMap<SubjectToken, Queue>,
    priorities: Vec<PriorityClass>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Queued {
    line: Line,
    is_closed: bool,
    learned: Learned,
    kept: Kept,
}

/// A contact that waits or is offered.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Waiting {
    queue: SubjectToken,
    place: Place,
    /// Whether an agent is asked.
    is_offered: bool,
    began: Option<Beginning>,
}

/// What was so when it began to wait.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Beginning {
    at: Millis,
    position: u32,
    there: u32,
    said: Option<Wait>,
}

impl Forecast {
    /// Folds in one record of CONTACTS.
    pub fn apply(&mut self, record: &Record) {
        let mut came = Vec::new();
        for event in &record.events {
            self.event(record.at, event, &mut came);
            if let (Event::ConfigApplied, Cause::Input { input, .. }) = (event, &record.cause)
                && let InputBody::Config(input) = &input.body
            {
                self.configure(&input.config);
            }
        }
        // Whoever was offered at once does not wait, and teaches nothing about those who do.
        for id in came {
            self.begin(record.at, id);
        }
    }

    /// Where a waiting contact stands; `None` if it does not wait.
    #[must_use]
    pub fn of(&self, id: ContactId, now: Millis) -> Option<Outlook> {
        let waiting = self.waiting.get(&id)?;
        let position = self.position(waiting, now)?;
        let said = waiting.began.and_then(|began| Some((began.at, began.said?.p90_ms)));
        let is_late = said.is_some_and(|(at, p90_ms)| now.since(at) > p90_ms);
        Some(Outlook { position, wait: self.wait(&waiting.queue, position), is_late })
    }

    /// The priority of a waiting contact and what it is worth in the order now, more first; `None` if it does not wait.
    #[must_use]
    pub fn worth(&self, id: ContactId, now: Millis) -> Option<(u8, u64)> {
        let Waiting { queue, place, .. } = self.waiting.get(&id)?;
        let known = self.policy.queues.get(queue);
        let scoring = Scoring::new(known, &self.policy.priorities, place.priority);
        Some((place.priority, scoring.at(now.since(place.since))))
    }

    /// How long who comes now would wait, after all who wait with the queue's usual priority; `None` where it cannot be said.
    #[must_use]
    pub fn newcomer(&self, queue: &SubjectToken) -> Option<Wait> {
        let line = u32::try_from(self.queues.get(queue)?.line.len()).unwrap_or(u32::MAX);
        self.wait(queue, line.saturating_add(1))
    }

    /// How often what was said came true.
    #[must_use]
    pub fn kept(&self, queue: &SubjectToken) -> Kept {
        self.queues.get(queue).map(|queue| queue.kept).unwrap_or_default()
    }

    /// How often what was said came true, over all queues.
    #[must_use]
    pub fn kept_by_all(&self) -> Kept {
        self.queues.values().map(|queue| queue.kept).sum()
    }

    fn event(&mut self, at: Millis, event: &Event, came: &mut Vec<ContactId>) {
        match event {
            Event::Queued { contact, queue, priority, since, .. } => {
                let place = Place { priority: *priority, since: *since, contact: *contact };
                self.join(*contact, queue, place);
                came.push(*contact);
            }
            Event::OfferMade { contact, .. } => self.change(*contact, |waiting| waiting.is_offered = true),
            Event::OfferEnded { contact, .. } => self.change(*contact, |waiting| waiting.is_offered = false),
            Event::Assigned { contact, .. } => self.served(at, *contact),
            Event::Abandoned { contact } => self.left(at, *contact),
            Event::SetAside { contact, .. }
            | Event::Gathered { contact, .. }
            | Event::WrapUpStarted { contact, .. }
            | Event::Resolved { contact, .. } => {
                self.leave(*contact);
            }
            Event::HoursChanged { queue, open } => {
                self.queues.entry(queue.clone()).or_default().is_closed = !open;
            }
            Event::AgentConnected { agent, .. } => self.staff.change(*agent, |seat| seat.is_connected = true),
            Event::AgentDisconnected { agent, .. } => {
                self.staff.change(*agent, |seat| seat.is_connected = false);
            }
            Event::PresenceChanged { agent, presence, .. } => self.staff.change(*agent, |seat| {
                seat.presence = *presence;
                seat.is_about_to_go = false;
            }),
            Event::PresenceQueued { agent, .. } => {
                self.staff.change(*agent, |seat| seat.is_about_to_go = true);
            }
            // Nothing else moves a line, or who works it off.
            Event::Fenced { .. }
            | Event::ConfigApplied
            | Event::ConfigRefused { .. }
            | Event::ConversationOpened { .. }
            | Event::ConversationForgotten { .. }
            | Event::ContactOpened { .. }
            | Event::ContactReopened { .. }
            | Event::ContactMoved { .. }
            | Event::EntryAdded { .. }
            | Event::CompanyChanged { .. }
            | Event::PreferenceEnded { .. }
            | Event::DeclinesLapsed { .. }
            | Event::Widened { .. }
            | Event::ServiceWarned { .. }
            | Event::CustomerChanged { .. }
            | Event::ServiceMissed { .. }
            | Event::Passed { .. }
            | Event::ColleaguesAsked { .. }
            | Event::CustomerTold { .. }
            | Event::AtRisk { .. }
            | Event::IncidentSet { .. }
            | Event::IncidentAsked { .. }
            | Event::IncidentWorked { .. }
            | Event::IncidentEnded { .. }
            | Event::ContactMarked { .. }
            | Event::Mentioned { .. }
            | Event::MentionsRead { .. }
            | Event::CustomerBlocked { .. }
            | Event::CustomerUnblocked { .. }
            | Event::MessageHeldBack { .. }
            | Event::ActSettled { .. }
            | Event::CommandSettled { .. }
            | Event::CanaryHeard { .. }
            | Event::DuplicateSkipped
            | Event::Parked { .. } => {}
        }
    }

    fn configure(&mut self, config: &RoutingConfig) {
        self.policy.queues = config.queues.iter().map(|queue| (queue.name.clone(), queue.clone())).collect();
        self.policy.priorities.clone_from(&config.priorities);
        self.staff.configure(config);
        // A queue without hours is open, whatever it was before; one that is closed is told after this.
        for (name, queue) in &mut self.queues {
            if self.policy.queues.get(name).is_none_or(|known| known.hours.is_none()) {
                queue.is_closed = false;
            }
        }
    }

    fn join(&mut self, id: ContactId, queue: &SubjectToken, place: Place) {
        let before = self.leave(id);
        // Who returns to the queue they wait in was told something already.
        let began = before.filter(|before| before.queue == *queue).and_then(|before| before.began);
        self.queues.entry(queue.clone()).or_default().line.join(place);
        self.waiting.insert(id, Waiting { queue: queue.clone(), place, is_offered: false, began });
    }

    fn leave(&mut self, id: ContactId) -> Option<Waiting> {
        let waiting = self.waiting.remove(&id)?;
        if let Some(queue) = self.queues.get_mut(&waiting.queue) {
            queue.line.leave(waiting.place);
        }
        Some(waiting)
    }

    fn change(&mut self, id: ContactId, change: impl FnOnce(&mut Waiting)) {
        if let Some(waiting) = self.waiting.get_mut(&id) {
            change(waiting);
        }
    }

    /// From here it waits: notes what it is told.
    fn begin(&mut self, at: Millis, id: ContactId) {
        let Some(waiting) = self.waiting.get(&id).filter(|it| !it.is_offered && it.began.is_none()) else {
            return;
        };
        let (Some(position), there) = (self.position(waiting, at), self.staff.there(&waiting.queue)) else {
            return;
        };
        let is_closed = self.queues.get(&waiting.queue).is_some_and(|queue| queue.is_closed);
        // A wait for the opening, or for somebody to come, says nothing about how fast they work.
        if is_closed || there == 0 {
            return;
        }
        let said = self.wait(&waiting.queue, position);
        self.change(id, |waiting| waiting.began = Some(Beginning { at, position, there, said }));
    }

    fn served(&mut self, at: Millis, id: ContactId) {
        let Some(Waiting { queue, began: Some(began), .. }) = self.leave(id) else { return };
        let Some(queue) = self.queues.get_mut(&queue) else { return };
        let waited_ms = at.since(began.at);
        if let Some(said) = began.said {
            queue.kept.served(said, waited_ms);
        }
        queue.learned.learn(began.position, began.there, waited_ms);
    }

    fn left(&mut self, at: Millis, id: ContactId) {
        let Some(Waiting { queue, began: Some(Beginning { at: from, said: Some(said), .. }), .. }) =
            self.leave(id)
        else {
            return;
        };
        if let Some(queue) = self.queues.get_mut(&queue) {
            queue.kept.left(said, at.since(from));
        }
    }

    fn position(&self, waiting: &Waiting, now: Millis) -> Option<u32> {
        let known = self.policy.queues.get(&waiting.queue);
        let scoring = |priority| Scoring::new(known, &self.policy.priorities, priority);
        let ahead = self.queues.get(&waiting.queue)?.line.ahead_of(waiting.place, now, scoring);
        Some(u32::try_from(ahead).unwrap_or(u32::MAX).saturating_add(1))
    }

    fn wait(&self, queue: &SubjectToken, position: u32) -> Option<Wait> {
        let queued = self.queues.get(queue).filter(|queued| !queued.is_closed)?;
        match self.staff.there(queue) {
            0 => None,
            there => queued.learned.wait(position, there),
        }
    }
}
