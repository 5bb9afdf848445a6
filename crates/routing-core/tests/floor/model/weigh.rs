//! Steps, scores, ranks and room, from their definitions.

use protocol::config::{Agent, AgentChoice, ChannelRule, Route};
use protocol::facts::{FactValue, FactValues};
use protocol::input::SkillNeed;
use protocol::{ChannelKind, Millis};

use super::{At, Known, Model};

/// Past the bound, then the worth of the priority where it comes strictly first, then the rest.
pub(super) type Score = (u64, u8, u64);

impl Model {
    /// After which wait an agent may have a contact, ms; whether they are of its channel is not looked at.
    pub(super) fn reached_after(&self, agent: &Agent, contact: &Known) -> Option<u64> {
        let queue = self.queue(contact);
        let commands = |needs: &[SkillNeed], ease: u8| {
            needs.iter().all(|need| {
                let has = agent.skills.get(&need.skill).map_or(0, |level| level.get());
                has + ease >= need.level.get()
            })
        };
        if queue.steps.is_empty() {
            let qualified = agent.queues.contains(&queue.name) && commands(&contact.needs, 0);
            return qualified.then_some(0);
        }
        let admits = |step: &&protocol::config::Step| {
            let serves = if step.queues.is_empty() {
                agent.queues.contains(&queue.name)
            } else {
                step.queues.iter().any(|queue| agent.queues.contains(queue))
            };
            let is_spoken =
                |need: &SkillNeed| self.config.languages.values().any(|one| one.skill == need.skill);
            let asked: Vec<_> =
                contact.needs.iter().filter(|need| !step.any_language || !is_spoken(need)).cloned().collect();
            let able = if step.any_of.is_empty() {
                commands(&asked, step.ease)
            } else {
                step.any_of.iter().any(|all| commands(all, step.ease))
            };
            let of_team = step.teams.is_empty() || agent.team.iter().any(|team| step.teams.contains(team));
            let agrees = step.when.iter().all(|text| holds(text, agent, &contact.facts));
            serves && able && of_team && agrees
        };
        queue.steps.iter().filter(admits).map(|step| step.after_ms).min()
    }

    pub(super) fn score(&self, at: Millis, contact: &Known) -> Score {
        let (queue, waited) = (self.queue(contact), at.since(contact.since));
        if let Some(bound) = queue.wait_bound_ms.filter(|bound| waited >= *bound) {
            return (1 + waited - bound, 0, 0);
        }
        let pressed = queue.breach.map_or(0, |breach| {
            let from = breach.within_ms - breach.window_ms;
            if waited <= from {
                0
            } else if waited >= breach.within_ms {
                breach.head_start_ms
            } else {
                breach.head_start_ms * (waited - from) / breach.window_ms
            }
        });
        if self.config.priorities.is_empty() {
            return (0, 255 - contact.priority, waited + pressed);
        }
        let class = self.config.priorities.iter().find(|class| class.priority == contact.priority);
        let worth = class
            .map_or(waited, |class| class.head_start_ms + waited * u64::from(class.ageing_percent) / 100);
        (0, 0, worth + pressed)
    }

    /// Smaller comes first.
    pub(super) fn rank(&self, choose: AgentChoice, agent: &Agent, contact: &Known) -> i64 {
        match choose {
            AgentChoice::LongestIdle => 0,
            AgentChoice::LeastOccupied => {
                let weigh = |slots: u16, channel| i64::from(slots) * i64::from(self.rule(channel).weight);
                let channels = ChannelKind::ALL.into_iter();
                let held: i64 = channels.map(|channel| weigh(self.held(agent.id, channel), channel)).sum();
                let slots = agent.capacity.iter().map(|(channel, slots)| weigh(*slots, *channel)).sum();
                held * 1_000 / agent.load_max.map_or(slots, i64::from)
            }
            AgentChoice::MostSpare => {
                let more = (0..200).take_while(|more| self.fits(agent, contact.channel, *more)).count();
                -i64::try_from(more).unwrap()
            }
            AgentChoice::BestProficiency => {
                let level = |need: &SkillNeed| agent.skills.get(&need.skill).map_or(0, |level| level.get());
                -contact.needs.iter().map(|need| i64::from(level(need))).sum::<i64>()
            }
        }
    }

    pub(super) fn has_room(&self, agent: &Agent, contact: &Known) -> bool {
        let of_queue = self.contacts.values().filter(|known| {
            let held = matches!(known.at, At::Offered(id) | At::With(id) | At::WrapUp(id) if id == agent.id);
            held && known.queue == contact.queue
        });
        let most = self.queue(contact).per_agent_max.map_or(usize::MAX, usize::from);
        of_queue.count() < most && self.fits(agent, contact.channel, 0)
    }

    /// Whether one more of a channel goes in when there were so many more already.
    fn fits(&self, agent: &Agent, channel: ChannelKind, more: u16) -> bool {
        let takes = self.rule(channel);
        let held = |other| self.held(agent.id, other) + if other == channel { more } else { 0 };
        if held(channel) >= agent.capacity.get(&channel).copied().unwrap_or(0) {
            return false;
        }
        let mut load = u32::from(takes.weight);
        for other in ChannelKind::ALL {
            let (rule, count) = (self.rule(other), held(other));
            if count > 0 && (rule.exclusive || takes.exclusive && !rule.interruptible) {
                return false;
            }
            if takes.interruptible || !rule.interruptible {
                load += u32::from(count) * u32::from(rule.weight);
            }
        }
        agent.load_max.is_none_or(|most| load <= u32::from(most))
    }

    fn rule(&self, channel: ChannelKind) -> ChannelRule {
        let rule = self.config.channels.iter().find(|rule| rule.channel == channel).copied();
        rule.unwrap_or(ChannelRule { channel, weight: 1, exclusive: false, interruptible: false })
    }

    /// What may not be laid aside never exceeds the limit, as long as the configuration stays.
    pub(super) fn check_load(&self, agent: &Agent) {
        let firm = ChannelKind::ALL.into_iter().filter(|channel| !self.rule(*channel).interruptible);
        let weigh = |channel| u32::from(self.held(agent.id, channel)) * u32::from(self.rule(channel).weight);
        let load: u32 = firm.map(weigh).sum();
        let limit = agent.load_max.map(u32::from);
        assert!(limit.is_none_or(|most| load <= most), "{} holds {load} of {limit:?}", agent.name);
    }
}

fn text<'a>(facts: &'a FactValues, name: &str) -> Option<&'a str> {
    match facts.get(&name.parse().unwrap()) {
        Some(FactValue::Text(text)) => Some(text),
        _ => None,
    }
}

fn value_of_order(facts: &FactValues) -> i64 {
    match facts.get(&"order.value".parse().unwrap()) {
        Some(FactValue::Int(value)) => *value,
        _ => 0,
    }
}

/// What the conditions of steps in `policies` mean.
fn holds(condition: &str, agent: &Agent, facts: &FactValues) -> bool {
    match condition {
        "agent.senior || order.value <= 500" => {
            let senior = agent.attributes.get(&"agent.senior".parse().unwrap());
            senior == Some(&FactValue::Bool(true)) || value_of_order(facts) <= 500
        }
        "agent.site == customer.site" => {
            let site = text(&agent.attributes, "agent.site");
            site.is_some() && site == text(facts, "customer.site")
        }
        _ => panic!("{condition} is of no policy"),
    }
}

/// What the routes in `policies` mean.
pub(super) fn takes(route: &Route, facts: &FactValues) -> bool {
    match route.name.as_str() {
        "gold" => text(facts, "customer.tier") == Some("gold") && value_of_order(facts) > 400,
        "known" => {
            facts.get(&"contact.returning".parse().unwrap()) == Some(&FactValue::Bool(true))
                && text(facts, "contact.category") == Some("")
        }
        name => panic!("{name} is of no policy"),
    }
}
