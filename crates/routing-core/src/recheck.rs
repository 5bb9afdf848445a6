//! A choice made once more from its definition: every agent and every contact is looked at, and no index is asked who comes first.

use std::cmp::Reverse;

use protocol::config::{Agent, AgentChoice};
use protocol::limits::RUNNERS_UP_MAX;
use protocol::record::{ChoiceRule, Event, PassedOver, Receipt};
use protocol::{AgentId, ContactId, Millis};

use crate::contact::Contact;
use crate::explain::{Standing, rings_of, standing};
use crate::state::State;

/// What is wrong with an offer and its receipt, given the state just before it and the time of its record; empty if the same
/// agent and the same contact are chosen again, for the same reasons. Other events have nothing to check.
#[must_use]
pub fn recheck(state: &State, at: Millis, event: &Event) -> Vec<String> {
    let Event::OfferMade { contact: id, agent, receipt, .. } = event else { return Vec::new() };
    let Some(contact) = state.contact(*id) else { return vec![format!("{id} is not open")] };
    let mut again = Again { state, at, id: *id, contact, found: Vec::new() };
    if receipt.rule == ChoiceRule::Picked {
        again.picked(*agent);
        again.times(*agent, receipt);
        return again.found;
    }
    again.agents(*agent, receipt);
    again.contacts(*agent);
    again.times(*agent, receipt);
    again.found
}

struct Again<'a> {
    state: &'a State,
    at: Millis,
    id: ContactId,
    contact: &'a Contact,
    found: Vec<String>,
}

impl Again<'_> {
    fn expect<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, told: &T, again: &T) {
        if told != again {
            self.found.push(format!("{what}: {told:?} was told, {again:?} is found"));
        }
    }

    /// Nobody chose: who took it must have been able to have it, whether they were there and had said no or not.
    fn picked(&mut self, agent: AgentId) {
        if !self.state.is_able(self.at, agent, self.id, self.contact) {
            self.found.push(format!("{agent} picked {} and is not able for it", self.id));
        }
        let queue = self.state.index.policy.queue(&self.contact.queue);
        if !queue.is_some_and(|queue| queue.picking) {
            self.found.push(format!("{} was picked, and its queue does not let", self.id));
        }
    }

    /// Who could have it, the best first, and why the others could not.
    fn agents(&mut self, winner: AgentId, receipt: &Receipt) {
        let choose = self.state.index.policy.queue(&self.contact.queue).map(|queue| queue.choose);
        let choose = choose.unwrap_or_default();
        let rings = rings_of(self.state, self.id, self.contact);
        let here = (self.id, self.contact);
        let mut able = Vec::new();
        let mut passed = PassedOver::default();
        for config in &self.state.config().agents {
            let Some(stands) = standing(self.state, self.at, here, &rings, config) else { continue };
            match stands {
                Standing::Able => able.push(self.rank(choose, config)),
                Standing::Chosen | Standing::StandsBack { .. } => {}
                Standing::Declined { .. } => passed.declined += 1,
                Standing::Later { .. } => passed.later += 1,
                Standing::QueueFull { .. } | Standing::Full { .. } => passed.full += 1,
                Standing::NotThere { .. } => passed.not_there += 1,
                Standing::LacksSkill { .. }
                | Standing::FailsCondition { .. }
                | Standing::NotInTeam
                | Standing::NotAPerson
                | Standing::NotOnChannel
                | Standing::NotInQueue => passed.unqualified += 1,
            }
        }
        able.sort_unstable();
        let mut able = able.into_iter().map(|(.., agent)| agent);
        self.expect("the agent", &Some(winner), &able.next());
        if self.contact.preferred().is_some() {
            return self.expect("the rule", &receipt.rule, &ChoiceRule::Preferred);
        }
        let told: Vec<_> = receipt.runners_up.iter().map(|one| one.agent).collect();
        self.expect("the runners-up", &told, &able.take(RUNNERS_UP_MAX).collect());
        // Who has as many of the queue as they may, and is of a later step too, is told for one of the two.
        let sums = |one: &PassedOver| (one.unqualified, one.not_there, one.declined, one.full + one.later);
        self.expect("passed over", &sums(&receipt.passed_over), &sums(&passed));
    }

    /// Smaller is asked first.
    fn rank(&self, choose: AgentChoice, agent: &Agent) -> (i64, Millis, AgentId) {
        let channel = self.contact.channel;
        let weight = |channel| {
            let rule = self.state.config().channels.iter().find(|rule| rule.channel == channel);
            rule.map_or(1, |rule| i64::from(rule.weight))
        };
        let rank = match choose {
            AgentChoice::LongestIdle => 0,
            AgentChoice::LeastOccupied => {
                let held = self.state.held_by(agent.id).filter_map(|id| self.state.contact(id));
                let load: i64 = held.map(|one| weight(one.channel)).sum();
                let slots =
                    agent.capacity.iter().map(|(channel, slots)| i64::from(*slots) * weight(*channel));
                let most = agent.load_max.map_or_else(|| slots.sum(), i64::from);
                (load * 1_000).checked_div(most).unwrap_or(0)
            }
            AgentChoice::MostSpare => {
                let desk = self.state.index.desks.get(&agent.id);
                -desk.map_or(0, |desk| i64::from(desk.room.spare(channel)))
            }
            AgentChoice::BestProficiency => {
                let level = |need: &protocol::input::SkillNeed| {
                    agent.skills.get(&need.skill).map(|level| level.get())
                };
                -self.contact.needs.iter().filter_map(level).map(i64::from).sum::<i64>()
            }
        };
        let idle_since = self.state.agent(agent.id).map_or(Millis(0), |known| known.idle_since);
        (rank, idle_since, agent.id)
    }

    /// Nobody whom this agent could have comes before.
    fn contacts(&mut self, winner: AgentId) {
        let Some(config) = self.state.config().agents.iter().find(|config| config.id == winner) else {
            return;
        };
        let order = |id: ContactId, contact: &Contact| {
            let score = self.state.score(self.at, id, contact)?;
            Some((contact.preferred().is_none(), Reverse(score), contact.since, id))
        };
        let Some(here) = order(self.id, self.contact) else {
            return self.found.push(format!("{} does not wait", self.id));
        };
        let could = |id: ContactId, other: &Contact| {
            let rings = || rings_of(self.state, id, other);
            !self.state.is_closed(&other.queue)
                && standing(self.state, self.at, (id, other), &rings(), config) == Some(Standing::Able)
        };
        let before = self
            .state
            .contacts()
            .find(|(id, other)| order(*id, other).is_some_and(|place| place < here) && could(*id, other));
        if let Some((id, _)) = before {
            self.found.push(format!("the contact: {} was offered, {id} comes before it", self.id));
        }
        if self.state.is_closed(&self.contact.queue) {
            self.found.push(format!("{} is closed", self.contact.queue));
        }
    }

    fn times(&mut self, winner: AgentId, receipt: &Receipt) {
        let idle = self.state.agent(winner).map_or(0, |known| self.at.since(known.idle_since));
        self.expect("the idle time", &receipt.idle_ms, &idle);
        self.expect("the wait", &receipt.waited_ms, &self.at.since(self.contact.since));
        let here = (self.id, self.contact);
        let alike = |id, other: &Contact| other.is_waiting() && self.state.is_same_class(here, (id, other));
        let waiting = self.state.contacts().filter(|(id, other)| alike(*id, other)).count();
        self.expect(
            "waiting in its class",
            &receipt.waiting_in_class,
            &u32::try_from(waiting).unwrap_or(u32::MAX),
        );
    }
}
