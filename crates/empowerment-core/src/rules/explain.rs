//! How a case is decided, as data: every card with every condition, and the answer for every kind.

use protocol::SubjectToken;
use protocol::facts::FactName;
use protocol::money::Currency;
use protocol::policy::Per;
use protocol::remedy::{Occasion, RemedyKind};
use protocol::till::NearMiss;

use super::{Case, CompiledPolicy, Ruling, SignalEffect, Truth};

/// How a case is decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Failure or trust, by the claimed reason.
    pub occasion: Occasion,
    /// Every card, in the policy's order.
    pub cards: Vec<CardTrace>,
    /// The answer for every kind on that occasion, what helps most first; then the surprises.
    pub rulings: Vec<RulingTrace>,
    /// The cards that failed by one condition.
    pub near_misses: Vec<NearMiss>,
}

/// Whether a card holds, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardTrace {
    /// Its name.
    pub card: SubjectToken,
    /// Whether it holds.
    pub holds: Truth,
    /// Its conditions, in the order of `when`.
    pub conditions: Vec<ConditionTrace>,
    /// The evidence that a forbidding card needs, and whether it is there.
    pub evidence: Option<(FactName, Truth)>,
}

/// Whether a condition holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionTrace {
    /// As it is written.
    pub text: String,
    /// Whether it holds.
    pub holds: Truth,
    /// The facts in it that are not known.
    pub unknown: Vec<FactName>,
}

/// The answer for one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RulingTrace {
    /// What would be given.
    pub kind: RemedyKind,
    /// Why.
    pub occasion: Occasion,
    /// The answer.
    pub ruling: Ruling,
}

/// Explains how a case is decided. `used` says the cents that are reserved and spent in a scope.
#[must_use]
pub fn explain(
    policy: &CompiledPolicy,
    case: &Case,
    currency: Currency,
    used: &dyn Fn(Per) -> u64,
    signals: SignalEffect,
) -> Explanation {
    let judged = policy.judge(case);
    let occasion = judged.occasion();
    let kinds = policy.policy().helps_first.iter().map(|kind| (*kind, occasion));
    let surprises = judged.surprises().map(|(_, kind)| (kind, Occasion::Surprise));
    let rulings = kinds.chain(surprises).map(|(kind, occasion)| RulingTrace {
        kind,
        occasion,
        ruling: judged.ruling(kind, occasion, currency, used, signals),
    });
    let rulings = rulings.collect();
    let cards = (0..policy.policy().cards.len()).filter_map(|at| judged.trace(at)).collect();
    Explanation { occasion, cards, rulings, near_misses: judged.near_misses() }
}
