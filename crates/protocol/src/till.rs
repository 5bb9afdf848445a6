//! "What can I do for you?": the question that a desk asks the worker, and its answer. Nothing here is stored.

use serde::{Deserialize, Serialize};

use crate::facts::{Fact, FactName};
use crate::hash::Hash128;
use crate::ids::{AgentId, IdentityId, RemedyId, SignalId};
use crate::money::{Currency, Money};
use crate::policy::{Ask, Because, Per, PolicyFault, Words};
use crate::remedies::RemedyRefusal;
use crate::remedy::{Claim, ContactContext, Occasion, RemedyKind};
use crate::time::Millis;
use crate::token::SubjectToken;

/// A wallet: what was given within a scope, in one currency.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct WalletId {
    /// The scope.
    pub per: Per,
    /// Which contact, agent and day, queue and day, customer and year, incident; as text, without personal data.
    pub of: String,
    /// The currency.
    pub currency: Currency,
}

/// What stands in a wallet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balance {
    /// Cents reserved: given, not yet carried out.
    pub reserved: u64,
    /// Cents spent.
    pub spent: u64,
}

/// A wallet with its balance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalletLine {
    /// Which.
    pub wallet: WalletId,
    /// What stands in it.
    pub balance: Balance,
}

/// Asks what can be given now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TillQuestion {
    /// Who asks.
    pub agent: AgentId,
    /// About which contact.
    pub context: ContactContext,
    /// What the customer says, as far as it is known.
    #[serde(default)]
    pub claim: Claim,
    /// In which currency; the claim's or the policy's first if not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
}

/// What can be given now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Till {
    /// The policy that says so.
    pub policy: Hash128,
    /// Its one sentence.
    pub sentence: Words,
    /// Who stands behind it.
    pub stands_behind: String,
    /// Until which REMEDIES record this is true.
    pub log_seq: u64,
    /// The most that can be given here without asking, over all that is listed.
    pub up_to: Money,
    /// What helps the customer most comes first; what is forbidden is not among them.
    pub offers: Vec<TillOffer>,
    /// "Something else": free words within the latitude.
    pub something_else: TillOffer,
    /// What law, safety or evidence of fraud forbids here.
    pub forbidden: Vec<Forbidden>,
    /// What would have made it more.
    pub near_misses: Vec<NearMiss>,
    /// What signals do here.
    pub signals: Vec<SignalLine>,
    /// The facts used, with source and age.
    pub facts: Vec<FactLine>,
    /// Integrations that did not answer in time: what is shown is what can be given without them.
    pub silent: Vec<SubjectToken>,
    /// What the customer may claim, to choose from.
    pub reasons: Vec<TillReason>,
    /// The currencies in use.
    pub currencies: Vec<Currency>,
    /// The same thing was given by this one, the last of several: more can be given on top of it, as `Gift::on_top_of`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given: Option<RemedyId>,
}

/// One thing that can be given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TillOffer {
    /// What.
    pub kind: RemedyKind,
    /// Why.
    pub occasion: Occasion,
    /// By which card; `None`: the latitude.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<SubjectToken>,
    /// The card's title; empty for the latitude.
    pub title: Words,
    /// The most that can be given unasked; zero: only by asking.
    pub up_to: Money,
    /// Which limit ends it.
    pub because_of: Option<Per>,
    /// Whom to ask above it.
    pub beyond: Ask,
    /// To the agent.
    pub hint: Words,
    /// To the customer.
    pub tell: Words,
}

/// Something forbidden.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forbidden {
    /// What.
    pub kind: RemedyKind,
    /// By which card.
    pub card: SubjectToken,
    /// Because of what.
    pub because: Because,
    /// To the agent.
    pub hint: Words,
}

/// A card that failed by one condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NearMiss {
    /// Which.
    pub card: SubjectToken,
    /// Its title.
    pub title: Words,
    /// The condition that failed.
    pub condition: String,
    /// The facts in it that are not known; empty: it is known and does not hold.
    pub unknown: Vec<FactName>,
}

/// A signal in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalLine {
    /// Which.
    pub signal: SignalId,
    /// What it means.
    pub says: Words,
    /// When it stops by itself.
    pub until: Millis,
}

/// A fact with its name and what it means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FactLine {
    /// Its name.
    pub name: FactName,
    /// What it means.
    pub says: Words,
    /// What is known; `None`: nothing, or too old.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fact: Option<Fact>,
}

/// What a customer may claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TillReason {
    /// Its name.
    pub name: SubjectToken,
    /// For people.
    pub title: Words,
    /// Whether it names a failure of ours.
    pub is_failure: bool,
}

/// The answer of the worker's service to a [`TillQuestion`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum TillAnswer {
    /// What can be given.
    Till(Box<Till>),
    /// Nothing can be said.
    Refused {
        /// Why.
        refusal: RemedyRefusal,
    },
}

/// Asks for wallets: those of an agent and a customer, or all with nothing said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalletsQuestion {
    /// Only this agent's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    /// Only this customer's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<IdentityId>,
}

/// Wallets that are not empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wallets {
    /// Up to which REMEDIES record.
    pub log_seq: u64,
    /// In order of their ids.
    pub lines: Vec<WalletLine>,
}

/// The answer to "would this policy be used?".
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyChecked {
    /// All faults at once; empty: it would.
    pub faults: Vec<PolicyFault>,
}
