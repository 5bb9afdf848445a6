//! What the core keeps of a contact, a conversation and an agent.

use protocol::command::Presence;
use protocol::input::SkillNeed;
use protocol::limits::DECLINES_PER_CONTACT_MAX;
use protocol::record::{AsideWhy, Preferred};
use protocol::remedy::Effort;
use protocol::{
    AgentId, ChannelKind, ContactId, ConversationId, GatewayId, Hash128, IdentityId, IncidentId, Language,
    Millis, OfferId, SubjectToken,
};
use serde::{Deserialize, Serialize};

use crate::feedback::Asked;

/// An open contact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// Its conversation.
    pub conversation: ConversationId,
    /// Its channel.
    pub channel: ChannelKind,
    /// When it first opened.
    pub opened_at: Millis,
    /// The queue it waits in, or waited in last.
    pub queue: SubjectToken,
    /// 0 is served first.
    pub priority: u8,
    /// The priority that it has otherwise, while it is brought forward.
    #[serde(default)]
    pub usual_priority: Option<u8>,
    /// What the agent must command.
    pub needs: Vec<SkillNeed>,
    /// Since when it waits; it keeps this place when it returns to the queue.
    pub since: Millis,
    /// Where it is on its way.
    pub phase: Phase,
    /// Who would not have it.
    pub declines: Vec<Decline>,
    /// What it cost the customer so far, without the wait that they are in and the contacts before it.
    #[serde(default)]
    pub effort: Effort,
    /// Since when the customer waits for an agent, while they do.
    #[serde(default)]
    pub waits_from: Option<Millis>,
    /// Whether the customer is to be called back: they keep their place when they leave.
    #[serde(default)]
    pub callback: bool,
    /// Whether the customer was told that it ends soon, since anybody wrote last.
    #[serde(default)]
    pub warned: bool,
    /// Whether only people may have it: a bot gave it up or lost it to a person, or it is only practised.
    #[serde(default)]
    pub people_only: bool,
    /// Whether an agent began it and its customer has not written in it: the house says nothing to them by itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unheard: bool,
}

impl Contact {
    /// The agent whose slot it takes, if any.
    #[must_use]
    pub fn holder(&self) -> Option<AgentId> {
        match self.phase {
            Phase::New | Phase::Waiting { .. } | Phase::Gathered { .. } | Phase::Aside { .. } => None,
            Phase::Offered { agent, .. } | Phase::WithAgent { agent, .. } | Phase::WrapUp { agent, .. } => {
                Some(agent)
            }
        }
    }

    /// Whose it is: who has it, whether it takes room with them or not.
    #[must_use]
    pub fn owner(&self) -> Option<AgentId> {
        match self.phase {
            Phase::New | Phase::Waiting { .. } | Phase::Gathered { .. } | Phase::Offered { .. } => None,
            Phase::WithAgent { agent, .. } | Phase::Aside { agent, .. } | Phase::WrapUp { agent, .. } => {
                Some(agent)
            }
        }
    }

    /// Who should have it first, while it waits.
    #[must_use]
    pub fn preferred(&self) -> Option<Preferred> {
        match self.phase {
            Phase::Waiting { preferred } => preferred,
            Phase::New
            | Phase::Offered { .. }
            | Phase::WithAgent { .. }
            | Phase::Gathered { .. }
            | Phase::Aside { .. }
            | Phase::WrapUp { .. } => None,
        }
    }

    /// The priority that it has when it is not brought forward.
    #[must_use]
    pub fn own_priority(&self) -> u8 {
        self.usual_priority.unwrap_or(self.priority)
    }

    /// What it cost the customer until now, the wait that they are in included.
    pub(crate) fn effort_at(&self, now: Millis) -> Effort {
        let waits = self.waits_from.map_or(0, |from| now.since(from));
        Effort { waited_ms: self.effort.waited_ms.saturating_add(waits), ..self.effort }
    }

    pub(crate) fn is_waiting(&self) -> bool {
        matches!(self.phase, Phase::Waiting { .. })
    }

    pub(crate) fn decline_of(&self, agent: AgentId) -> Option<&Decline> {
        self.declines.iter().find(|decline| decline.agent == agent)
    }

    pub(crate) fn declined_by(&mut self, agent: AgentId, at: Millis, how: DeclineHow) {
        self.forget_decline_of(agent);
        // In the order of time: the first is the one longest ago.
        if self.declines.len() >= DECLINES_PER_CONTACT_MAX {
            self.declines.remove(0);
        }
        self.declines.push(Decline { agent, at, how, lapsed: false });
    }

    pub(crate) fn forget_decline_of(&mut self, agent: AgentId) {
        self.declines.retain(|decline| decline.agent != agent);
    }
}

/// Where a contact is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Phase {
    /// Between two events of one record.
    New,
    /// In its queue.
    Waiting {
        /// Who should have it first.
        preferred: Option<Preferred>,
    },
    /// It waits for an incident, in nobody's line; its place in its queue is kept.
    Gathered {
        /// Which.
        incident: IncidentId,
    },
    /// An agent is asked.
    Offered {
        /// The offer.
        offer: OfferId,
        /// Who is asked.
        agent: AgentId,
        /// When the lease ends.
        expires_at: Millis,
    },
    /// An agent owns it.
    WithAgent {
        /// The owner.
        agent: AgentId,
        /// Since when the agent's last words wait for the customer's answer.
        #[serde(default)]
        unanswered_since: Option<Millis>,
    },
    /// An agent owns it, and it takes no room with them.
    Aside {
        /// The owner.
        agent: AgentId,
        /// Why, and until when.
        why: AsideWhy,
    },
    /// Resolved for the customer; the agent finishes.
    WrapUp {
        /// The owner.
        agent: AgentId,
        /// When it ends by itself.
        until: Millis,
    },
}

/// One agent who would not have a contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decline {
    /// Who.
    pub agent: AgentId,
    /// When.
    pub at: Millis,
    /// In which way.
    pub how: DeclineHow,
    /// Whether they may be asked again as long as everybody who is there and qualified has declined.
    pub lapsed: bool,
}

/// How an agent showed that they would not have a contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeclineHow {
    /// They said no.
    Declined,
    /// They did not answer.
    Missed,
    /// They had it and gave it on.
    GaveOn,
    /// The offer was taken back by somebody who leads.
    Revoked,
}

/// A contact that has ended, kept as long as it can be reopened and a day, until its conversation has another one or is
/// forgotten.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// When.
    pub at: Millis,
    /// How.
    pub how: EndedHow,
    /// Its conversation.
    pub conversation: ConversationId,
    /// Its channel.
    pub channel: ChannelKind,
    /// When it first opened.
    pub opened_at: Millis,
    /// The last queue it was in.
    pub queue: SubjectToken,
    /// The priority it had, if not brought forward.
    pub priority: u8,
    /// What it needed.
    pub needs: Vec<SkillNeed>,
    /// What it cost the customer.
    #[serde(default)]
    pub effort: Effort,
    /// Whether only people may have it.
    #[serde(default)]
    pub people_only: bool,
}

/// How a contact ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndedHow {
    /// An agent resolved it.
    Resolved,
    /// The customer left before an agent had it.
    Abandoned,
}

/// A conversation; its words stand in the log only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversation {
    /// Whose.
    pub identity: IdentityId,
    /// Its last entry's sequence.
    pub entries: u64,
    /// Who had its contacts last.
    pub owner: Option<AgentId>,
    /// The open contact.
    pub open: Option<ContactId>,
    /// The contact that ended last, while it is remembered.
    pub ended: Option<ContactId>,
    /// Since when it has no open contact, or had none before the open one.
    pub idle_since: Millis,
    /// The language of its latest message that named one.
    #[serde(default)]
    pub language: Option<Language>,
    /// How many contacts it has had.
    #[serde(default)]
    pub contacts: u32,
    /// Until when its contacts come first.
    #[serde(default)]
    pub at_risk_until: Option<Millis>,
    /// The thread that it is, where the channel has threads.
    #[serde(default)]
    pub thread: Option<Hash128>,
    /// The contact that was open here and goes on in another conversation, until another one opens here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone_on: Option<ContactId>,
    /// What its customer was asked about the help that they had, and has answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Box<Asked>>,
}

/// A configured agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentState {
    /// What they say of themselves.
    pub presence: Presence,
    /// The gateway that their desk is connected through.
    pub gateway: Option<GatewayId>,
    /// Since when their contacts have not changed.
    pub idle_since: Millis,
    /// When their contacts return to the queue, while they are unreachable.
    pub reclaim_at: Option<Millis>,
    /// How many offers in a row they left unanswered.
    #[serde(default)]
    pub misses: u8,
    /// The presence that they will have once they hold nothing any more, and why.
    #[serde(default)]
    pub next: Option<(Presence, Option<String>)>,
}

impl AgentState {
    pub(crate) fn new() -> Self {
        Self {
            presence: Presence::Offline,
            gateway: None,
            idle_since: Millis(0),
            reclaim_at: None,
            misses: 0,
            next: None,
        }
    }

    /// Whether they take contacts: connected, online, and not about to go.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.gateway.is_some() && self.presence == Presence::Online && self.next.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(n: usize) -> AgentId {
        AgentId(uuid::Uuid::from_u128(n as u128))
    }

    #[test]
    fn at_the_limit_every_decline_is_remembered_and_one_past_it_the_first_is_not() {
        let opening = crate::state::Opening {
            contact: ContactId { log_seq: 1, n: 1 },
            conversation: ConversationId { log_seq: 1, n: 0 },
            channel: ChannelKind::Web,
            people_only: false,
        };
        let mut contact = opening.into_contact(Millis(0), &SubjectToken::new("sales").unwrap());
        for n in 0..DECLINES_PER_CONTACT_MAX {
            contact.declined_by(agent(n), Millis(0), DeclineHow::Declined);
        }
        contact.declined_by(agent(1), Millis(1), DeclineHow::Missed);
        assert!(contact.decline_of(agent(0)).is_some(), "the same agent again takes no more room");
        contact.declined_by(agent(DECLINES_PER_CONTACT_MAX), Millis(2), DeclineHow::Declined);
        assert_eq!(contact.declines.len(), DECLINES_PER_CONTACT_MAX);
        assert!(contact.decline_of(agent(0)).is_none());
        assert!(contact.decline_of(agent(1)).is_some(), "who declined again is not the first any more");
    }
}
