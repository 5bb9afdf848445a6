//! Who gets what: contacts in order, each to the able agent who has been idle for longest.
//!
//! In order means: those that prefer somebody (only that one may have them), then lower priority numbers, then those who
//! have waited for longer, then the contact's id. Only contacts and agents that an event has made loose are looked at: all
//! others were matched before. An offer makes nobody else able, so that one pass is enough.

use std::collections::BTreeSet;

use protocol::record::{ChoiceRule, Event, PassedOver, Receipt, RunnerUp};
use protocol::{AgentId, ChannelKind, ContactId, Millis, limits::RUNNERS_UP_MAX};

use crate::contact::Contact;
use crate::floor::{Class, Profile};
use crate::index::Desk;
use crate::state::State;
use crate::turn::Turn;

/// Above so many loose agents every waiting contact is looked at once, instead of every agent again for each offer.
const LOOSE_AGENTS_MAX: usize = 64;

/// A contact's place in the order.
type Order = (bool, u8, Millis, ContactId);

impl Turn<'_> {
    /// Does what cannot wait, then matches until nothing eligible is unmatched or the record is full.
    pub(crate) fn settle(&mut self) {
        while !self.is_full()
            && let Some(due) = self.state.index.deadlines.urgent(self.at)
            && self.fire(due)
        {}
        if self.state.index.owes_matching || self.loose_agents.len() > LOOSE_AGENTS_MAX {
            self.state.index.owes_matching = false;
            self.match_all();
        } else {
            self.match_loose();
        }
    }

    fn match_all(&mut self) {
        let loose = std::mem::take(&mut self.loose_contacts);
        let mut waiting: Vec<Order> =
            self.state.contacts().filter_map(|(id, contact)| order(id, contact)).collect();
        waiting.sort_unstable();
        for (.., contact) in waiting {
            if self.is_full() {
                return;
            }
            self.match_contact(contact, rule_for(&loose, contact));
        }
    }

    fn match_loose(&mut self) {
        let loose = std::mem::take(&mut self.loose_contacts);
        let mut contacts: Vec<Order> =
            loose.iter().filter_map(|id| order(*id, self.state.contact(*id)?)).collect();
        contacts.sort_unstable();
        let mut contacts = contacts.into_iter().peekable();
        while !self.is_full() {
            let from_line = self.first_for_loose_agents();
            let came = contacts.peek().copied();
            match (came, from_line) {
                (Some(came), line) if line.is_none_or(|line| came <= line) => {
                    contacts.next();
                    self.match_contact(came.3, ChoiceRule::LongestIdle);
                }
                (_, Some(line)) => {
                    let matched = self.match_contact(line.3, rule_for(&loose, line.3));
                    debug_assert!(matched, "an agent may have it and nobody is chosen");
                    if !matched {
                        return;
                    }
                }
                (_, None) => return,
            }
        }
    }

    /// The first in order of all that a loose agent may have; agents without one are loose no more.
    fn first_for_loose_agents(&mut self) -> Option<Order> {
        let mut first: Option<Order> = None;
        let state = &*self.state;
        self.loose_agents.retain(|agent| {
            let Some(found) = state.first_for(*agent) else { return false };
            first = Some(first.map_or(found, |best| best.min(found)));
            true
        });
        first
    }

    /// Offers a waiting contact to the best able agent; tells whether there was one.
    fn match_contact(&mut self, id: ContactId, rule: ChoiceRule) -> bool {
        let Some(choice) = self.state.choose(id) else { return false };
        let Some(contact) = self.state.contact(id) else { return false };
        let rule = if contact.preferred().is_some() { ChoiceRule::Preferred } else { rule };
        let receipt = self.state.receipt(self.at, id, contact, &choice, rule);
        let offer_ms = self.state.index.policy.queue(&contact.queue).map_or(0, |queue| queue.offer_ms);
        let (agent, expires_at) = (choice.agent, self.at.plus(offer_ms));
        let offer = self.new_offer();
        self.emit(Event::OfferMade { offer, contact: id, agent, expires_at, receipt });
        true
    }
}

/// Either the contact came to the agents, or an agent came to it.
fn rule_for(loose: &BTreeSet<ContactId>, contact: ContactId) -> ChoiceRule {
    if loose.contains(&contact) { ChoiceRule::LongestIdle } else { ChoiceRule::FirstInOrder }
}

fn order(id: ContactId, contact: &Contact) -> Option<Order> {
    let place = (contact.preferred().is_none(), contact.priority, contact.since, id);
    contact.is_waiting().then_some(place)
}

/// Who gets a contact, and who was next.
pub(crate) struct Choice {
    pub(crate) agent: AgentId,
    idle_since: Millis,
    runners_up: Vec<(Millis, AgentId)>,
}

impl State {
    /// Whether a matching is owed and would come to anything; if not, it is owed no more.
    pub(crate) fn matching_is_needed(&mut self) -> bool {
        if !self.index.owes_matching {
            return false;
        }
        let any = self.contacts().any(|(id, contact)| contact.is_waiting() && self.choose(id).is_some());
        self.index.owes_matching = any;
        any
    }

    /// The first in order that an agent may have.
    fn first_for(&self, agent: AgentId) -> Option<Order> {
        let desk = self.index.desks.get(&agent)?;
        let free = |channel: ChannelKind| desk.is_routable(channel);
        let preferring = desk.preferring.iter().filter_map(|id| {
            let contact = self.contact(*id)?;
            free(contact.channel).then(|| order(*id, contact)).flatten()
        });
        if let Some(first) = preferring.min() {
            return Some(first);
        }
        let classes = self.index.floor.classes_for(desk.profile).filter(|class| free(class.key.channel));
        classes.filter_map(|class| self.head(class, agent)).min()
    }

    /// The first of a class that an agent may have.
    fn head(&self, class: &Class, agent: AgentId) -> Option<Order> {
        let line = class.fifo.first();
        let side = class
            .side
            .iter()
            .find(|(_, id)| self.contact(*id).is_some_and(|contact| !self.is_barred(agent, *id, contact)));
        let (since, id) = *line.into_iter().chain(side).min()?;
        Some((true, class.key.priority, since, id))
    }

    /// Whether the agent declined it and may not be asked again.
    pub(crate) fn is_barred(&self, agent: AgentId, id: ContactId, contact: &Contact) -> bool {
        let Some(decline) = contact.decline_of(agent) else { return false };
        let class = self.index.spots.get(&id).map(|spot| spot.class);
        !decline.lapsed || !class.is_some_and(|class| self.index.is_exhausted(class, contact))
    }

    /// The best agent for a waiting contact.
    pub(crate) fn choose(&self, id: ContactId) -> Option<Choice> {
        let contact = self.contact(id).filter(|contact| contact.is_waiting())?;
        if let Some(preferred) = contact.preferred() {
            let desk = self.index.desks.get(&preferred.agent)?;
            let choice =
                Choice { agent: preferred.agent, idle_since: desk.idle_since, runners_up: Vec::new() };
            return desk.is_routable(contact.channel).then_some(choice);
        }
        let class = self.index.floor.class(self.index.spots.get(&id)?.class)?;
        let mut best: Vec<(Millis, AgentId)> = Vec::with_capacity(RUNNERS_UP_MAX + 2);
        for profile in self.index.floor.profiles_for(class) {
            self.best_of(profile, id, contact, &mut best);
        }
        let mut best = best.into_iter();
        let (idle_since, agent) = best.next()?;
        Some(Choice { agent, idle_since, runners_up: best.collect() })
    }

    /// Merges a profile's longest idle agents into the best ones found so far.
    fn best_of(
        &self,
        profile: &Profile,
        id: ContactId,
        contact: &Contact,
        best: &mut Vec<(Millis, AgentId)>,
    ) {
        for candidate in profile.routable.get(contact.channel) {
            let is_full = best.len() > RUNNERS_UP_MAX;
            if is_full && best.last().is_some_and(|last| last <= candidate) {
                return;
            }
            if contact.declines.is_empty() || !self.is_barred(candidate.1, id, contact) {
                let place = best.partition_point(|better| better < candidate);
                best.insert(place, *candidate);
                best.truncate(RUNNERS_UP_MAX + 1);
            }
        }
    }

    fn receipt(
        &self,
        at: Millis,
        id: ContactId,
        contact: &Contact,
        choice: &Choice,
        rule: ChoiceRule,
    ) -> Receipt {
        let class = self.index.spots.get(&id).and_then(|spot| self.index.floor.class(spot.class));
        let runner_up =
            |(since, agent): &(Millis, AgentId)| RunnerUp { agent: *agent, idle_ms: at.since(*since) };
        Receipt {
            rule,
            waited_ms: at.since(contact.since),
            idle_ms: at.since(choice.idle_since),
            waiting_in_class: class.map_or(0, |class| class.waiting),
            runners_up: choice.runners_up.iter().map(runner_up).collect(),
            passed_over: class.map(|class| self.passed_over(class, id, contact)).unwrap_or_default(),
        }
    }

    /// Counted from the profiles, whatever the number of agents.
    fn passed_over(&self, class: &Class, id: ContactId, contact: &Contact) -> PassedOver {
        let mut counts = PassedOver { unqualified: self.index.floor.agents, ..PassedOver::default() };
        for profile in self.index.floor.qualified(class) {
            let routable = u32::try_from(profile.routable.get(contact.channel).len()).unwrap_or(u32::MAX);
            counts.unqualified = counts.unqualified.saturating_sub(profile.agents);
            counts.not_there += profile.agents.saturating_sub(profile.there);
            counts.full += profile.there.saturating_sub(routable);
        }
        let takes = |desk: &Desk| class.profiles.contains(desk.profile) && desk.is_routable(contact.channel);
        let barred = contact.declines.iter().map(|decline| decline.agent).filter(|agent| {
            self.index.desks.get(agent).is_some_and(takes) && self.is_barred(*agent, id, contact)
        });
        counts.declined = u32::try_from(barred.count()).unwrap_or(u32::MAX);
        counts
    }
}
