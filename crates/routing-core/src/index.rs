//! What follows from the state and is kept beside it, so that a decision looks at a few heads and never at everybody.
//!
//! Nothing here is stored: it is rebuilt from a snapshot and from a new configuration, and kept up by each event. It never
//! decides an order by the numbers of classes or profiles, so that a rebuilt index chooses as the old one did.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use protocol::config::Agent;
use protocol::facts::FactValues;
use protocol::record::AsideWhy;
use protocol::{
    AgentId, ChannelKind, ContactId, GatewayId, IdentityId, IncidentId, Millis, OfferId, SubjectToken,
};

use crate::contact::{AgentState, Contact, Phase};
use crate::due::{AT_ONCE, Deadlines, Due};
use crate::floor::{ClassKey, Floor, Listed, PerChannel, ProfileKey};
use crate::policy::Policy;
use crate::room::{ChannelRules, Room};
use crate::state::ByQueue;

/// An agent's place on the floor.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    pub(crate) profile: usize,
    pub(crate) room: Room,
    /// Contacts owned or in wrap-up.
    owned: u32,
    pub(crate) there: bool,
    pub(crate) idle_since: Millis,
    /// How long a bot's customer may wait for it, ms; `None`: a person.
    pub(crate) bot_answer_ms: Option<u64>,
    reclaim_at: Option<Millis>,
    gateway: Option<GatewayId>,
    gone: bool,
    /// Whether another presence waits until they hold nothing.
    leaves: bool,
    /// Offers, own contacts and wrap-ups.
    pub(crate) contacts: BTreeSet<ContactId>,
    /// Contacts of others that they are with.
    pub(crate) company: BTreeSet<ContactId>,
    /// Waiting contacts that prefer this agent.
    pub(crate) preferring: BTreeSet<ContactId>,
    /// How many contacts they laid aside by hand.
    pub(crate) snoozed: usize,
    /// Under what they stand among the routable ones.
    listed: PerChannel<Option<Listed>>,
    due: Option<(Millis, Due)>,
}

impl Desk {
    pub(crate) fn is_routable(&self, channel: ChannelKind) -> bool {
        self.listed.get(channel).is_some()
    }

    pub(crate) fn takes_channel(&self, channel: ChannelKind) -> bool {
        self.room.capacity(channel) > 0
    }

    /// Whether one more contact of a queue is within its limit for one agent.
    pub(crate) fn has_room_in(&self, queue: &SubjectToken, per_agent_max: Option<u16>) -> bool {
        per_agent_max.is_none_or(|most| self.room.held_of(queue) < most)
    }

    fn place(&self, channel: ChannelKind) -> Option<Listed> {
        let spare = self.room.spare(channel);
        (self.there && spare > 0).then(|| Listed {
            since: self.idle_since,
            occupied_permille: self.room.occupied_permille(),
            spare,
        })
    }

    fn due(&self, agent: AgentId) -> Option<(Millis, Due)> {
        if self.gone {
            return Some((AT_ONCE, Due::Gone(agent)));
        }
        if self.leaves && self.contacts.is_empty() {
            return Some((AT_ONCE, Due::Leave(agent)));
        }
        let unreachable = self.gateway.is_none() && (self.owned > 0 || !self.company.is_empty());
        self.reclaim_at.filter(|_| unreachable).map(|at| (at, Due::Reclaim(agent)))
    }
}

/// Where an open contact stands in the index.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spot {
    /// Its class, while it waits.
    pub(crate) class: usize,
    waits: bool,
    due: Option<(Millis, Due)>,
}

/// The index.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    pub(crate) policy: Policy,
    pub(crate) floor: Floor,
    pub(crate) desks: BTreeMap<AgentId, Desk>,
    pub(crate) by_gateway: BTreeMap<GatewayId, BTreeSet<AgentId>>,
    pub(crate) offers: BTreeMap<OfferId, ContactId>,
    pub(crate) spots: BTreeMap<ContactId, Spot>,
    pub(crate) deadlines: Deadlines,
    /// When a queue next opens or closes.
    hours_due: Option<(Millis, Due)>,
    /// When colleagues who are asked for a word have not answered in time.
    consults: BTreeMap<ContactId, (Millis, Due)>,
    /// When bots have let their customers wait for too long.
    stalls: BTreeMap<ContactId, (Millis, Due)>,
    /// When something has to be told of a promise.
    promises: BTreeMap<ContactId, (Millis, Due)>,
    /// When something has to be done for incidents.
    incident_dues: BTreeMap<IncidentId, (Millis, Due)>,
    /// When blocks of customers end.
    block_dues: BTreeMap<IdentityId, (Millis, Due)>,
    /// Contacts that wait for incidents.
    pub(crate) gathered: BTreeMap<IncidentId, BTreeSet<ContactId>>,
    /// For each class with steps, what comes next.
    widens: BTreeMap<usize, Widening>,
    /// Until when steps have been seen to: those that were reached by then need no deadline. It stands still as long as one that
    /// was reached has not been, as another event of the same moment may come first.
    seen: Millis,
    rules: Arc<ChannelRules>,
    pub(crate) by_queue: BTreeMap<SubjectToken, ByQueue>,
    /// Whether a pair might be unmatched: after a record that got too large, a rebuild, a new configuration.
    pub(crate) owes_matching: bool,
}

/// When a class next comes within reach of more agents.
#[derive(Clone, Copy, Debug, Default)]
struct Widening {
    /// Until when its own steps have been seen to.
    seen: Millis,
    due: Option<(Millis, Due)>,
}

impl Index {
    pub(crate) fn new(policy: Policy, seen: Millis) -> Self {
        let rules = Arc::new(ChannelRules::new(&policy.channels));
        Self { policy, rules, seen, owes_matching: true, ..Self::default() }
    }

    /// The steps of this class that were reached until now have been seen to.
    pub(crate) fn widened(&mut self, class: usize, at: Millis) {
        self.widens.entry(class).or_default().seen = at;
        self.refresh_widening(class);
    }

    /// Sets anew when a queue next opens or closes, as seen from a moment.
    pub(crate) fn refresh_hours(&mut self, at: Millis) {
        let changes = self.policy.calendars().filter_map(|(queue, calendar)| {
            let is_as_it_should = calendar.is_open(at) != self.floor.closed.contains(queue);
            if is_as_it_should { calendar.next_change(at) } else { Some(at) }
        });
        let due = changes.min().map(|at| (at, Due::Hours));
        if self.hours_due != due {
            swap_due(&mut self.deadlines, &mut self.hours_due, due);
        }
    }

    /// An agent is with a contact that is not theirs, or no more.
    pub(crate) fn company_changed(&mut self, id: ContactId, agent: AgentId, is_with: bool) {
        let Some(desk) = self.desks.get_mut(&agent) else { return };
        if is_with {
            desk.company.insert(id);
        } else {
            desk.company.remove(&id);
        }
        self.desk_changed(agent);
    }

    pub(crate) fn stall_due(&mut self, id: ContactId, due: Option<(Millis, Due)>) {
        let mut kept = self.stalls.remove(&id);
        if kept != due {
            swap_due(&mut self.deadlines, &mut kept, due);
        }
        self.stalls.extend(due.map(|due| (id, due)));
    }

    pub(crate) fn incident_due(&mut self, id: IncidentId, due: Option<(Millis, Due)>) {
        let mut kept = self.incident_dues.remove(&id);
        if kept != due {
            swap_due(&mut self.deadlines, &mut kept, due);
        }
        self.incident_dues.extend(due.map(|due| (id, due)));
    }

    pub(crate) fn block_due(&mut self, id: IdentityId, due: Option<(Millis, Due)>) {
        let mut kept = self.block_dues.remove(&id);
        if kept != due {
            swap_due(&mut self.deadlines, &mut kept, due);
        }
        self.block_dues.extend(due.map(|due| (id, due)));
    }

    pub(crate) fn consult_due(&mut self, id: ContactId, due: Option<(Millis, Due)>) {
        let mut kept = self.consults.remove(&id);
        if kept != due {
            swap_due(&mut self.deadlines, &mut kept, due);
        }
        self.consults.extend(due.map(|due| (id, due)));
    }

    pub(crate) fn promise_due(&mut self, id: ContactId, due: Option<(Millis, Due)>) {
        let mut kept = self.promises.remove(&id);
        if kept != due {
            swap_due(&mut self.deadlines, &mut kept, due);
        }
        self.promises.extend(due.map(|due| (id, due)));
    }

    /// A queue opened or closed.
    pub(crate) fn hours_changed(&mut self, queue: &SubjectToken, open: bool, at: Millis) -> Vec<ContactId> {
        let classes = self.floor.set_open(queue, open);
        for id in &classes {
            self.refresh_widening(*id);
        }
        self.refresh_hours(at);
        let classes: BTreeSet<usize> = classes.into_iter().collect();
        self.spots
            .iter()
            .filter(|(_, spot)| spot.waits && classes.contains(&spot.class))
            .map(|(id, _)| *id)
            .collect()
    }

    /// A record is whole: what was reached until then has been seen to, unless something is left for the next one.
    pub(crate) fn seen_to(&mut self, at: Millis) {
        if self.deadlines.urgent(at).is_none() {
            self.seen = at;
        }
    }

    /// Seats a configured agent; their contacts are linked afterwards.
    pub(crate) fn seat(&mut self, config: &Agent, agent: &AgentState, lost: &BTreeSet<GatewayId>) {
        let profile = self.floor.profile_id(ProfileKey::of(config, &self.policy));
        let desk = Desk {
            profile,
            room: Room::new(config, Arc::clone(&self.rules)),
            owned: 0,
            there: false,
            idle_since: agent.idle_since,
            bot_answer_ms: config.bot_answer_ms(),
            reclaim_at: None,
            gateway: None,
            gone: false,
            leaves: false,
            contacts: BTreeSet::new(),
            company: BTreeSet::new(),
            preferring: BTreeSet::new(),
            snoozed: 0,
            listed: PerChannel::default(),
            due: None,
        };
        self.desks.insert(config.id, desk);
        self.floor.agents += 1;
        self.floor.change_profile(profile, |profile| profile.agents += 1);
        self.agent_changed(config.id, agent, lost);
    }

    /// Takes over an agent's new state; tells whether they came or went. Who came or went touches contacts: see
    /// [`Index::touched_by`].
    pub(crate) fn agent_changed(
        &mut self,
        id: AgentId,
        agent: &AgentState,
        lost: &BTreeSet<GatewayId>,
    ) -> bool {
        let Some(desk) = self.desks.get_mut(&id) else { return false };
        if desk.gateway != agent.gateway {
            if let Some(agents) = desk.gateway.and_then(|old| self.by_gateway.get_mut(&old)) {
                agents.remove(&id);
            }
            if let Some(new) = agent.gateway {
                self.by_gateway.entry(new).or_default().insert(id);
            }
            self.by_gateway.retain(|_, agents| !agents.is_empty());
        }
        let flipped = desk.there != agent.is_there();
        desk.there = agent.is_there();
        desk.idle_since = agent.idle_since;
        desk.reclaim_at = agent.reclaim_at;
        desk.gateway = agent.gateway;
        desk.leaves = agent.next.is_some();
        desk.gone = agent.gateway.is_some_and(|gateway| lost.contains(&gateway));
        if flipped {
            let there = desk.there;
            self.floor.change_profile(desk.profile, |profile| {
                profile.there = if there { profile.there + 1 } else { profile.there.saturating_sub(1) };
            });
        }
        self.desk_changed(id);
        flipped
    }

    fn desk_changed(&mut self, id: AgentId) {
        let Some(desk) = self.desks.get_mut(&id) else { return };
        for channel in ChannelKind::ALL {
            let was = *desk.listed.get(channel);
            let is = desk.place(channel);
            if was != is {
                self.floor.list(desk.profile, channel, id, was, is, &self.policy.choices);
                *desk.listed.get_mut(channel) = is;
            }
        }
        let due = desk.due(id);
        if due != desk.due {
            swap_due(&mut self.deadlines, &mut desk.due, due);
        }
    }

    /// The contacts whose deadlines or chances hang on whether this agent is there.
    pub(crate) fn touched_by(&self, id: AgentId) -> Vec<ContactId> {
        let Some(desk) = self.desks.get(&id) else { return Vec::new() };
        let mut touched: Vec<_> =
            desk.contacts.iter().chain(&desk.preferring).chain(&desk.company).copied().collect();
        for class in self.floor.classes_for(desk.profile) {
            touched.extend(class.side.iter().map(|(_, contact)| *contact));
        }
        touched
    }

    /// Takes a contact out, as it was linked.
    pub(crate) fn unlink(&mut self, id: ContactId, contact: &Contact) {
        let Some(spot) = self.spots.remove(&id) else { return };
        if let Some((at, due)) = spot.due {
            self.deadlines.remove(at, due);
        }
        match contact.phase {
            Phase::New => {}
            Phase::Gathered { incident } => {
                self.count(&contact.queue, |counts| counts.gathered = counts.gathered.saturating_sub(1));
                if let Some(all) = self.gathered.get_mut(&incident) {
                    all.remove(&id);
                    if all.is_empty() {
                        self.gathered.remove(&incident);
                    }
                }
            }
            Phase::Waiting { preferred } => {
                self.count(&contact.queue, |counts| counts.waiting = counts.waiting.saturating_sub(1));
                if let Some(desk) = preferred.and_then(|preferred| self.desks.get_mut(&preferred.agent)) {
                    desk.preferring.remove(&id);
                }
                self.floor.change_class(spot.class, |class| {
                    class.waiting = class.waiting.saturating_sub(1);
                    class.fifo.remove(&(contact.since, id));
                    class.side.remove(&(contact.since, id));
                });
                self.refresh_widening(spot.class);
            }
            Phase::Offered { offer, agent, .. } => {
                self.count(&contact.queue, |counts| counts.offered = counts.offered.saturating_sub(1));
                self.offers.remove(&offer);
                self.release(agent, id, contact);
            }
            Phase::WithAgent { agent, .. } => {
                self.count(&contact.queue, |counts| {
                    counts.with_agents = counts.with_agents.saturating_sub(1);
                });
                self.release(agent, id, contact);
            }
            Phase::Aside { agent, why } => {
                self.count(&contact.queue, |counts| counts.aside = counts.aside.saturating_sub(1));
                if let Some(desk) = self.desks.get_mut(&agent).filter(|_| is_snoozed(why)) {
                    desk.snoozed = desk.snoozed.saturating_sub(1);
                }
            }
            Phase::WrapUp { agent, .. } => {
                self.count(&contact.queue, |counts| counts.wrap_up = counts.wrap_up.saturating_sub(1));
                self.release(agent, id, contact);
            }
        }
    }

    /// Puts a contact in, of which these facts are known.
    pub(crate) fn link(&mut self, id: ContactId, contact: &Contact, facts: Option<&FactValues>) {
        let mut spot = Spot::default();
        match contact.phase {
            Phase::New => {}
            Phase::Waiting { preferred } => {
                self.count(&contact.queue, |counts| counts.waiting += 1);
                spot.class = self.floor.class_id(ClassKey::of(contact, facts, &self.policy), &self.policy);
                spot.waits = true;
                if let Some(desk) = preferred.and_then(|preferred| self.desks.get_mut(&preferred.agent)) {
                    desk.preferring.insert(id);
                }
                self.floor.change_class(spot.class, |class| {
                    class.waiting += 1;
                    if preferred.is_some() {
                        return;
                    }
                    let line = if contact.declines.is_empty() { &mut class.fifo } else { &mut class.side };
                    line.insert((contact.since, id));
                });
                self.refresh_widening(spot.class);
            }
            Phase::Gathered { incident } => {
                self.count(&contact.queue, |counts| counts.gathered += 1);
                self.gathered.entry(incident).or_default().insert(id);
            }
            Phase::Offered { offer, agent, .. } => {
                self.count(&contact.queue, |counts| counts.offered += 1);
                self.offers.insert(offer, id);
                self.hold(agent, id, contact);
            }
            Phase::WithAgent { agent, .. } => {
                self.count(&contact.queue, |counts| counts.with_agents += 1);
                self.hold(agent, id, contact);
            }
            Phase::Aside { agent, why } => {
                self.count(&contact.queue, |counts| counts.aside += 1);
                if let Some(desk) = self.desks.get_mut(&agent).filter(|_| is_snoozed(why)) {
                    desk.snoozed += 1;
                }
            }
            Phase::WrapUp { agent, .. } => {
                self.count(&contact.queue, |counts| counts.wrap_up += 1);
                self.hold(agent, id, contact);
            }
        }
        self.spots.insert(id, spot);
        self.refresh_due(id, contact);
    }

    /// Sets anew when a contact of a class next comes within reach of more agents.
    ///
    /// Only the head of the line is watched: while it waits, nobody of the steps it has reached is free, so that those behind
    /// it, who are at earlier steps, wait for nobody. Who was declined is looked at each for itself.
    fn refresh_widening(&mut self, id: usize) {
        let Some(class) = self.floor.class(id).filter(|class| class.has_steps()) else { return };
        let widening = self.widens.entry(id).or_default();
        if !class.open {
            return swap_due(&mut self.deadlines, &mut widening.due, None);
        }
        let seen = self.seen.max(widening.seen);
        let next = |(since, contact): &(Millis, ContactId)| {
            let after_ms = class.next_step_after(seen.since(*since))?;
            Some((since.plus(after_ms), Due::Widen(*contact)))
        };
        let due = class.fifo.first().into_iter().chain(&class.side).filter_map(next).min();
        if widening.due != due {
            swap_due(&mut self.deadlines, &mut widening.due, due);
        }
    }

    /// Sets a contact's deadline anew.
    pub(crate) fn refresh_due(&mut self, id: ContactId, contact: &Contact) {
        let Some(class) = self.spots.get(&id).map(|spot| spot.class) else { return };
        let due = self.due_of(id, class, contact);
        if let Some(spot) = self.spots.get_mut(&id)
            && spot.due != due
        {
            swap_due(&mut self.deadlines, &mut spot.due, due);
        }
    }

    fn due_of(&self, id: ContactId, class: usize, contact: &Contact) -> Option<(Millis, Due)> {
        let there = |agent: AgentId| self.desks.get(&agent).is_some_and(|desk| desk.there);
        let if_there = |agent: AgentId, at: Millis| if there(agent) { at } else { AT_ONCE };
        match contact.phase {
            Phase::New | Phase::Gathered { .. } => None,
            Phase::WithAgent { unanswered_since, .. } => {
                let since = unanswered_since?;
                let queue = self.policy.queue(&contact.queue)?;
                let silent = queue.silent_after_ms.map(|after| (since.plus(after), Due::Silent(id)));
                silent.into_iter().chain(self.close_of(id, contact, since)).min()
            }
            Phase::Aside { why: AsideWhy::Snoozed { until }, .. } => Some((until, Due::Return(id))),
            Phase::Aside { why: AsideWhy::Silent { since }, .. } => self.close_of(id, contact, since),
            // Nobody is asked before it opens, so that nothing runs out.
            Phase::Waiting { .. } if self.floor.class(class).is_some_and(|class| !class.open) => None,
            Phase::Waiting { preferred: Some(preferred) } => {
                Some((if_there(preferred.agent, preferred.until), Due::Preference(id)))
            }
            Phase::Waiting { preferred: None } => {
                self.lapse_at(class, contact).map(|at| (at, Due::Lapse(id)))
            }
            Phase::Offered { agent, expires_at, .. } => Some((if_there(agent, expires_at), Due::Offer(id))),
            Phase::WrapUp { until, .. } => Some((until, Due::WrapUp(id))),
        }
    }

    /// When a contact ends whose customer has been silent since then, or when they are told that it will.
    fn close_of(&self, id: ContactId, contact: &Contact, since: Millis) -> Option<(Millis, Due)> {
        let queue = self.policy.queue(&contact.queue)?;
        let close_ms = queue.close_after_ms?;
        // Who has said nothing here is told of no end.
        match queue.close_warning_ms.filter(|_| !contact.warned && !contact.unheard) {
            Some(warning) => Some((since.plus(close_ms.saturating_sub(warning)), Due::WarnOfClose(id))),
            None => Some((since.plus(close_ms), Due::Close(id))),
        }
    }

    fn lapse_at(&self, class: usize, contact: &Contact) -> Option<Millis> {
        if contact.declines.iter().all(|decline| decline.lapsed) || !self.is_exhausted(class, contact) {
            return None;
        }
        let rest = self.policy.queue(&contact.queue)?.decline_rest_ms;
        let resting = contact.declines.iter().filter(|one| !one.lapsed && self.could(one.agent, class));
        resting.map(|decline| decline.at.plus(rest)).min()
    }

    /// Whether somebody is there and qualified, and all of them have declined.
    pub(crate) fn is_exhausted(&self, class: usize, contact: &Contact) -> bool {
        let Some(key) = self.floor.class(class) else { return false };
        let able: u32 = self.floor.qualified(key).map(|(_, profile)| profile.there).sum();
        let declined = contact.declines.iter().filter(|one| self.could(one.agent, class)).count();
        able > 0 && u32::try_from(declined) == Ok(able)
    }

    /// Whether an agent is there and qualified for a class.
    pub(crate) fn could(&self, agent: AgentId, class: usize) -> bool {
        self.desks.get(&agent).is_some_and(|desk| desk.there && self.floor.takes(desk.profile, class))
    }

    fn hold(&mut self, agent: AgentId, id: ContactId, contact: &Contact) {
        let limited = limited(&self.policy, contact);
        let Some(desk) = self.desks.get_mut(&agent) else { return };
        desk.room.hold(contact.channel, limited);
        desk.owned += u32::from(is_owned(contact));
        desk.contacts.insert(id);
        self.desk_changed(agent);
    }

    fn release(&mut self, agent: AgentId, id: ContactId, contact: &Contact) {
        let limited = limited(&self.policy, contact);
        let Some(desk) = self.desks.get_mut(&agent) else { return };
        desk.room.release(contact.channel, limited);
        desk.owned = desk.owned.saturating_sub(u32::from(is_owned(contact)));
        desk.contacts.remove(&id);
        self.desk_changed(agent);
    }

    fn count(&mut self, queue: &SubjectToken, change: impl FnOnce(&mut ByQueue)) {
        if let Some(counts) = self.by_queue.get_mut(queue) {
            change(counts);
        }
    }
}

/// Its queue, if that limits how many one agent holds.
fn limited<'a>(policy: &Policy, contact: &'a Contact) -> Option<&'a SubjectToken> {
    let has_limit = policy.queue(&contact.queue).is_some_and(|queue| queue.per_agent_max.is_some());
    has_limit.then_some(&contact.queue)
}

fn is_snoozed(why: AsideWhy) -> bool {
    match why {
        AsideWhy::Snoozed { .. } => true,
        AsideWhy::Silent { .. } => false,
    }
}

fn is_owned(contact: &Contact) -> bool {
    matches!(contact.phase, Phase::WithAgent { .. } | Phase::WrapUp { .. })
}

fn swap_due(deadlines: &mut Deadlines, kept: &mut Option<(Millis, Due)>, due: Option<(Millis, Due)>) {
    if let Some((at, old)) = kept.take() {
        deadlines.remove(at, old);
    }
    if let Some((at, new)) = due {
        deadlines.add(at, new);
    }
    *kept = due;
}
