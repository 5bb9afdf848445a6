//! Who comes first, who is asked, and how many one can hold: the parts of a policy that weigh.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Faults, Known, Queue, RoutingConfig};
use crate::input::SkillNeed;
use crate::limits::{
    AGEING_PERCENT_MAX, ALTERNATIVES_PER_STEP_MAX, CAPACITY_MAX, CONDITIONS_PER_CARD_MAX, MISSES_MAX,
    ORDER_MS_MAX, SILENCE_MS_MIN, SKILLS_PER_CONTACT_MAX, STEPS_PER_QUEUE_MAX,
};
use crate::token::{ChannelKind, SubjectToken};

/// What a priority is worth, in milliseconds of waiting.
///
/// The score of a waiting contact is `waited * ageing_percent / 100 + head_start`; the highest is served first. A head start
/// alone moves a contact forward by that time and no more; different ageing is Kleinrock's accumulating priority (A delay
/// dependent queue discipline, 1964).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PriorityClass {
    /// Which priority.
    pub priority: u8,
    /// What it starts with, ms of waiting.
    pub head_start_ms: u64,
    /// How fast its waiting counts, percent; at least 1, so that nobody is forgotten.
    pub ageing_percent: u32,
}

/// Which of the agents who may have a contact is asked; ties go to who is idle for longest, then by id.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum AgentChoice {
    /// Whose contacts have not changed for longest.
    #[default]
    LongestIdle,
    /// Who holds the smallest share of what they can.
    LeastOccupied,
    /// Who has room for most contacts of this channel.
    MostSpare,
    /// Who commands the needed skills best: the highest sum of levels.
    BestProficiency,
}

impl AgentChoice {
    /// Whether it is the usual one.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// From some time on, who else may have the contacts of a queue; earlier steps stay open.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// How long a contact has waited when it begins, ms.
    pub after_ms: u64,
    /// Whose agents: who serves any of these queues; empty for the queue itself.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub queues: BTreeSet<SubjectToken>,
    /// Of which teams, besides; empty for any.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub teams: BTreeSet<SubjectToken>,
    /// What they must command: all of one of these lists; empty for what the contact needs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub any_of: Vec<Vec<SkillNeed>>,
    /// Whether the customer's language is not asked for any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub any_language: bool,
    /// By how many levels every need is lowered; one that falls below 1 asks for nothing.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub ease: u8,
    /// CEL expressions of one line over facts of the contact and of the agent, all of which have to hold for an agent to belong
    /// to it; what is unknown does not hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub when: Vec<String>,
}

/// How an answer that is nearly due presses the order: from `window_ms` before `within_ms` of waiting its contacts gain a head
/// start, which grows evenly to `head_start_ms` and stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BreachBoost {
    /// The wait within which a contact should be answered, ms.
    pub within_ms: u64,
    /// How long before it the pressure begins, ms; at most `within_ms`.
    pub window_ms: u64,
    /// What it comes to, ms of waiting.
    pub head_start_ms: u64,
}

/// What a queue promises its customers: how soon they are answered, and that it ends.
///
/// The first and every further response run from the customer's words to an agent's; the resolution runs from the beginning, and
/// stands still while the customer owes an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceLevel {
    /// Until the first words of an agent, ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_ms: Option<u64>,
    /// Until an agent's answer to each further message, ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_ms: Option<u64>,
    /// Until the contact is resolved, ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution_ms: Option<u64>,
    /// Whether only the time counts in which the queue is open.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub business: bool,
    /// After how much of the time somebody is warned, percent.
    #[serde(default = "eighty", skip_serializing_if = "is_eighty")]
    pub warn_percent: u8,
    /// Whether a contact that waits when its time is over comes before all others.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub escalate: bool,
}

const fn eighty() -> u8 {
    80
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
const fn is_eighty(percent: &u8) -> bool {
    *percent == eighty()
}

/// What a contact of a channel takes of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChannelRule {
    /// Which channel.
    pub channel: ChannelKind,
    /// What one contact counts towards [`super::Agent::load_max`].
    pub weight: u16,
    /// Whether it takes an agent whole: nothing else beside it, but what is interruptible and was there before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exclusive: bool,
    /// Whether it may be laid aside: it takes no room from contacts that may not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub interruptible: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(number: &u8) -> bool {
    *number == 0
}

impl Queue {
    fn promise_faults(&self, n: usize, faults: &mut Faults) {
        let path = |key: &str| format!("queues[{n}].{key}");
        if let Some(service) = &self.service {
            let times = [service.first_ms, service.next_ms, service.resolution_ms];
            if times.iter().flatten().next().is_none() {
                faults
                    .add(path("service"), "nothing is promised: expected first_ms, next_ms or resolution_ms");
            }
            for time in times.into_iter().flatten() {
                faults.order_ms(path("service"), time);
                if time == 0 {
                    faults.add(path("service"), "nobody answers in no time: expected more than 0 ms");
                }
            }
            if service.warn_percent == 0 || service.warn_percent > 100 {
                faults.add(path("service"), "warn_percent: expected 1 to 100");
            }
            if service.business && self.hours.is_none() {
                faults.add(
                    path("service"),
                    "business time is the time in which the queue is open: give it hours",
                );
            }
        }
    }

    fn hours_faults(&self, n: usize, faults: &mut Faults, known: &Known<'_>) {
        let path = |key: &str| format!("queues[{n}].{key}");
        if let Some(hours) = &self.hours {
            faults.known(path("hours"), "hours", hours, &known.hours);
        }
        if let Some(overflow) = &self.overflow {
            faults.known(path("overflow"), "queue", overflow, &known.queues);
            if self.hours.is_none() {
                faults.add(path("overflow"), "this queue never closes: give it hours, or leave overflow out");
            }
            if *overflow == self.name {
                faults.add(path("overflow"), "a queue cannot overflow into itself: expected another one");
            }
        }
    }

    pub(super) fn faults(&self, n: usize, faults: &mut Faults, known: &Known<'_>) {
        let path = |key: &str| format!("queues[{n}].{key}");
        if self.offer_ms == 0 {
            faults.add(path("offer_ms"), "an offer needs time: expected at least 1 ms");
        }
        if let Some(bound) = self.wait_bound_ms {
            faults.order_ms(path("wait_bound_ms"), bound);
        }
        if self.per_agent_max.is_some_and(|most| most == 0 || most > CAPACITY_MAX) {
            faults.add(path("per_agent_max"), &format!("expected 1 to {CAPACITY_MAX}"));
        }
        for (key, after) in
            [("silent_after_ms", self.silent_after_ms), ("close_after_ms", self.close_after_ms)]
        {
            if let Some(after) = after {
                faults.order_ms(path(key), after);
                if after < SILENCE_MS_MIN {
                    let message =
                        format!("nobody answers as fast as that: expected at least {SILENCE_MS_MIN} ms");
                    faults.add(path(key), &message);
                }
            }
        }
        if let (Some(silent), Some(close)) = (self.silent_after_ms, self.close_after_ms)
            && close < silent
        {
            faults.add(
                path("close_after_ms"),
                "a contact is laid aside before it ends: expected at least silent_after_ms",
            );
        }
        if let Some(warning) = self.close_warning_ms
            && (warning == 0 || self.close_after_ms.is_none_or(|close| warning >= close))
        {
            faults.add(
                path("close_warning_ms"),
                "a customer is warned before their contact ends: expected more than 0 ms and less than close_after_ms",
            );
        }
        self.promise_faults(n, faults);
        self.hours_faults(n, faults, known);
        if self.misses_max == 0 || self.misses_max > MISSES_MAX {
            faults.add(path("misses_max"), &format!("expected 1 to {MISSES_MAX}"));
        }
        if let Some(breach) = &self.breach {
            faults.order_ms(path("breach"), breach.within_ms.max(breach.head_start_ms));
            if breach.window_ms == 0 || breach.window_ms > breach.within_ms {
                let message =
                    "the window lies before the answer is due: expected more than 0 and at most within_ms";
                faults.add(path("breach"), message);
            }
        }
        faults.at_most(&path("steps"), self.steps.len(), STEPS_PER_QUEUE_MAX);
        let mut before = None;
        for (k, step) in self.steps.iter().enumerate() {
            let path = format!("queues[{n}].steps[{k}]");
            faults.order_ms(path.clone(), step.after_ms);
            if before.is_some_and(|before| before >= step.after_ms) {
                faults
                    .add(path.clone(), "steps follow each other: expected a later time than the step before");
            }
            before = Some(step.after_ms);
            step.faults(&path, faults, known);
        }
    }
}

impl Step {
    fn faults(&self, path: &str, faults: &mut Faults, known: &Known<'_>) {
        for queue in &self.queues {
            faults.known(path.to_owned(), "queue", queue, &known.queues);
        }
        for team in &self.teams {
            faults.known(path.to_owned(), "team", team, &known.teams);
        }
        faults.at_most(&format!("{path}.when"), self.when.len(), CONDITIONS_PER_CARD_MAX);
        faults.at_most(path, self.any_of.len(), ALTERNATIVES_PER_STEP_MAX);
        for all in &self.any_of {
            faults.at_most(path, all.len(), SKILLS_PER_CONTACT_MAX);
            for need in all {
                faults.known(path.to_owned(), "skill", &need.skill, &known.skills);
            }
        }
    }
}

impl RoutingConfig {
    pub(super) fn order_faults(&self, faults: &mut Faults) {
        let mut seen = BTreeSet::new();
        for (n, class) in self.priorities.iter().enumerate() {
            if !seen.insert(class.priority) {
                faults.add(format!("priorities[{n}].priority"), "this priority stands twice");
            }
            faults.order_ms(format!("priorities[{n}].head_start_ms"), class.head_start_ms);
            if class.ageing_percent == 0 || class.ageing_percent > AGEING_PERCENT_MAX {
                let message = format!(
                    "ageing of {} %: expected 1 to {AGEING_PERCENT_MAX}, as at 0 a contact could wait for ever",
                    class.ageing_percent
                );
                faults.add(format!("priorities[{n}].ageing_percent"), &message);
            }
        }
        if !self.priorities.is_empty() {
            self.unlisted_priorities(faults, &seen);
        }
        let mut seen = BTreeSet::new();
        for (n, rule) in self.channels.iter().enumerate() {
            if !seen.insert(rule.channel) {
                faults.add(format!("channels[{n}].channel"), "this channel stands twice");
            }
            if rule.weight > CAPACITY_MAX {
                faults.add(format!("channels[{n}].weight"), &format!("expected at most {CAPACITY_MAX}"));
            }
            if rule.exclusive && rule.interruptible {
                let message = "what takes an agent whole cannot be laid aside: expected one of the two";
                faults.add(format!("channels[{n}].exclusive"), message);
            }
        }
        for (n, agent) in self.agents.iter().enumerate() {
            if agent.load_max.is_some_and(|most| most == 0 || most > CAPACITY_MAX) {
                faults.add(format!("agents[{n}].load_max"), &format!("expected 1 to {CAPACITY_MAX}"));
            }
        }
    }

    /// Contacts at risk come under priority 0, so that it has to be listed too.
    fn unlisted_priorities(&self, faults: &mut Faults, listed: &BTreeSet<u8>) {
        let accounts = self.accounts.iter().enumerate();
        let accounts = accounts.map(|(n, one)| (format!("accounts[{n}].priority"), one.priority));
        let categories = self.categories.iter().enumerate();
        let categories =
            categories.filter_map(|(n, one)| Some((format!("categories[{n}].priority"), one.priority?)));
        let at_risk = std::iter::once(("priorities".to_owned(), 0));
        for (path, priority) in accounts.chain(categories).chain(at_risk) {
            if !listed.contains(&priority) {
                faults.add(path, &format!("priority {priority} has no entry in priorities: add one"));
            }
        }
    }
}

impl Faults {
    fn order_ms(&mut self, path: String, ms: u64) {
        if ms > ORDER_MS_MAX {
            self.add(path, &format!("{ms} ms: expected at most a year, {ORDER_MS_MAX} ms"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Account, Agent};
    use crate::ids::AgentId;
    use crate::token::SkillLevel;

    fn token(text: &str) -> SubjectToken {
        SubjectToken::new(text).unwrap()
    }

    fn step(after_ms: u64) -> Step {
        Step { after_ms, ..Step::default() }
    }

    fn paths(config: &RoutingConfig) -> Vec<String> {
        config.faults().into_iter().map(|fault| fault.path).collect()
    }

    #[test]
    fn steps_may_be_as_many_as_their_limit_and_no_more() {
        let steps = |count: usize| (0..count as u64).map(step).collect();
        let config = |count| RoutingConfig {
            queues: vec![Queue { steps: steps(count), ..Queue::new(token("a")) }],
            ..RoutingConfig::default()
        };
        assert_eq!(config(STEPS_PER_QUEUE_MAX).faults(), []);
        assert_eq!(paths(&config(STEPS_PER_QUEUE_MAX + 1)), ["queues[0].steps"]);
    }

    #[test]
    fn a_step_has_its_limits_and_names_what_is_there() {
        let need = SkillNeed { skill: token("magic"), level: SkillLevel::LOWEST };
        let with = |alternatives| Step { any_of: vec![Vec::new(); alternatives], ..step(0) };
        let queue = |step| Queue { steps: vec![step], ..Queue::new(token("a")) };
        let config = |step| RoutingConfig { queues: vec![queue(step)], ..RoutingConfig::default() };
        assert_eq!(config(with(ALTERNATIVES_PER_STEP_MAX)).faults(), []);
        assert_eq!(paths(&config(with(ALTERNATIVES_PER_STEP_MAX + 1))).len(), 1);
        assert_eq!(config(step(ORDER_MS_MAX)).faults(), []);
        assert_eq!(paths(&config(step(ORDER_MS_MAX + 1))).len(), 1);
        let strange = Step {
            queues: [token("b")].into(),
            teams: [token("t")].into(),
            any_of: vec![vec![need]],
            ..step(0)
        };
        assert_eq!(paths(&config(strange)), ["queues[0].steps[0]"; 3]);
    }

    #[test]
    fn what_cannot_be_weighed_is_told_all_at_once() {
        let class = |priority, ageing_percent| PriorityClass { priority, head_start_ms: 0, ageing_percent };
        let rule = |weight, exclusive| ChannelRule {
            channel: ChannelKind::Web,
            weight,
            exclusive,
            interruptible: exclusive,
        };
        let config = RoutingConfig {
            queues: vec![Queue {
                steps: vec![step(5), step(5)],
                wait_bound_ms: Some(ORDER_MS_MAX + 1),
                per_agent_max: Some(0),
                misses_max: MISSES_MAX + 1,
                breach: Some(BreachBoost { within_ms: 10, window_ms: 11, head_start_ms: 0 }),
                ..Queue::new(token("a"))
            }],
            accounts: vec![Account {
                channel: ChannelKind::Web,
                name: token("shop"),
                title: String::new(),
                queue: token("a"),
                priority: 7,
                practice: false,
            }],
            agents: vec![Agent {
                load_max: Some(CAPACITY_MAX + 1),
                ..Agent::new(AgentId(uuid::Uuid::nil()), token("ada"))
            }],
            priorities: vec![class(1, 0), class(1, AGEING_PERCENT_MAX + 1)],
            channels: vec![rule(CAPACITY_MAX + 1, false), rule(1, true)],
            ..RoutingConfig::default()
        };
        let found: BTreeSet<_> = paths(&config).into_iter().collect();
        let expected = [
            "accounts[0].priority",
            "agents[0].load_max",
            "channels[0].weight",
            "channels[1].channel",
            "channels[1].exclusive",
            "priorities",
            "priorities[0].ageing_percent",
            "priorities[1].ageing_percent",
            "priorities[1].priority",
            "queues[0].breach",
            "queues[0].misses_max",
            "queues[0].per_agent_max",
            "queues[0].steps[1]",
            "queues[0].wait_bound_ms",
        ];
        assert_eq!(found, expected.map(str::to_owned).into());
    }
}
