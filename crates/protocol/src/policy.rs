//! The policy: what an agent may give now, unasked, as data. Checked and compiled by `empowerment-core`.
//!
//! There is no bare "no" in these types: an answer is yes, an ask, or what law, safety or evidence of fraud forbids.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::facts::{FactName, FactType, FactValue, FactValues};
use crate::hash::Hash128;
use crate::money::{Currency, Money};
use crate::remedy::{Claim, Occasion, RemedyKind};
use crate::token::{Language, SubjectToken};

/// Words by language.
pub type Words = BTreeMap<Language, String>;

/// A whole policy; it replaces the one before as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// The one sentence that says it all, as in "use your good judgement".
    pub sentence: Words,
    /// Who stands behind it, by name.
    pub stands_behind: String,
    /// What a customer is called: guest, patient, passenger.
    pub customer_word: Words,
    /// The languages that every text has, the first one for customers of none of them.
    pub languages: Vec<Language>,
    /// The currencies in use, the shop's own first.
    pub currencies: Vec<Currency>,
    /// The remedies that are offered, what helps the customer most first.
    pub helps_first: Vec<RemedyKind>,
    /// How long a gift can be taken back, ms.
    pub undo_ms: u64,
    /// What may be given when no card speaks.
    pub latitude: Latitude,
    /// How agents ask one another.
    pub asking: Asking,
    /// What customers may claim.
    pub reasons: Vec<Reason>,
    /// The facts that conditions may name, besides those of the product.
    #[serde(default)]
    pub facts: Vec<FactEntry>,
    /// What lowers an automatic limit for a while.
    #[serde(default)]
    pub signals: Vec<SignalRule>,
    /// Read top to bottom; the first that holds answers.
    pub cards: Vec<Card>,
}

/// What may be given when no card speaks: the default answer is yes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Latitude {
    /// All of them hold at once.
    pub up_to: Vec<Limit>,
    /// Who is asked above it.
    pub beyond: Ask,
    /// To the agent.
    pub hint: Words,
    /// To the customer.
    pub tell: Words,
}

/// A limit: so much of each currency within a scope. What was given counts in every scope, whichever card gave it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// Within what.
    pub per: Per,
    /// Cents by currency; a currency that is not named has none.
    pub cents: BTreeMap<Currency, u64>,
}

/// Within what a limit holds. Days and years are UTC.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Per {
    /// One contact.
    Contact,
    /// One agent, one day.
    AgentDay,
    /// One team, one day; the agents of a queue who are in none count as its team.
    TeamDay,
    /// One customer, one calendar year.
    CustomerYear,
    /// One incident.
    Incident,
    /// One customer's surprises, one calendar year: rare enough to stay one.
    SurpriseYear,
}

/// Whom to ask.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// A colleague who is there.
    AskPeer,
    /// A lead.
    AskLead,
}

/// How asking goes: it never ends in no.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Asking {
    /// How long peers have to answer, ms.
    pub peer_ms: u64,
    /// How long leads have to answer, ms.
    pub lead_ms: u64,
    /// Up to here, silence is a yes; cents by currency.
    pub soft_limit: BTreeMap<Currency, u64>,
    /// By when the customer is promised an answer when nobody answered, ms.
    pub promise_ms: u64,
    /// To the customer, with that promise; `{due}` stands for the time.
    pub promise_tell: Words,
}

/// What a customer may claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// Its name.
    pub name: SubjectToken,
    /// For people.
    pub title: Words,
    /// Whether it names a failure of ours.
    #[serde(default)]
    pub is_failure: bool,
}

/// A fact that conditions may name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FactEntry {
    /// Its name.
    pub name: FactName,
    /// Its type.
    #[serde(rename = "type")]
    pub type_: FactType,
    /// Its unit, as in days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Which integration says it.
    pub source: SubjectToken,
    /// How old it may be, ms; older it counts as unknown.
    pub fresh_ms: u64,
    /// What it means, in plain words.
    pub says: Words,
    /// What its absence means; unknown if not said. Only a claim may have a stated default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absent: Option<FactValue>,
}

/// What a signal does while it lasts: less without asking, or one more look. It never refuses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignalRule {
    /// Its name.
    pub name: SubjectToken,
    /// How long it lasts, ms.
    pub lasts_ms: u64,
    /// What may still be given without asking, cents by currency; absent: ask a peer for one more look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lowers_to: Option<BTreeMap<Currency, u64>>,
    /// What it means, for the agent; it never reaches the customer.
    pub says: Words,
}

/// One card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// Its name, never reused for something else.
    pub id: SubjectToken,
    /// For people.
    pub title: Words,
    /// Its occasion; absent on a card that asks or forbids: then any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occasion: Option<Occasion>,
    /// Which remedies it speaks of; empty for all.
    #[serde(default)]
    pub gives: Vec<RemedyKind>,
    /// CEL, one line each; all must hold.
    pub when: Vec<String>,
    /// What it answers.
    pub answer: Answer,
    /// How much, if it says yes; all of them hold at once. Empty: as the latitude.
    #[serde(default)]
    pub up_to: Vec<Limit>,
    /// Who is asked above it; as the latitude if not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beyond: Option<Ask>,
    /// To the agent.
    pub hint: Words,
    /// To the customer; `{amount}`, `{code}`, `{due}` are filled in. Not for cards that forbid.
    #[serde(default)]
    pub tell: Words,
    /// To the agent who gave, at most once a day per agent and card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub praise: Option<Words>,
    /// Why a claim alone gets less than yes here; the author has to say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why_less: Option<String>,
    /// Cases with the answer they must get; they are tried when the policy is loaded.
    #[serde(default)]
    pub examples: Vec<Example>,
}

/// What a card answers. There is no other way to say no.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Yes, up to the card's limits.
    Yes,
    /// A colleague can say yes.
    AskPeer,
    /// A lead can say yes.
    AskLead,
    /// Forbidden.
    NotAllowed {
        /// By what.
        because: Because,
        /// The fact (of type bool) that is the evidence; without it the card does not hold.
        evidence: FactName,
    },
}

/// What alone can forbid.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Because {
    /// The law.
    Law,
    /// Somebody's safety.
    Safety,
    /// Evidence of fraud.
    Fraud,
}

/// A case and the answer that it must get.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// The case in a sentence.
    pub says: String,
    /// What the customer claims.
    pub claim: Claim,
    /// What is known; nothing else is.
    #[serde(default)]
    pub facts: FactValues,
    /// What is given.
    pub gives: RemedyKind,
    /// How much.
    pub money: Money,
    /// `yes`, `ask_peer`, `ask_lead` or `not_allowed`.
    pub expects: Expected,
}

/// The answer expected of an example.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Expected {
    /// Given at once.
    Yes,
    /// A peer is asked.
    AskPeer,
    /// A lead is asked.
    AskLead,
    /// Forbidden.
    NotAllowed,
}

/// One fault of a policy: where, what is wrong, what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PolicyFault {
    /// The place, as in `cards[2].when[0]`.
    pub path: String,
    /// What is wrong and what to write instead.
    pub message: String,
}

/// A policy on its way in, with its hash over the canonical JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyInput {
    /// Names this input.
    pub id: crate::ids::NoticeId,
    /// Stands in every decision that it led to.
    pub hash: Hash128,
    /// The whole policy.
    pub policy: Policy,
    /// The hash of the one that it was made from: it is refused where another one is in force by then. Absent: it replaces any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<Hash128>,
}
