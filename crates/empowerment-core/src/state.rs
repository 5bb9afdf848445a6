//! The state: what is stored, and the index beside it.

use std::collections::{BTreeMap, BTreeSet};

use protocol::policy::Policy;
use protocol::remedy::{FactsAbout, GiftKey};
use protocol::till::WalletId;
use protocol::{
    AgentId, AskId, Hash128, IdentityId, Millis, PromiseId, RemedyId, SignalId, SubjectToken, TellId,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::ask::OpenAsk;
use crate::ask_apply::EndedAsk;
use crate::book::Facts;
use crate::due::Due;
use crate::limits::{ENDED_ASKS_KEPT_MS, FACTS_KEPT_MS};
use crate::memory::Memory;
use crate::outbox::{Risk, Telling};
use crate::promise::OpenPromise;
use crate::rules::CompiledPolicy;
use crate::saga::{Remedy, Settled};
use crate::shelf::Shelf;
use crate::signals::Signal;
use crate::wallets::Wallet;

/// All that the worker knows, as it is after a record of REMEDIES.
///
/// Serialise it for a snapshot; what is read back is equal and decides alike. Two states are equal when what is stored is:
/// indexes and the compiled policy follow from it.
#[derive(Clone, Debug)]
pub struct State {
    pub(crate) stored: Stored,
    pub(crate) index: Index,
    /// Compiled from the stored one. `None` before the first, or if this build refuses what an earlier one took: then nothing
    /// is given until another policy comes.
    pub(crate) policy: Option<CompiledPolicy>,
    /// Compiled by the decision that puts it in force, so that it is not done twice.
    pub(crate) checked: Option<CompiledPolicy>,
}

/// What a snapshot holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Stored {
    pub(crate) log_seq: u64,
    pub(crate) contacts_seq: u64,
    pub(crate) epoch: u64,
    pub(crate) last_at: Millis,
    pub(crate) policy: Option<InForce>,
    #[serde(with = "crate::pairs")]
    pub(crate) facts: BTreeMap<FactsAbout, Facts>,
    pub(crate) signals: BTreeMap<SignalId, Signal>,
    /// Agents' own identities.
    pub(crate) own: BTreeMap<IdentityId, BTreeSet<AgentId>>,
    #[serde(with = "crate::pairs")]
    pub(crate) wallets: BTreeMap<WalletId, Wallet>,
    /// Those under way, and the failed ones while they can be tried again.
    pub(crate) remedies: BTreeMap<RemedyId, Remedy>,
    /// Those that were carried out or taken back.
    pub(crate) settled: BTreeMap<RemedyId, Settled>,
    pub(crate) asks: BTreeMap<AskId, OpenAsk>,
    pub(crate) ended_asks: BTreeMap<AskId, EndedAsk>,
    pub(crate) promises: BTreeMap<PromiseId, OpenPromise>,
    pub(crate) tellings: BTreeMap<TellId, Telling>,
    pub(crate) risks: BTreeMap<TellId, Risk>,
    /// The cards that praised each agent on `praised_day`.
    pub(crate) praised: BTreeMap<AgentId, BTreeSet<SubjectToken>>,
    pub(crate) praised_day: u32,
    pub(crate) memory: Memory,
}

/// The policy in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct InForce {
    pub(crate) hash: Hash128,
    pub(crate) policy: Policy,
}

/// What follows from what is stored.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    pub(crate) deadlines: BTreeSet<(Millis, Due)>,
    /// Remedies that the integration is to carry out, or to be asked about.
    pub(crate) to_order: BTreeSet<RemedyId>,
    /// Asks that routing has not said whom it asked in the round.
    pub(crate) to_ask: BTreeSet<AskId>,
    /// What was given and is neither taken back nor failed.
    pub(crate) given: BTreeMap<GiftKey, RemedyId>,
    pub(crate) asks_by_key: BTreeMap<GiftKey, BTreeSet<AskId>>,
    pub(crate) asks_of: BTreeMap<AgentId, u32>,
    pub(crate) promises_of: BTreeMap<AgentId, u32>,
    pub(crate) own_of: BTreeMap<AgentId, u32>,
    pub(crate) signals_of: BTreeMap<IdentityId, BTreeSet<SignalId>>,
    pub(crate) old_wallets: Shelf<WalletId>,
    pub(crate) old_facts: Shelf<FactsAbout>,
    pub(crate) old_signals: Shelf<SignalId>,
    pub(crate) old_remedies: Shelf<RemedyId>,
    pub(crate) old_asks: Shelf<AskId>,
    pub(crate) old_promises: Shelf<PromiseId>,
    pub(crate) old_risks: Shelf<TellId>,
}

/// Counts up or down; what counts zero is not held.
pub(crate) fn count<K: Ord>(counts: &mut BTreeMap<K, u32>, key: K, up: bool) {
    let n = counts.get(&key).copied().unwrap_or(0);
    match if up { n.saturating_add(1) } else { n.saturating_sub(1) } {
        0 => counts.remove(&key),
        n => counts.insert(key, n),
    };
}

impl Default for State {
    fn default() -> Self {
        Self::new()
    }
}

impl State {
    /// Before the first record.
    #[must_use]
    pub fn new() -> Self {
        Self::from(Stored::default())
    }

    /// The sequence in REMEDIES of the last record applied; 0 before the first.
    #[must_use]
    pub fn log_seq(&self) -> u64 {
        self.stored.log_seq
    }

    /// The sequence of the last record of CONTACTS consumed; 0 before the first.
    #[must_use]
    pub fn contacts_seq(&self) -> u64 {
        self.stored.contacts_seq
    }

    /// The epoch of the leader that wrote last.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.stored.epoch
    }

    /// When the last record was decided.
    #[must_use]
    pub fn last_at(&self) -> Millis {
        self.stored.last_at
    }

    /// The hash of the policy in force; zeros before the first.
    #[must_use]
    pub fn policy_hash(&self) -> Hash128 {
        self.stored.policy.as_ref().map_or(Hash128([0; 16]), |in_force| in_force.hash)
    }

    /// The policy in force; `None` before the first.
    #[must_use]
    pub fn policy(&self) -> Option<&Policy> {
        self.stored.policy.as_ref().map(|in_force| &in_force.policy)
    }

    /// Whether an identity is this agent's own.
    pub(crate) fn is_own(&self, agent: AgentId, identity: IdentityId) -> bool {
        self.stored.own.get(&identity).is_some_and(|agents| agents.contains(&agent))
    }

    fn rebuild_index(&mut self) {
        let stored = std::mem::take(&mut self.stored);
        self.index = Index::default();
        for agents in stored.own.values() {
            agents.iter().for_each(|agent| count(&mut self.index.own_of, *agent, true));
        }
        for (id, signal) in &stored.signals {
            self.index.link_signal(*id, signal);
        }
        for (id, wallet) in &stored.wallets {
            self.index.link_wallet(id, wallet);
        }
        for (id, remedy) in &stored.remedies {
            self.index.link_remedy(*id, remedy);
        }
        for (id, settled) in &stored.settled {
            self.index.link_settled(*id, settled);
        }
        for (id, ask) in &stored.asks {
            self.index.link_ask(*id, ask);
        }
        for (id, promise) in &stored.promises {
            self.index.link_promise(*id, promise);
        }
        self.index.old_facts = stored
            .facts
            .iter()
            .map(|(about, facts)| (facts.told_at.plus(FACTS_KEPT_MS), about.clone()))
            .collect();
        self.index.old_asks =
            stored.ended_asks.iter().map(|(id, ended)| (ended.at.plus(ENDED_ASKS_KEPT_MS), *id)).collect();
        self.index.old_risks = stored.risks.iter().map(|(id, risk)| (risk.until, *id)).collect();
        self.stored = stored;
    }
}

impl From<Stored> for State {
    fn from(stored: Stored) -> Self {
        let policy =
            stored.policy.as_ref().and_then(|known| CompiledPolicy::compile(known.policy.clone()).ok());
        let mut state = Self { stored, index: Index::default(), policy, checked: None };
        state.rebuild_index();
        state
    }
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.stored == other.stored
    }
}

impl Serialize for State {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.stored.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for State {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Stored::deserialize(deserializer).map(Self::from)
    }
}
