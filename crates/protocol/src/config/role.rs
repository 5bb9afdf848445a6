//! What somebody may do beyond their own contacts, and in which queues.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Agent;
use crate::token::SubjectToken;

/// What somebody may do; each role may what the ones before it may.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Takes contacts.
    #[default]
    Agent,
    /// Sees the floor, helps and takes over.
    Lead,
    /// Changes who works where, and on what.
    Supervisor,
    /// Changes everything, roles and keys too.
    Administrator,
}

impl Role {
    /// All roles, the least first.
    pub const ALL: [Self; 4] = [Self::Agent, Self::Lead, Self::Supervisor, Self::Administrator];

    /// The word in files and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Lead => "lead",
            Self::Supervisor => "supervisor",
            Self::Administrator => "administrator",
        }
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
    pub(super) fn is_default(&self) -> bool {
        *self == Self::Agent
    }
}

/// What somebody may do, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authority {
    /// Their rank.
    pub role: Role,
    /// The queues that they lead; empty: all.
    pub scope: BTreeSet<SubjectToken>,
}

impl Authority {
    /// What a configured agent may do.
    #[must_use]
    pub fn of(agent: &Agent) -> Self {
        Self { role: agent.rank(), scope: agent.scope.clone() }
    }

    /// Whether they lead, in some queue at least.
    #[must_use]
    pub fn leads(&self) -> bool {
        self.role >= Role::Lead
    }

    /// Whether they lead every queue.
    #[must_use]
    pub fn leads_everything(&self) -> bool {
        self.leads() && self.scope.is_empty()
    }

    /// Whether they lead this queue.
    #[must_use]
    pub fn leads_queue(&self, queue: &SubjectToken) -> bool {
        leads_queue(self.role, &self.scope, queue)
    }

    /// Whether they lead all of these queues, as [`Agent::leads_all_of`].
    #[must_use]
    pub fn leads_all_of(&self, queues: &BTreeSet<SubjectToken>) -> bool {
        leads_all_of(self.role, &self.scope, queues)
    }
}

fn leads_queue(role: Role, scope: &BTreeSet<SubjectToken>, queue: &SubjectToken) -> bool {
    role >= Role::Lead && (scope.is_empty() || scope.contains(queue))
}

fn leads_all_of(role: Role, scope: &BTreeSet<SubjectToken>, queues: &BTreeSet<SubjectToken>) -> bool {
    role >= Role::Lead && (scope.is_empty() || (!queues.is_empty() && queues.is_subset(scope)))
}

impl Agent {
    /// What they may do: their role, and a lead's at least where the older word `lead` stands.
    #[must_use]
    pub fn rank(&self) -> Role {
        if self.lead { self.role.max(Role::Lead) } else { self.role }
    }

    /// Whether they lead, in some queue at least.
    #[must_use]
    pub fn leads(&self) -> bool {
        self.rank() >= Role::Lead
    }

    /// Whether they lead this queue.
    #[must_use]
    pub fn leads_queue(&self, queue: &SubjectToken) -> bool {
        leads_queue(self.rank(), &self.scope, queue)
    }

    /// Whether they lead all of these queues; none stand for all there are, so who leads a few only does not lead those.
    #[must_use]
    pub fn leads_all_of(&self, queues: &BTreeSet<SubjectToken>) -> bool {
        leads_all_of(self.rank(), &self.scope, queues)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AgentId;

    fn token(text: &str) -> SubjectToken {
        SubjectToken::new(text).unwrap()
    }

    fn agent(role: Role, scope: &[&str]) -> Agent {
        let scope = scope.iter().map(|name| token(name)).collect();
        Agent { role, scope, ..Agent::new(AgentId(uuid::Uuid::from_u128(1)), token("ada")) }
    }

    #[test]
    fn a_role_may_what_the_ones_before_it_may() {
        assert!(Role::ALL.is_sorted());
        let leads = Role::ALL.map(|role| agent(role, &[]).leads());
        assert_eq!(leads, [false, true, true, true]);
        let older = |role| Agent { lead: true, ..agent(role, &[]) }.rank();
        assert_eq!(Role::ALL.map(older), [Role::Lead, Role::Lead, Role::Supervisor, Role::Administrator]);
    }

    #[test]
    fn words_of_roles_are_those_of_the_wire() {
        for role in Role::ALL {
            assert_eq!(serde_json::to_value(role).unwrap(), role.as_str());
        }
    }

    #[test]
    fn a_scope_is_where_somebody_leads() {
        let all = agent(Role::Supervisor, &[]);
        let one = agent(Role::Lead, &["returns"]);
        let none = agent(Role::Agent, &[]);
        let leads = |queue| [&all, &one, &none].map(|agent| agent.leads_queue(&token(queue)));
        assert_eq!(leads("returns"), [true, true, false]);
        assert_eq!(leads("tyres"), [true, false, false]);
        let of = |queues: &[&str]| {
            let queues = queues.iter().map(|name| token(name)).collect();
            [&all, &one, &none].map(|agent| agent.leads_all_of(&queues))
        };
        assert_eq!(of(&["returns"]), [true, true, false]);
        assert_eq!(of(&["returns", "tyres"]), [true, false, false]);
        assert_eq!(of(&[]), [true, false, false], "no queue named is every queue");
    }
}
