//! What a policy answers: its cards, read top to bottom, over a claim and the facts that are known.
//!
//! Pure functions of a [`CompiledPolicy`], a [`Case`] and what the wallets hold. Crate `conditions` knows the
//! expression language; `check` holds every check of the loader.

mod check;
mod compile;
mod dictionary;
mod explain;
mod judge;
mod limit;

use std::sync::Arc;

use protocol::SubjectToken;
use protocol::facts::{FactName, FactType, FactValues};
use protocol::policy::{Ask, Because, Card, Example, FactEntry, Per, Policy, PolicyFault};
use protocol::remedy::{Claim, Occasion};

pub use conditions::Truth;
pub use explain::{CardTrace, ConditionTrace, Explanation, RulingTrace, explain};
pub use judge::Judged;

use compile::Compiled;

/// A policy that passed every check, ready to answer. Cheap to clone.
#[derive(Clone, Debug)]
pub struct CompiledPolicy(Arc<Compiled>);

/// What is judged: a claim, and the facts that are known and fresh.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Case {
    /// What the customer says.
    pub claim: Claim,
    /// What is known, with the product's own facts of the claim and the floor; what is not among them is unknown, or what
    /// the dictionary says that its absence means.
    pub facts: FactValues,
}

/// What signals in force do to an answer: they lower it or ask for one more look, and never refuse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SignalEffect {
    /// The most that may be given unasked, cents of the currency at hand.
    pub lowers_to: Option<u64>,
    /// Whether a colleague looks first.
    pub one_more_look: bool,
}

/// What a policy answers for one kind of remedy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ruling {
    /// The card whose words are used, as an index into the policy's cards: the first that holds. `None`: the latitude.
    pub card: Option<usize>,
    /// The card that makes it less because facts it names are unknown; it may be that it does not hold.
    pub held_back_by: Option<usize>,
    /// The answer.
    pub verdict: Verdict,
}

/// An answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Yes, up to an amount.
    Yes {
        /// Cents of the currency at hand that are left.
        up_to: u64,
        /// The limit that ends it; `None`: a signal.
        because_of: Option<Per>,
        /// Who is asked above it.
        beyond: Ask,
    },
    /// A colleague can say yes.
    Ask {
        /// Who.
        whom: Ask,
    },
    /// Forbidden, with its evidence.
    NotAllowed {
        /// By what.
        because: Because,
    },
}

impl Verdict {
    /// What may be given without asking, cents.
    #[must_use]
    pub fn unasked(self) -> u64 {
        match self {
            Self::Yes { up_to, .. } => up_to,
            Self::Ask { .. } | Self::NotAllowed { .. } => 0,
        }
    }
}

impl CompiledPolicy {
    /// Checks a policy in every way and compiles its conditions.
    ///
    /// # Errors
    /// All faults at once, each with its place and what to write instead; the fate is *refuse*, the policy before stays.
    pub fn compile(policy: Policy) -> Result<Self, Vec<PolicyFault>> {
        compile::compile(policy).map(|compiled| Self(Arc::new(compiled)))
    }

    /// The policy as it was written.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.0.policy
    }

    /// A card by its name.
    #[must_use]
    pub fn card(&self, id: &SubjectToken) -> Option<&Card> {
        self.0.policy.cards.iter().find(|card| card.id == *id)
    }

    /// A fact that the policy declares.
    #[must_use]
    pub fn entry(&self, name: &FactName) -> Option<&FactEntry> {
        self.0.policy.facts.iter().find(|fact| fact.name == *name)
    }

    /// The type of a fact, declared by the policy or the product's own.
    #[must_use]
    pub fn type_of(&self, name: &FactName) -> Option<FactType> {
        self.0.dictionary.type_of(name.as_str())
    }

    /// A case of what the customer says and what else is known, with the facts that the claim itself makes. A fact of
    /// `claim.facts` that is not one of the policy's facts of source `claim` is left out, for an agent cannot say what only
    /// the shop can know.
    #[must_use]
    pub fn case(&self, claim: Claim, known: FactValues) -> Case {
        self.0.dictionary.case(claim, known)
    }

    /// Evaluates every condition once.
    #[must_use]
    pub fn judge(&self, case: &Case) -> Judged<'_> {
        Judged::of(&self.0, case)
    }
}

/// Every fault of a policy, all at once; empty: it would be used.
#[must_use]
pub fn check(policy: &Policy) -> Vec<PolicyFault> {
    CompiledPolicy::compile(policy.clone()).err().unwrap_or_default()
}

/// The facts of the product that a claim makes: `claim.reason`, `claim.wish`, `claim.order`, `claim.has_order`.
#[must_use]
pub fn claim_facts(claim: &Claim) -> FactValues {
    dictionary::claim_facts(claim)
}

/// Failure if the claimed reason names a failure of ours, else trust. Surprise comes from no claim.
#[must_use]
pub fn occasion_of(policy: &Policy, claim: &Claim) -> Occasion {
    let failure = claim
        .reason
        .as_ref()
        .is_some_and(|reason| policy.reasons.iter().any(|known| known.is_failure && known.name == *reason));
    if failure { Occasion::Failure } else { Occasion::Trust }
}

/// The occasion on which a card's example is tried: surprise on a card of surprises, else what its claim says.
#[must_use]
pub fn occasion_of_example(policy: &Policy, card: &Card, example: &Example) -> Occasion {
    match card.occasion {
        Some(Occasion::Surprise) => Occasion::Surprise,
        Some(Occasion::Failure | Occasion::Trust) | None => occasion_of(policy, &example.claim),
    }
}
