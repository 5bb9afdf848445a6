//! Who gets what: contacts in order, each to the able agent whom its queue's choice names.
//!
//! In order means: those that prefer somebody (only that one may have them), then the higher score, then those who
//! have waited for longer, then the contact's id. Only contacts and agents that an event has made loose are looked at: all
//! others were matched before. An offer makes nobody else able, so that one pass is enough.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use protocol::config::AgentChoice;
use protocol::record::{ChoiceRule, EntryKind, Event, OfferEnd, PassedOver, Receipt, RunnerUp};
use protocol::{AgentId, ChannelKind, ContactId, Millis, limits::RUNNERS_UP_MAX};

use crate::contact::Contact;
use crate::floor::{Class, Profile, Rank};
use crate::index::Desk;
use crate::state::State;
use crate::turn::Turn;

/// Above so many loose agents every waiting contact is looked at once, instead of every agent again for each offer.
const LOOSE_AGENTS_MAX: usize = 64;

/// A contact's place in the order.
type Order = (bool, Reverse<u64>, Millis, ContactId);

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
        let mut waiting: Vec<Order> = self
            .state
            .contacts()
            .filter_map(|(id, contact)| self.state.order(self.at, id, contact))
            .collect();
        waiting.sort_unstable();
        for (.., contact) in waiting {
            if self.is_full() {
                return;
            }
            self.match_contact(contact, loose.contains(&contact));
        }
    }

    fn match_loose(&mut self) {
        let loose = std::mem::take(&mut self.loose_contacts);
        let mut contacts: BTreeSet<Order> =
            loose.iter().filter_map(|id| self.state.order(self.at, *id, self.state.contact(*id)?)).collect();
        while !self.is_full() {
            let from_line = self.first_for_loose_agents();
            let came = contacts.first().copied();
            match (came, from_line) {
                (Some(came), line) if line.is_none_or(|line| came <= line) => {
                    contacts.pop_first();
                    let class = self.state.index.spots.get(&came.3).map(|spot| spot.class);
                    if self.match_contact(came.3, loose.contains(&came.3)) {
                        contacts.extend(class.and_then(|class| self.next_of_steps(class)));
                    }
                }
                (_, Some(line)) => {
                    let matched = self.match_contact(line.3, loose.contains(&line.3));
                    debug_assert!(matched, "an agent may have it and nobody is chosen");
                    if !matched {
                        return;
                    }
                }
                (_, None) => return,
            }
        }
    }

    /// Who now stands at the head of a line whose queue widens: more than one may have reached a step before its deadline was
    /// seen to.
    fn next_of_steps(&self, class: usize) -> Option<Order> {
        let class = self.state.index.floor.class(class).filter(|class| class.has_steps())?;
        let (_, id) = class.fifo.first()?;
        self.state.order(self.at, *id, self.state.contact(*id)?)
    }

    /// The first in order of all that a loose agent may have; agents without one are loose no more.
    fn first_for_loose_agents(&mut self) -> Option<Order> {
        let mut first: Option<Order> = None;
        let (state, at) = (&*self.state, self.at);
        self.loose_agents.retain(|agent| {
            let Some(found) = state.first_for(at, *agent) else { return false };
            first = Some(first.map_or(found, |best| best.min(found)));
            true
        });
        first
    }

    /// Offers a waiting contact to the best able agent; tells whether there was one. Either the contact came to the agents,
    /// or an agent came to it.
    fn match_contact(&mut self, id: ContactId, contact_came: bool) -> bool {
        let Some(choice) = self.state.choose(self.at, id) else { return false };
        let Some(contact) = self.state.contact(id) else { return false };
        let queue = self.state.index.policy.queue(&contact.queue);
        let (offer_ms, auto_accept) = queue.map_or((0, false), |queue| (queue.offer_ms, queue.auto_accept));
        let rule = if contact.preferred().is_some() {
            ChoiceRule::Preferred
        } else if contact_came {
            queue.map_or(ChoiceRule::LongestIdle, |queue| rule_of(queue.choose))
        } else {
            ChoiceRule::FirstInOrder
        };
        let conversation = contact.conversation;
        let receipt = self.state.receipt(self.at, id, contact, &choice, rule);
        let (agent, expires_at) = (choice.best.2, self.at.plus(offer_ms));
        let offer = self.new_offer();
        self.emit(Event::OfferMade { offer, contact: id, agent, expires_at, receipt });
        if auto_accept {
            self.emit(Event::OfferEnded { offer, contact: id, agent, end: OfferEnd::Accepted });
            self.emit(Event::Assigned { contact: id, agent });
            self.entry(conversation, id, EntryKind::Joined { agent });
        }
        true
    }
}

fn rule_of(choice: AgentChoice) -> ChoiceRule {
    match choice {
        AgentChoice::LongestIdle => ChoiceRule::LongestIdle,
        AgentChoice::LeastOccupied => ChoiceRule::LeastOccupied,
        AgentChoice::MostSpare => ChoiceRule::MostSpare,
        AgentChoice::BestProficiency => ChoiceRule::BestProficiency,
    }
}

/// Who gets a contact, and who was next.
pub(crate) struct Choice {
    best: Rank,
    runners_up: Vec<Rank>,
}

impl State {
    /// Whether a matching is owed and would come to anything; if not, it is owed no more.
    pub(crate) fn matching_is_needed(&mut self, now: Millis) -> bool {
        if !self.index.owes_matching {
            return false;
        }
        let any = self.contacts().any(|(id, contact)| contact.is_waiting() && self.choose(now, id).is_some());
        self.index.owes_matching = any;
        any
    }

    /// A contact's place in the order, while it waits.
    pub(crate) fn order(&self, at: Millis, id: ContactId, contact: &Contact) -> Option<Order> {
        let score = self.score(at, id, contact)?;
        Some((contact.preferred().is_none(), Reverse(score), contact.since, id))
    }

    /// A contact's score, while it waits.
    pub(crate) fn score(&self, at: Millis, id: ContactId, contact: &Contact) -> Option<u64> {
        let spot = self.index.spots.get(&id).filter(|_| contact.is_waiting())?;
        Some(self.index.floor.class(spot.class)?.scoring.at(at.since(contact.since)))
    }

    /// The first in order that an agent may have.
    fn first_for(&self, at: Millis, agent: AgentId) -> Option<Order> {
        let desk = self.index.desks.get(&agent)?;
        let free = |channel: ChannelKind| desk.is_routable(channel);
        let preferring = desk.preferring.iter().filter_map(|id| {
            let contact = self.contact(*id)?;
            let limit = self.index.policy.queue(&contact.queue).and_then(|queue| queue.per_agent_max);
            let is_open = !self.is_closed(&contact.queue);
            let may = is_open && free(contact.channel) && desk.has_room_in(&contact.queue, limit);
            may.then(|| self.order(at, *id, contact)).flatten()
        });
        if let Some(first) = preferring.min() {
            return Some(first);
        }
        let classes = self.index.floor.classes_for(desk.profile).filter(|class| {
            free(class.key.channel) && desk.has_room_in(&class.key.queue, class.per_agent_max)
        });
        classes.filter_map(|class| self.head(at, class, desk.profile, agent)).min()
    }

    /// The first of a class that an agent may have.
    fn head(&self, at: Millis, class: &Class, profile: usize, agent: AgentId) -> Option<Order> {
        let after_ms = class.after(profile)?;
        let reached = |since: &Millis| at.since(*since) >= after_ms;
        let line = class.fifo.first();
        let side = class
            .side
            .iter()
            .find(|(_, id)| self.contact(*id).is_some_and(|contact| !self.is_barred(agent, *id, contact)));
        let (since, id) = *line.into_iter().chain(side).filter(|(since, _)| reached(since)).min()?;
        Some((true, Reverse(class.scoring.at(at.since(since))), since, id))
    }

    /// Whether the agent declined it and may not be asked again.
    pub(crate) fn is_barred(&self, agent: AgentId, id: ContactId, contact: &Contact) -> bool {
        let Some(decline) = contact.decline_of(agent) else { return false };
        let class = self.index.spots.get(&id).map(|spot| spot.class);
        !decline.lapsed || !class.is_some_and(|class| self.index.is_exhausted(class, contact))
    }

    /// The best agent for a waiting contact.
    pub(crate) fn choose(&self, at: Millis, id: ContactId) -> Option<Choice> {
        let contact = self.contact(id).filter(|contact| contact.is_waiting())?;
        let class = self.index.floor.class(self.index.spots.get(&id)?.class).filter(|class| class.open)?;
        if let Some(preferred) = contact.preferred() {
            let desk = self.index.desks.get(&preferred.agent)?;
            let may =
                desk.is_routable(contact.channel) && desk.has_room_in(&contact.queue, class.per_agent_max);
            let best = (0, desk.idle_since, preferred.agent);
            return may.then_some(Choice { best, runners_up: Vec::new() });
        }
        let mut best: Vec<Rank> = Vec::with_capacity(RUNNERS_UP_MAX + 2);
        for profile in self.index.floor.profiles_for(class, at.since(contact.since)) {
            self.best_of(profile, class, id, contact, &mut best);
        }
        let mut best = best.into_iter();
        Some(Choice { best: best.next()?, runners_up: best.collect() })
    }

    /// Merges a profile's first agents into the best ones found so far.
    fn best_of(
        &self,
        profile: &Profile,
        class: &Class,
        id: ContactId,
        contact: &Contact,
        best: &mut Vec<Rank>,
    ) {
        for candidate in profile.in_order(class) {
            let is_full = best.len() > RUNNERS_UP_MAX;
            if is_full && best.last().is_some_and(|last| *last <= candidate) {
                return;
            }
            if self.may_be_asked(candidate.2, class, id, contact) {
                let place = best.partition_point(|better| *better < candidate);
                best.insert(place, candidate);
                best.truncate(RUNNERS_UP_MAX + 1);
            }
        }
    }

    /// What is left to check of a routable agent of a profile that may have it.
    fn may_be_asked(&self, agent: AgentId, class: &Class, id: ContactId, contact: &Contact) -> bool {
        let has_room = class.per_agent_max.is_none() || {
            let desk = self.index.desks.get(&agent);
            desk.is_some_and(|desk| desk.has_room_in(&class.key.queue, class.per_agent_max))
        };
        has_room && (contact.declines.is_empty() || !self.is_barred(agent, id, contact))
    }

    /// As of a choice between one.
    pub(crate) fn receipt_for(
        &self,
        at: Millis,
        id: ContactId,
        contact: &Contact,
        agent: AgentId,
        rule: ChoiceRule,
    ) -> Receipt {
        let idle_since = self.index.desks.get(&agent).map_or(at, |desk| desk.idle_since);
        let choice = Choice { best: (0, idle_since, agent), runners_up: Vec::new() };
        self.receipt(at, id, contact, &choice, rule)
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
            |(rank, since, agent): &Rank| RunnerUp { agent: *agent, idle_ms: at.since(*since), rank: *rank };
        let waited_ms = at.since(contact.since);
        let (rank, idle_since, _) = choice.best;
        let tells_scores = self.index.policy.tells_scores();
        Receipt {
            rule,
            waited_ms,
            idle_ms: at.since(idle_since),
            waiting_in_class: class.map_or(0, |class| class.waiting),
            score_ms: class.filter(|_| tells_scores).map(|class| class.scoring.at(waited_ms)),
            step: class.and_then(|class| u8::try_from(class.step_at(waited_ms)?).ok()).unwrap_or(0),
            rank,
            runners_up: choice.runners_up.iter().map(runner_up).collect(),
            passed_over: class
                .map(|class| self.passed_over(class, waited_ms, id, contact))
                .unwrap_or_default(),
        }
    }

    /// Counted from the profiles, whatever the number of agents; only a queue's own limit is looked up for each.
    fn passed_over(&self, class: &Class, waited_ms: u64, id: ContactId, contact: &Contact) -> PassedOver {
        let mut counts = PassedOver { unqualified: self.index.floor.agents, ..PassedOver::default() };
        let open = class.open_to(waited_ms);
        for (n, profile) in self.index.floor.qualified(class) {
            let routable = u32::try_from(profile.routable.get(contact.channel).len()).unwrap_or(u32::MAX);
            counts.unqualified = counts.unqualified.saturating_sub(profile.agents);
            counts.not_there += profile.agents.saturating_sub(profile.there);
            counts.full += profile.there.saturating_sub(routable);
            if !open.is_some_and(|open| open.contains(n)) {
                counts.later += routable;
            } else if class.per_agent_max.is_some() {
                let at_limit = profile.in_order(class).filter(|(.., agent)| {
                    let desk = self.index.desks.get(agent);
                    desk.is_some_and(|desk| !desk.has_room_in(&class.key.queue, class.per_agent_max))
                });
                counts.full += u32::try_from(at_limit.count()).unwrap_or(u32::MAX);
            }
        }
        let takes = |desk: &Desk| {
            open.is_some_and(|open| open.contains(desk.profile))
                && desk.is_routable(contact.channel)
                && desk.has_room_in(&class.key.queue, class.per_agent_max)
        };
        let barred = contact.declines.iter().map(|decline| decline.agent).filter(|agent| {
            self.index.desks.get(agent).is_some_and(takes) && self.is_barred(*agent, id, contact)
        });
        counts.declined = u32::try_from(barred.count()).unwrap_or(u32::MAX);
        counts
    }
}
