//! The floor, for who leads, as far as they do: queues, agents, contacts, by what is sought.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use protocol::command::Presence;
use protocol::config::Authority;
use protocol::record::{AsideWhy, ServiceMeasure};
use protocol::remedy::Effort;
use protocol::{AgentId, ChannelKind, ContactId, Millis, OfferId, SubjectToken};
use serde::{Deserialize, Serialize};

use super::contact::{Contact, Late, Stage};
use super::customers::BlockNow;
use super::incidents::IncidentNow;
use super::{Projection, Seat};

/// Most contacts shown at once, those that have waited for longest first: more than anybody reads.
const CONTACTS_MAX: usize = 200;

/// Which contacts are wanted; all that are said must hold.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sought {
    queue: Option<SubjectToken>,
    state: Option<StateWord>,
    agent: Option<AgentId>,
}

/// Where a contact is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StateWord {
    Waiting,
    Gathered,
    Offered,
    WithAgent,
    Aside,
    WrapUp,
}

/// The floor at a moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct FloorNow {
    log_seq: u64,
    /// When this was, by the server.
    now: Millis,
    queues: Vec<QueueNow>,
    agents: Vec<AgentNow>,
    contacts: Vec<ContactNow>,
    /// What contacts may be about.
    categories: Vec<SubjectToken>,
    incidents: Vec<IncidentNow>,
    /// Customers who are not heard for a while.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    blocks: Vec<BlockNow>,
    /// How many contacts are as sought; more than are shown, if there are too many.
    found: usize,
}

/// A queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct QueueNow {
    name: SubjectToken,
    title: Arc<str>,
    is_closed: bool,
    waiting: u32,
    /// Waiting for an incident.
    gathered: u32,
    offered: u32,
    with_agents: u32,
    aside: u32,
    wrap_up: u32,
    /// How many of them have a promise that was not kept.
    late: u32,
    /// Since when the first of them waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest: Option<Millis>,
    /// How long who comes now would wait, where that can be said.
    #[serde(skip_serializing_if = "Option::is_none")]
    wait: Option<WaitNow>,
    /// How many were told how long they would wait and are known to have been served within it, or not; and how many were, of
    /// the time in which nine of ten are.
    told: u64,
    told_kept: u64,
    /// How many agents serve it, and of those take contacts now.
    agents: u32,
    there: u32,
}

/// How long a wait takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct WaitNow {
    p50_ms: u64,
    p90_ms: u64,
}

/// An agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct AgentNow {
    agent: AgentId,
    title: Arc<str>,
    /// Whether it is a machine.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    bot: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    team: Option<SubjectToken>,
    /// Present: what they say of themselves.
    presence: Presence,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<Presence>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Whether their desk is connected.
    reachable: bool,
    /// Whether they are offered contacts, as far as there is room.
    routable: bool,
    /// Contacts that take room: offers, own ones, wrap-ups.
    held: usize,
    aside: usize,
}

/// A contact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ContactNow {
    contact: ContactId,
    queue: SubjectToken,
    channel: ChannelKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    category: Option<SubjectToken>,
    state: StateWord,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<AgentId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offer: Option<OfferId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aside: Option<AsideWhy>,
    opened_at: Millis,
    waiting_since: Millis,
    /// Whether the customer is to be called back.
    callback: bool,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    tags: BTreeSet<SubjectToken>,
    /// Whether it is only practised.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    practice: bool,
    effort: Effort,
    /// What was promised and is nearly over, or over.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    late: BTreeMap<ServiceMeasure, Late>,
}

impl Projection {
    /// The floor as far as this authority leads it.
    pub(crate) fn supervised(&self, now: Millis, authority: &Authority, sought: &Sought) -> FloorNow {
        let led = self.queues.iter().filter(|(name, _)| authority.leads_queue(name));
        let mut queues: BTreeMap<&SubjectToken, QueueNow> =
            led.map(|(name, facts)| (name, self.queue_now(name, &facts.title))).collect();
        let mut found = Vec::new();
        for (id, contact) in &self.contacts {
            let Some(name) = contact.queue.as_ref().filter(|name| authority.leads_queue(name)) else {
                continue;
            };
            if let Some(queue) = queues.get_mut(name) {
                count(queue, contact);
            }
            let (state, agent, ..) = self.place(contact);
            let is_sought = sought.queue.as_ref().is_none_or(|queue| queue == name)
                && sought.state.is_none_or(|wanted| wanted == state)
                && sought.agent.is_none_or(|wanted| agent == Some(wanted));
            if is_sought {
                found.push((contact.waiting_since, *id));
            }
        }
        let count = found.len();
        if count > CONTACTS_MAX {
            found.select_nth_unstable(CONTACTS_MAX);
            found.truncate(CONTACTS_MAX);
        }
        found.sort_unstable();
        let contacts = found.into_iter().filter_map(|(_, id)| self.contact_now(id)).collect();
        let works_there = |seat: &Seat| {
            authority.scope.is_empty() || seat.serves.iter().any(|queue| authority.leads_queue(queue))
        };
        let configured = self.seats.iter().filter(|(_, seat)| seat.is_configured && works_there(seat));
        FloorNow {
            log_seq: self.log_seq,
            now,
            queues: queues.into_values().collect(),
            agents: configured.map(|(agent, seat)| self.agent_now(*agent, seat)).collect(),
            contacts,
            categories: self.categories.clone(),
            incidents: self.incidents_now(authority),
            blocks: self.blocks_now(authority),
            found: count,
        }
    }

    fn queue_now(&self, name: &SubjectToken, title: &Arc<str>) -> QueueNow {
        let serving = || self.seats.values().filter(|seat| seat.is_configured && seat.serves.contains(name));
        let (wait, kept) = (self.forecast.newcomer(name), self.forecast.kept(name));
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        QueueNow {
            name: name.clone(),
            title: Arc::clone(title),
            is_closed: self.closed.contains(name),
            waiting: 0,
            gathered: 0,
            offered: 0,
            with_agents: 0,
            aside: 0,
            wrap_up: 0,
            late: 0,
            oldest: None,
            wait: wait.map(|wait| WaitNow { p50_ms: wait.p50_ms, p90_ms: wait.p90_ms }),
            told: kept.p90.of,
            told_kept: kept.p90.kept,
            agents: number(serving().count()),
            there: number(serving().filter(|seat| seat.is_there()).count()),
        }
    }

    fn agent_now(&self, agent: AgentId, seat: &Seat) -> AgentNow {
        let is_aside = |id: &&ContactId| {
            self.contacts.get(id).is_some_and(|contact| matches!(contact.stage, Stage::Aside { .. }))
        };
        let aside = seat.contacts.iter().filter(is_aside).count();
        AgentNow {
            agent,
            title: Arc::clone(&seat.title),
            bot: seat.is_bot,
            team: seat.team.clone(),
            presence: seat.presence,
            next: seat.next,
            reason: seat.reason.clone(),
            reachable: seat.connected.is_some(),
            routable: seat.is_there(),
            held: seat.contacts.len() + seat.offers.len() - aside,
            aside,
        }
    }

    /// Where it is, with whom, by which offer, and why it takes no room.
    fn place(&self, contact: &Contact) -> (StateWord, Option<AgentId>, Option<OfferId>, Option<AsideWhy>) {
        match contact.stage {
            Stage::Waiting => (StateWord::Waiting, None, None, None),
            Stage::Gathered { .. } => (StateWord::Gathered, None, None, None),
            Stage::Offered { offer } => {
                let asked = self.offers.get(&offer).map(|offer| offer.agent);
                (StateWord::Offered, asked, Some(offer), None)
            }
            Stage::Held { agent } => (StateWord::WithAgent, Some(agent), None, None),
            Stage::Aside { agent, why } => (StateWord::Aside, Some(agent), None, Some(why)),
            Stage::WrapUp { agent, .. } => (StateWord::WrapUp, Some(agent), None, None),
        }
    }

    fn contact_now(&self, id: ContactId) -> Option<ContactNow> {
        let contact = self.contacts.get(&id)?;
        let (state, agent, offer, aside) = self.place(contact);
        Some(ContactNow {
            contact: id,
            queue: contact.queue.clone()?,
            channel: contact.channel,
            category: contact.category.clone(),
            state,
            agent,
            offer,
            aside,
            opened_at: contact.opened_at,
            waiting_since: contact.waiting_since,
            callback: contact.callback,
            tags: contact.marks.tags.clone(),
            practice: contact.practice,
            effort: self.effort_of(contact),
            late: contact.late.clone(),
        })
    }
}

fn count(queue: &mut QueueNow, contact: &Contact) {
    let counted = match contact.stage {
        Stage::Waiting => &mut queue.waiting,
        Stage::Gathered { .. } => &mut queue.gathered,
        Stage::Offered { .. } => &mut queue.offered,
        Stage::Held { .. } => &mut queue.with_agents,
        Stage::Aside { .. } => &mut queue.aside,
        Stage::WrapUp { .. } => &mut queue.wrap_up,
    };
    *counted += 1;
    queue.late += u32::from(contact.late.values().any(|late| late.is_missed));
    if matches!(contact.stage, Stage::Waiting) {
        let since = contact.waiting_since;
        queue.oldest = Some(queue.oldest.map_or(since, |oldest| oldest.min(since)));
    }
}
