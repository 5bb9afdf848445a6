//! A recorded day again: bit for bit under its own policy, or as it would have gone under another.
//!
//! Under another policy customers come, write and leave as they did, and agents come and go as they did. What hangs on the
//! policy is played: who is asked for whom. Whoever gets a contact answers the offer after the time that was taken for it on
//! the day, works as long as was worked on it then, and says yes.

#![expect(clippy::wildcard_enum_match_arm, reason = "a count looks only at what it counts")]

mod day;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use protocol::command::AgentCommand;
use protocol::config::{Disposition, RoutingConfig};
use protocol::input::{ConfigInput, WIRE_VERSION};
use protocol::record::{Cause, Event, Record};
use protocol::{
    AgentId, Command, CommandId, ContactId, Hash128, IdentityId, Input, InputBody, Millis, NoticeId, OfferId,
    SubjectToken,
};
use routing_core::{State, next_deadline, timer, transition};
use uuid::Uuid;

pub use day::{Day, Served};

use crate::FloorError;

/// Decides every record of a log once more, by the policy that was in force, and gives the sequence of the first that comes
/// out otherwise; `None`: all are alike, bit for bit. `conversations_max` is the limit that the router had.
#[must_use]
pub fn redecide(log: &[Record], conversations_max: usize) -> Option<u64> {
    let mut state = State::new().with_conversations_max(conversations_max);
    for (seq, record) in (1_u64..).zip(log) {
        let again = match &record.cause {
            Cause::Timer => timer(&mut state, record.at),
            cause => transition(&mut state, cause.clone(), record.at).ok(),
        };
        let bytes = |record: &Record| serde_json::to_vec(record).ok();
        if again.as_ref().and_then(bytes) != bytes(record) {
            return Some(seq);
        }
    }
    None
}

/// What a contact took of time on the day.
#[derive(Clone, Copy, Debug, Default)]
struct Took {
    offered: Option<Millis>,
    assigned: Option<Millis>,
    answer_ms: Option<u64>,
    work_ms: Option<u64>,
    wrap_up_from: Option<Millis>,
    wrap_up_ms: Option<u64>,
}

/// A customer's contacts, in order: the same one on both days.
pub(crate) type Key = (IdentityId, u32);

/// What is known of the day besides its inputs.
#[derive(Debug, Default)]
struct Known {
    took: BTreeMap<Key, Took>,
    keys: day::Keys,
}

impl Known {
    fn learn(&mut self, record: &Record) {
        self.keys.learn(record);
        for event in &record.events {
            let Some((contact, at)) = moved(event).map(|contact| (contact, record.at)) else { continue };
            let Some(key) = self.keys.of(contact) else { continue };
            let took = self.took.entry(key).or_default();
            match event {
                Event::OfferMade { .. } => took.offered = Some(at),
                Event::Assigned { .. } => {
                    took.answer_ms = took.answer_ms.or(took.offered.map(|offered| at.since(offered)));
                    took.assigned = Some(at);
                }
                Event::WrapUpStarted { .. } => {
                    took.works_until(at);
                    took.wrap_up_from = Some(at);
                }
                Event::Resolved { .. } => {
                    took.works_until(at);
                    took.wrap_up_ms = took.wrap_up_from.take().map(|from| at.since(from)).or(took.wrap_up_ms);
                }
                // It waits again: what was worked until then counts.
                Event::Queued { .. } => took.works_until(at),
                _ => {}
            }
        }
    }

    /// What it took, or the median of the day where it is not known.
    fn of(&self, key: Option<Key>, usual: &Usual) -> Usual {
        let took = key.and_then(|key| self.took.get(&key)).copied().unwrap_or_default();
        Usual {
            answer_ms: took.answer_ms.unwrap_or(usual.answer_ms),
            work_ms: took.work_ms.unwrap_or(usual.work_ms),
            wrap_up_ms: took.wrap_up_ms.unwrap_or(usual.wrap_up_ms),
        }
    }

    fn usual(&self) -> Usual {
        let median = |pick: fn(&Took) -> Option<u64>| {
            let mut all: Vec<u64> = self.took.values().filter_map(pick).collect();
            all.sort_unstable();
            all.get(all.len() / 2).copied().unwrap_or(0)
        };
        Usual {
            answer_ms: median(|took| took.answer_ms),
            work_ms: median(|took| took.work_ms),
            wrap_up_ms: median(|took| took.wrap_up_ms),
        }
    }
}

impl Took {
    fn works_until(&mut self, at: Millis) {
        if let Some(from) = self.assigned.take() {
            self.work_ms = Some(self.work_ms.unwrap_or(0) + at.since(from));
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Usual {
    answer_ms: u64,
    work_ms: u64,
    wrap_up_ms: u64,
}

fn moved(event: &Event) -> Option<ContactId> {
    match event {
        Event::OfferMade { contact, .. }
        | Event::Assigned { contact, .. }
        | Event::WrapUpStarted { contact, .. }
        | Event::Resolved { contact, .. }
        | Event::Queued { contact, .. } => Some(*contact),
        _ => None,
    }
}

/// The day as it was, and as it would have been.
#[derive(Debug)]
pub struct WhatIf {
    /// As it was.
    pub recorded: Day,
    /// Under the other policy.
    pub other: Day,
}

impl WhatIf {
    /// The contacts that another agent would have got first, in the order in which they came.
    #[must_use]
    pub fn moved(&self) -> Vec<(ContactId, Option<AgentId>, Option<AgentId>)> {
        let one = |(key, was): (&Key, &Served)| {
            let would = self.other.served.get(key);
            let (was_by, would_by) = (was.agent, would.and_then(|served| served.agent));
            (was_by != would_by).then_some((was.contact, was_by, would_by))
        };
        let mut moved: Vec<_> = self.recorded.served.iter().filter_map(one).collect();
        moved.sort_by_key(|(contact, ..)| *contact);
        moved
    }
}

/// Plays a recorded day under another configuration.
///
/// # Errors
/// [`FloorError::Config`] with the first fault of the configuration.
pub fn what_if(log: &[Record], config: &RoutingConfig) -> Result<WhatIf, FloorError> {
    if let Some(fault) = config.faults().first() {
        return Err(FloorError::Config(format!("{}: {}", fault.path, fault.message)));
    }
    let (mut recorded, mut known) = (Day::default(), Known::default());
    for record in log {
        recorded.fold(record);
        known.learn(record);
    }
    let ends_at = log.last().map(|record| record.at).unwrap_or_default();
    recorded.close(ends_at);
    let mut again = Again::new(log, config, known);
    again.play(ends_at)?;
    again.day.close(ends_at);
    Ok(WhatIf { recorded, other: again.day })
}

/// What an agent does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Does {
    Accepts(OfferId, AgentId),
    Resolves(ContactId, AgentId),
    EndsWrapUp(ContactId, AgentId),
}

struct Again<'a> {
    log: &'a [Record],
    state: State,
    now: Millis,
    inbound: u64,
    born: u64,
    known: Known,
    usual: Usual,
    /// The contacts of the day that is played.
    keys: day::Keys,
    done: Disposition,
    next: BinaryHeap<Reverse<(Millis, Does)>>,
    day: Day,
    config: RoutingConfig,
}

impl<'a> Again<'a> {
    fn new(log: &'a [Record], config: &RoutingConfig, known: Known) -> Self {
        let usual = known.usual();
        let nothing = SubjectToken::new("done").ok();
        let done =
            config.dispositions.first().cloned().or_else(|| {
                nothing.map(|name| Disposition { name, title: String::new(), fields: Vec::new() })
            });
        Self {
            log,
            state: State::new(),
            now: Millis(0),
            inbound: 0,
            born: 0,
            known,
            usual,
            keys: day::Keys::default(),
            done: done.unwrap_or_else(|| unreachable!("done is a name")),
            next: BinaryHeap::new(),
            day: Day::default(),
            config: config.clone(),
        }
    }

    fn play(&mut self, ends_at: Millis) -> Result<(), FloorError> {
        let log = self.log;
        let mut is_configured = false;
        for record in log {
            let Cause::Input { input, .. } = &record.cause else { continue };
            self.work_until(record.at)?;
            self.now = record.at;
            if let InputBody::Config(_) = &input.body {
                // The other policy from the first moment on; changes during the day are not his.
                if !std::mem::replace(&mut is_configured, true) {
                    self.configure()?;
                }
                continue;
            }
            if is_the_days(&input.body) {
                self.write(input.body.clone())?;
            }
        }
        self.work_until(ends_at)
    }

    /// What agents do and what time brings about before a moment.
    fn work_until(&mut self, until: Millis) -> Result<(), FloorError> {
        loop {
            let due = next_deadline(&self.state);
            let does = self.next.peek().map(|Reverse((at, _))| *at);
            let Some(at) = due.into_iter().chain(does).min().filter(|at| *at <= until) else { return Ok(()) };
            self.now = self.now.max(at);
            if does.is_some_and(|does| does <= at) {
                let Some(Reverse((_, does))) = self.next.pop() else { return Ok(()) };
                self.does(does)?;
            } else if let Some(record) = timer(&mut self.state, self.now) {
                self.follow(&record);
            }
        }
    }

    fn does(&mut self, does: Does) -> Result<(), FloorError> {
        let (agent, command) = match does {
            Does::Accepts(offer, agent) => (agent, Command::Accept { offer }),
            Does::Resolves(contact, agent) => {
                let said = |field: &protocol::config::Field| {
                    let value = field.choices.first().cloned().unwrap_or_else(|| field.name.clone());
                    (field.name.clone(), value)
                };
                let fields = self.done.fields.iter().map(said).collect();
                (agent, Command::Resolve { contact, disposition: self.done.name.clone(), fields })
            }
            Does::EndsWrapUp(contact, agent) => (agent, Command::EndWrapUp { contact }),
        };
        let id = CommandId(self.uuid());
        self.write(InputBody::Command(AgentCommand { id, agent, command }))
    }

    fn configure(&mut self) -> Result<(), FloorError> {
        let id = NoticeId(self.uuid());
        let config = Box::new(self.config.clone());
        self.write(InputBody::Config(ConfigInput { replaces: None, id, hash: Hash128([1; 16]), config }))
    }

    fn write(&mut self, body: InputBody) -> Result<(), FloorError> {
        self.inbound += 1;
        let input = Input { v: WIRE_VERSION, made_at: self.now, body };
        let record = transition(&mut self.state, Cause::Input { seq: self.inbound, input }, self.now)?;
        self.follow(&record);
        Ok(())
    }

    /// What agents do next because of a record.
    fn follow(&mut self, record: &Record) {
        self.day.fold(record);
        self.keys.learn(record);
        for event in &record.events {
            let took = |again: &Self, contact| again.known.of(again.keys.of(contact), &again.usual);
            let does = match event {
                Event::OfferMade { offer, contact, agent, .. } => {
                    Some((took(self, *contact).answer_ms, Does::Accepts(*offer, *agent)))
                }
                Event::Assigned { contact, agent } => {
                    Some((took(self, *contact).work_ms, Does::Resolves(*contact, *agent)))
                }
                Event::WrapUpStarted { contact, agent, .. } => {
                    Some((took(self, *contact).wrap_up_ms, Does::EndsWrapUp(*contact, *agent)))
                }
                _ => None,
            };
            self.next.extend(does.map(|(after, does)| Reverse((record.at.plus(after), does))));
        }
    }

    /// A UUID v7 of the moment that is played.
    fn uuid(&mut self) -> Uuid {
        self.born += 1;
        Uuid::from_u128((u128::from(self.now.0) << 80) | (7 << 76) | (2 << 62) | u128::from(self.born))
    }
}

/// Whether an input belongs to the day whatever the policy: customers, agents' coming and going, and what happened to many at once.
/// Contacts that were gathered one by one are another day's: here they have other names.
fn is_the_days(body: &InputBody) -> bool {
    match body {
        InputBody::Message(_)
        | InputBody::CustomerLeft { .. }
        | InputBody::PersonWanted { .. }
        | InputBody::AgentConnected { .. }
        | InputBody::AgentDisconnected { .. }
        | InputBody::GatewayLost { .. } => true,
        InputBody::Command(asked) => match &asked.command {
            Command::GatherForIncident { contacts, .. } => contacts.is_empty(),
            command => matches!(
                command,
                Command::SetPresence { .. }
                    | Command::SetIncident { .. }
                    | Command::AnswerIncident { .. }
                    | Command::ResolveIncident { .. }
                    | Command::CloseIncident { .. }
            ),
        },
        InputBody::Config(_)
        | InputBody::Integration(_)
        | InputBody::Empowerment(_)
        | InputBody::Wish(_)
        | InputBody::Canary(_)
        | InputBody::ParkedDismissed { .. } => false,
    }
}

#[cfg(test)]
mod tests;
