//! Whose agents may have a contact, wider with the time that it has waited.

use std::collections::BTreeSet;

use conditions::{Node, Truth, Value};
use protocol::config::Step;
use protocol::input::SkillNeed;
use protocol::{SkillLevel, SubjectToken};

use crate::floor::{ClassKey, ProfileKey};
use crate::policy::Policy;

/// One step of a class of contacts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ring {
    /// From which wait on, ms.
    pub(crate) after_ms: u64,
    queues: BTreeSet<SubjectToken>,
    /// Empty for any.
    teams: BTreeSet<SubjectToken>,
    /// All of one of these.
    any_of: Vec<Vec<SkillNeed>>,
    /// What is left to ask of an agent's attributes.
    asks: Option<Node>,
}

impl Ring {
    /// Whether agents of this profile belong to it; the channel decides for itself.
    pub(crate) fn admits(&self, profile: &ProfileKey) -> bool {
        self.serves(profile)
            && self.wants_team_of(profile)
            && self.asks_nothing_else_of(profile)
            && self.any_of.iter().any(|all| profile.lacks(all).is_none())
    }

    /// Whether its conditions hold; what is unknown does not.
    pub(crate) fn asks_nothing_else_of(&self, profile: &ProfileKey) -> bool {
        let Some(asks) = &self.asks else { return true };
        let known: Vec<_> = profile.attributes.iter().map(|value| value.as_ref().map(Value::from)).collect();
        asks.truth(&known) == Truth::Holds
    }

    pub(crate) fn serves(&self, profile: &ProfileKey) -> bool {
        !self.queues.is_disjoint(&profile.queues)
    }

    pub(crate) fn wants_team_of(&self, profile: &ProfileKey) -> bool {
        self.teams.is_empty() || profile.team.as_ref().is_some_and(|team| self.teams.contains(team))
    }

    /// What a profile lacks for the first of the alternatives.
    pub(crate) fn lacks(&self, profile: &ProfileKey) -> Option<&SkillNeed> {
        self.any_of.first().and_then(|all| profile.lacks(all))
    }
}

/// The rings of a class, by time.
pub(crate) fn rings(policy: &Policy, class: &ClassKey) -> Vec<Ring> {
    let queue = policy.queue(&class.queue);
    let steps = queue.map(|queue| queue.steps.as_slice()).unwrap_or_default();
    if steps.is_empty() {
        let queues = [class.queue.clone()].into();
        let any_of = vec![class.needs.clone()];
        return vec![Ring { after_ms: 0, queues, teams: BTreeSet::new(), any_of, asks: None }];
    }
    let asks = |step: usize| class.asks.get(step).cloned().flatten();
    steps.iter().enumerate().map(|(n, step)| ring(policy, step, class, asks(n))).collect()
}

fn ring(policy: &Policy, step: &Step, class: &ClassKey, asks: Option<Node>) -> Ring {
    let queues = if step.queues.is_empty() { [class.queue.clone()].into() } else { step.queues.clone() };
    let is_asked = |need: &&SkillNeed| !step.any_language || !policy.is_language(&need.skill);
    let own: Vec<SkillNeed> = class.needs.iter().filter(is_asked).cloned().collect();
    let alternatives = if step.any_of.is_empty() { std::slice::from_ref(&own) } else { &step.any_of };
    let any_of = alternatives.iter().map(|all| eased(all, step.ease)).collect();
    Ring { after_ms: step.after_ms, queues, teams: step.teams.clone(), any_of, asks }
}

fn eased(needs: &[SkillNeed], by: u8) -> Vec<SkillNeed> {
    let lower = |need: &SkillNeed| {
        let level = u8::from(need.level).checked_sub(by)?;
        Some(SkillNeed { skill: need.skill.clone(), level: SkillLevel::try_from(level).ok()? })
    };
    needs.iter().filter_map(lower).collect()
}
