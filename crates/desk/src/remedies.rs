//! What the empowerment worker's log tells: what was given, who is asked, what is promised, who is praised, and by which
//! policy.
//!
//! Pure: folds records in order and says for each one which agents' desks changed. Everything in it has a limit, past which
//! the oldest goes; the log and the read models keep all of it.

mod fold;
mod kept;
mod picture;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use protocol::content::Sealed;
use protocol::desk::RemedyState;
use protocol::policy::{Ask, Policy, Words};
use protocol::remedy::{Claim, Occasion, RemedyKind};
use protocol::{
    AgentId, AskId, CommandId, ContactId, Hash128, Language, Millis, Money, PromiseId, RemedyId, SubjectToken,
};

use crate::answer::{Answer, Settled};
use kept::Kept;
pub(crate) use picture::{AskPicture, KudosPicture, RemedyPicture};

/// Most gifts remembered, over all contacts.
pub(crate) const REMEDIES_KEPT_MAX: usize = 100_000;
/// Most gifts of one contact remembered.
pub(crate) const REMEDIES_PER_CONTACT_MAX: usize = 50;
/// Most asks that wait for an answer remembered. Each desk that says hello has them looked through.
pub(crate) const ASKS_KEPT_MAX: usize = 5_000;
/// Most open asks of one asker remembered.
pub(crate) const ASKS_PER_AGENT_MAX: usize = 100;
/// Most promises that are not kept yet remembered, over all agents.
pub(crate) const PROMISES_KEPT_MAX: usize = 50_000;
/// Most promises of one agent remembered, broken ones among them.
pub(crate) const PROMISES_PER_AGENT_MAX: usize = 200;
/// Most praise of one agent remembered.
pub(crate) const KUDOS_PER_AGENT_MAX: usize = 20;

/// What changed for one agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// A gift of theirs is new, or changed; whoever holds its contact is to see it too.
    Remedy(Arc<Given>),
    /// They are asked, or an ask of their own is new, or changed.
    Ask(Arc<OpenAsk>),
    /// An ask ended, or is not theirs to answer any more.
    AskEnded { ask: AskId, how: &'static str, by: Option<AgentId> },
    /// A promise of theirs is new, or changed.
    Promise(Arc<Promised>),
    /// They are praised.
    Kudos(Arc<Kudos>),
    /// A command of theirs was answered.
    Settled { command: CommandId, answer: Answer },
}

/// Something given, words still sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Given {
    pub(crate) remedy: RemedyId,
    pub(crate) contact: ContactId,
    pub(crate) at: Millis,
    pub(crate) agent: AgentId,
    pub(crate) approved_by: Option<AgentId>,
    pub(crate) kind: RemedyKind,
    pub(crate) occasion: Occasion,
    pub(crate) card: Option<SubjectToken>,
    pub(crate) claim: Claim,
    pub(crate) money: Option<Money>,
    pub(crate) words: Option<Sealed>,
    pub(crate) undo_until: Millis,
    pub(crate) state: RemedyState,
    pub(crate) reference: Option<Sealed>,
    pub(crate) reason: Option<String>,
    pub(crate) told: bool,
}

/// An ask that waits for an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OpenAsk {
    pub(crate) ask: AskId,
    pub(crate) contact: ContactId,
    /// Who asks.
    pub(crate) agent: AgentId,
    pub(crate) kind: RemedyKind,
    pub(crate) money: Option<Money>,
    pub(crate) claim: Claim,
    pub(crate) case: Option<Sealed>,
    pub(crate) whom: Ask,
    /// Who is asked now.
    pub(crate) asked: BTreeSet<AgentId>,
    pub(crate) until: Millis,
    /// The customer has a promise and nobody is asked: for its asker it is over until somebody is.
    pub(crate) rests: bool,
}

/// A promise to a customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Promised {
    pub(crate) promise: PromiseId,
    pub(crate) contact: ContactId,
    pub(crate) words: Option<Sealed>,
    pub(crate) due: Millis,
    /// `open`, `reminded`, `kept`, `broken`.
    pub(crate) state: &'static str,
}

/// Praise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kudos {
    pub(crate) at: Millis,
    pub(crate) from: KudosFrom,
    pub(crate) contact: Option<ContactId>,
    /// In which words of one person count as said: the policy's first.
    pub(crate) language: Option<Language>,
}

/// Who praised, in which words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KudosFrom {
    Customer { words: Option<Sealed> },
    Peer { agent: AgentId, words: String },
    Card { words: Arc<Words> },
}

/// The policy in force.
#[derive(Clone, Debug)]
pub(crate) struct PolicyInForce {
    pub(crate) hash: Hash128,
    pub(crate) policy: Arc<Policy>,
    /// Each card's praise, shared by all who are praised with it.
    praise: BTreeMap<SubjectToken, Arc<Words>>,
}

/// What was given, asked, promised and praised up to the last folded record.
#[derive(Debug)]
pub(crate) struct Remedies {
    log_seq: u64,
    policy: Option<PolicyInForce>,
    given: Kept<RemedyId, ContactId, Given>,
    asks: Kept<AskId, AgentId, OpenAsk>,
    promises: Kept<PromiseId, AgentId, Promised>,
    /// Newest last; so many agents as there are, which [`protocol::limits::AGENTS_MAX`] bounds.
    kudos: BTreeMap<AgentId, VecDeque<Arc<Kudos>>>,
    settled: Settled,
}

impl Default for Remedies {
    fn default() -> Self {
        Self {
            log_seq: 0,
            policy: None,
            given: Kept::new(REMEDIES_KEPT_MAX, REMEDIES_PER_CONTACT_MAX),
            asks: Kept::new(ASKS_KEPT_MAX, ASKS_PER_AGENT_MAX),
            promises: Kept::new(PROMISES_KEPT_MAX, PROMISES_PER_AGENT_MAX),
            kudos: BTreeMap::new(),
            settled: Settled::default(),
        }
    }
}

impl Remedies {
    /// The last record folded.
    pub(crate) fn log_seq(&self) -> u64 {
        self.log_seq
    }

    /// The policy in force, if one was applied.
    pub(crate) fn policy(&self) -> Option<&PolicyInForce> {
        self.policy.as_ref()
    }

    /// How a command of this agent was answered, if that is not too long ago.
    pub(crate) fn settled(&self, agent: AgentId, command: CommandId) -> Option<&Answer> {
        self.settled.find(command, agent)
    }

    /// The contact in which something was given.
    pub(crate) fn contact_of(&self, remedy: RemedyId) -> Option<ContactId> {
        self.given.get(remedy).map(|given| given.contact)
    }

    /// What was given for a contact, oldest first.
    pub(crate) fn of_contact(&self, contact: ContactId) -> impl Iterator<Item = &Arc<Given>> {
        self.given.of(contact)
    }

    /// The asks that wait for this agent, and this agent's own that are open, oldest first.
    pub(crate) fn asks_of(&self, agent: AgentId) -> impl Iterator<Item = &Arc<OpenAsk>> {
        let concerns =
            move |ask: &&Arc<OpenAsk>| ask.asked.contains(&agent) || (ask.agent == agent && !ask.rests);
        self.asks.all().filter(concerns)
    }

    /// The promises of this agent that are not kept yet, oldest first.
    pub(crate) fn promises_of(&self, agent: AgentId) -> impl Iterator<Item = &Arc<Promised>> {
        self.promises.of(agent)
    }

    /// The latest praise of this agent, newest first.
    pub(crate) fn kudos_of(&self, agent: AgentId) -> impl Iterator<Item = &Arc<Kudos>> {
        self.kudos.get(&agent).into_iter().flat_map(|kudos| kudos.iter().rev())
    }
}
