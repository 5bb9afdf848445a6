//! Which commands were answered, and how (law 5): the same id again gets the same answer.

use std::collections::BTreeMap;

use protocol::remedies::RemedyOutcome;
use protocol::{AgentId, CommandId, Millis};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Days for which an answer is remembered after its own day: its id may carry a clock that is a day ahead, may be used for a
/// day after that, and a day is spare.
const COMMAND_DAYS: u32 = 3;

type AnswersOfDay = BTreeMap<AgentId, BTreeMap<CommandId, RemedyOutcome>>;

/// Answers by day and agent: an id that another agent's client made up must not answer for them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    days: BTreeMap<u32, AnswersOfDay>,
    count: usize,
}

impl Memory {
    pub(crate) fn find(&self, agent: AgentId, id: CommandId) -> Option<&RemedyOutcome> {
        self.days.values().rev().find_map(|agents| agents.get(&agent)?.get(&id))
    }

    pub(crate) fn remember(&mut self, at: Millis, agent: AgentId, id: CommandId, outcome: &RemedyOutcome) {
        let agents = self.days.entry(at.day()).or_default();
        let before = agents.entry(agent).or_default().insert(id, outcome.clone());
        self.count += usize::from(before.is_none());
    }

    /// Of the oldest day those that sort first go.
    pub(crate) fn keep(&mut self, most: usize) {
        while self.count > most {
            let Some(mut day) = self.days.first_entry() else { return };
            let Some(mut agent) = day.get_mut().first_entry() else {
                day.remove();
                continue;
            };
            self.count = self.count.saturating_sub(usize::from(agent.get_mut().pop_first().is_some()));
            if agent.get().is_empty() {
                agent.remove();
            }
        }
    }

    /// Drops the days that nobody can ask for any more.
    pub(crate) fn forget(&mut self, at: Millis) {
        let first_kept = at.day().saturating_sub(COMMAND_DAYS);
        while let Some(day) = self.days.first_entry().filter(|day| *day.key() < first_kept) {
            self.count = self.count.saturating_sub(count_of(&day.remove()));
        }
    }
}

fn count_of(agents: &AnswersOfDay) -> usize {
    agents.values().map(BTreeMap::len).sum()
}

impl Serialize for Memory {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.days.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Memory {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let days = BTreeMap::<u32, AnswersOfDay>::deserialize(deserializer)?;
        let count = days.values().map(count_of).sum();
        Ok(Self { days, count })
    }
}

#[cfg(test)]
mod tests {
    use protocol::time::DAY_MS;
    use uuid::Uuid;

    use super::*;

    fn agent(n: u128) -> AgentId {
        AgentId(Uuid::from_u128(n))
    }

    fn command(n: u128) -> CommandId {
        CommandId(Uuid::from_u128(n))
    }

    #[test]
    fn an_answer_is_kept_for_three_days_after_its_own_and_for_its_agent_only() {
        let mut memory = Memory::default();
        memory.remember(Millis(5), agent(1), command(7), &RemedyOutcome::Done);
        assert_eq!(memory.find(agent(1), command(7)), Some(&RemedyOutcome::Done));
        assert_eq!(memory.find(agent(2), command(7)), None);
        memory.forget(Millis(4 * DAY_MS - 1));
        assert!(memory.find(agent(1), command(7)).is_some());
        memory.forget(Millis(4 * DAY_MS));
        assert_eq!(memory, Memory::default());
    }

    #[test]
    fn at_the_limit_all_are_kept_and_past_it_the_oldest_day_loses_some() {
        let mut memory = Memory::default();
        for n in 0..4 {
            let at = Millis(u64::try_from(n).unwrap() * DAY_MS / 2);
            memory.remember(at, agent(n % 2), command(n), &RemedyOutcome::Done);
        }
        memory.keep(4);
        assert!((0..4).all(|n| memory.find(agent(n % 2), command(n)).is_some()));
        memory.keep(3);
        assert_eq!(memory.find(agent(0), command(0)), None);
        assert!((1..4).all(|n| memory.find(agent(n % 2), command(n)).is_some()));
    }
}
