//! Why an agent was chosen.

use serde::{Deserialize, Serialize};

use crate::ids::AgentId;

/// Why an offer went to this agent (law 8). The policy's hash stands in the record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// What decided.
    pub rule: ChoiceRule,
    /// How long the contact had waited, ms.
    pub waited_ms: u64,
    /// How long the winner had been without a change of contacts, ms.
    pub idle_ms: u64,
    /// How many of its class waited before this choice, this contact included.
    pub waiting_in_class: u32,
    /// The contact's score when it was chosen, ms of waiting; none where priorities come strictly one before the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score_ms: Option<u64>,
    /// The step of the queue that the contact had reached, from 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub step: u8,
    /// The winner's rank by the queue's choice, smaller is better: thousandths of occupation, or what is left to the highest room
    /// or proficiency there can be; 0 where the idle time alone decides.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rank: u32,
    /// Who else could have had it, best first, at most [`crate::limits::RUNNERS_UP_MAX`].
    pub runners_up: Vec<RunnerUp>,
    /// How many could not, and why.
    pub passed_over: PassedOver,
}

/// What decided between agents, or between contacts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChoiceRule {
    /// The agent had it before, or it was given to them by name.
    Preferred,
    /// A contact came and the agent idle for longest got it.
    LongestIdle,
    /// A contact came and the agent who holds the smallest share of what they can got it.
    LeastOccupied,
    /// A contact came and the agent with room for most got it.
    MostSpare,
    /// A contact came and the agent who commands what is needed best got it.
    BestProficiency,
    /// An agent came free and the contact first in order went to them.
    FirstInOrder,
    /// The agent took it themselves, out of order and without being asked.
    Picked,
}

/// Who else could have had a contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunnerUp {
    /// The agent.
    pub agent: AgentId,
    /// How long they had been idle, ms.
    pub idle_ms: u64,
    /// Their rank by the queue's choice.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rank: u32,
}

/// How many agents could not have a contact, by the first reason that held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassedOver {
    /// Do not serve the queue or lack a skill.
    pub unqualified: u32,
    /// Qualified, but away, offline or unreachable.
    pub not_there: u32,
    /// There, but at their capacity for the channel.
    pub full: u32,
    /// There and free, but declined or missed this contact.
    pub declined: u32,
    /// There and free, but of a step that the contact has not waited for yet.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub later: u32,
}

fn is_zero<N: Default + PartialEq>(number: &N) -> bool {
    *number == N::default()
}
