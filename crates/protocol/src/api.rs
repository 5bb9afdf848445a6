//! What other systems send over HTTP.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::edge::Integration;
use crate::facts::FactValues;
use crate::hash::Hash128;
use crate::ids::{AgentId, ContactId, MessageId, RemedyId};
use crate::money::Currency;
use crate::remedy::RemedyKind;
use crate::signin::{KeyAccount, Scope};
use crate::token::{ChannelKind, SubjectToken};

/// `POST /api/v1/messages`: a customer's message, published by another system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMessage {
    /// The configured account of channel `api`.
    pub account: String,
    /// The sender's own id of this message: the same id again is the same message. Over HTTP it may stand in the header
    /// `Idempotency-Key` instead.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(min = 1, max = 256))]
    pub id: String,
    /// Who wrote.
    pub from: Sender,
    /// The words, 1 to 16 KiB.
    #[schemars(length(min = 1, max = 16384))]
    pub text: String,
    /// What it is about, a configured category.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// When it was written, ms since the epoch; ignored when more than a day off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<u64>,
    /// The customer's language by its two small letters, as in `nl`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// What the sender knows about the matter, by names of two words (`customer.tier`): yes or no, a whole number or a word of at
    /// most 64 bytes each. Routing reads those that the configuration declares, when the message opens a contact.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub facts: BTreeMap<String, serde_json::Value>,
    /// Whether it is only practised: it is routed and answered like any, as of a customer of this name who only practises, and has no
    /// consequences outside. No order, feed, webhook or report knows of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub practice: bool,
}

/// Who wrote a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sender {
    /// An address, a number or an id that stays the same for this person.
    #[schemars(length(min = 1, max = 320))]
    pub value: String,
    /// The name they give.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// The answer, given after the message is durable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct MessageTaken {
    /// The message's id here.
    pub message: MessageId,
    /// Its place in INBOUND.
    pub input_seq: u64,
    /// Whether the server knew it already; an older duplicate is found later, by the core.
    pub duplicate: bool,
}

/// A customer as other systems know them; only a keyed hash of it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// The kind of channel.
    pub channel: ChannelKind,
    /// The account that they write to.
    pub account: SubjectToken,
    /// The address, number or id, 1 to 320 bytes.
    #[schemars(length(min = 1, max = 320))]
    pub value: String,
}

/// What facts are about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum About {
    /// An order, by the shop's number.
    Order(SubjectToken),
    /// A customer.
    Customer(Person),
}

/// `POST /api/v1/facts`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewFacts {
    /// Which integration says so, as the policy names it.
    pub source: SubjectToken,
    /// About what.
    pub about: About,
    /// When they were true, ms since 1970; now if it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<u64>,
    /// 1 to 100 facts.
    #[schemars(extend("minProperties" = 1, "maxProperties" = 100))]
    pub facts: FactValues,
}

/// `POST /api/v1/signals`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSignal {
    /// Which integration says so.
    pub source: SubjectToken,
    /// Which of the policy's signals.
    pub name: SubjectToken,
    /// About whom.
    pub about: Person,
}

/// `POST /api/v1/own-identities`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOwnIdentity {
    /// The agent's sign-in name.
    pub agent: String,
    /// An identity of theirs.
    pub identity: Person,
}

/// What was stored; the worker decides on it next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Taken {
    /// Its place in INBOUND.
    pub input_seq: u64,
    /// The same was told under the same id a moment ago.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub duplicate: bool,
}

/// A policy that is in force now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PolicyApplied {
    /// Its hash.
    pub hash: Hash128,
    /// The record of REMEDIES that put it in force.
    pub log_seq: u64,
}

/// Every answer that is a no (RFC 9457): `application/problem+json`. Further fields depend on the code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ProblemBody {
    /// `urn:winterband:problem:<code>`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What is wrong.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What to do.
    pub detail: String,
    /// A stable word that programs branch on.
    pub code: String,
}

/// An order for a remedy: what is asked of the system that carries it out, `PUT /orders/{remedy}`. Every field stands there, also
/// where there is nothing to say, so that the same order is the same bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RemedyOrder {
    /// What to do.
    pub kind: RemedyKind,
    /// How much, hundredths of the currency.
    #[serde(default)]
    pub cents: Option<i64>,
    /// Its currency.
    #[serde(default)]
    pub currency: Option<Currency>,
    /// For which order, by the shop's number.
    #[serde(default)]
    pub order: Option<SubjectToken>,
    /// Which line of it.
    #[serde(default)]
    pub line: Option<SubjectToken>,
    /// One of the policy's reasons.
    #[serde(default)]
    pub reason: Option<SubjectToken>,
    /// The incident that it belongs to.
    #[serde(default)]
    pub incident: Option<SubjectToken>,
    /// The agent's own words about what is to be done.
    #[serde(default)]
    pub words: Option<String>,
    /// By when, ms since 1970.
    #[serde(default)]
    pub due: Option<u64>,
    /// Given knowing of this one for the same thing.
    #[serde(default)]
    pub on_top_of: Option<RemedyId>,
    /// The contact.
    pub contact: ContactId,
}

/// What that system answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RemedyOrderAnswer {
    /// How it stands.
    pub status: RemedyOrderStatus,
    /// A voucher's code or the shop's own number, once it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Why it will never be done: a stable word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// How an order for a remedy stands.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum RemedyOrderStatus {
    /// Carried out.
    Done,
    /// Still at it: it is asked again.
    Pending,
    /// Never.
    Failed,
    /// There is no such order.
    NotFound,
}

/// `POST /api/v1/keys`: makes a key, either one with rights, or one that signs in as an agent and does nothing else, for a bot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// The sign-in name of the agent that it signs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// What people call it, 1 to 64 bytes; needed when no agent is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it may do; needed when no agent is named. Nobody gives a right that they do not have.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub scopes: BTreeSet<Scope>,
    /// The integration that it speaks for: facts and signals of other sources are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integration: Option<SubjectToken>,
    /// After how many days it ends, 1 to 3,650; never if it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<u32>,
}

/// `POST /api/v1/keys/{id}/rotate`: makes a key in another one's place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateKey {
    /// How many hours the old one still works, 0 to 720; 24 if it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap_hours: Option<u32>,
}

/// A key that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct KeyMade {
    /// By what it is listed, rotated and ended.
    pub id: String,
    /// The agent that it signs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    /// The key; shown once.
    pub key: String,
}

/// A key in the answer of `GET /api/v1/keys`; the key itself is not kept anywhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct KeyListed {
    /// By what it is rotated and ended.
    pub id: String,
    /// What it may do.
    #[serde(flatten)]
    pub account: KeyAccount,
}

/// The answer of `GET /api/v1/keys`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct KeysListed {
    /// All keys, in the order of their names.
    pub keys: Vec<KeyListed>,
}

/// `POST /api/v1/sessions`: lets an administrator's key, or an agent's own, sign in for an agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSession {
    /// The agent's sign-in name.
    pub agent: String,
}

/// A session made by an administrator's key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SessionMade {
    /// The agent.
    pub agent: AgentId,
    /// The bearer token for the desk's WebSocket; shown once.
    pub token: String,
}

/// `POST /api/v1/integrations`: lets a system speak NATS with us.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewIntegration {
    /// Its name, 1 to 20 of a-z 0-9 and -: a word of its subjects, and the source of the facts that it tells.
    pub name: String,
    /// What it may do.
    pub scopes: BTreeSet<Scope>,
    /// The accounts of channel `api` that it may publish messages for.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub accounts: BTreeSet<SubjectToken>,
    /// Messages that it may publish in a second, 1 to 5,000; 200 if it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_second: Option<u32>,
    /// Its own public NATS key (`U...`); without one a pair is made, and its seed shown once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
}

/// `POST /api/v1/integrations/{name}/rotate`: gives it one key more, or leaves it its newest one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateIntegration {
    /// Its own public NATS key (`U...`); without one a pair is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    /// Ends all keys but the newest instead; nothing is made.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub end_old: bool,
}

/// An integration that was made, or got a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct IntegrationMade {
    /// Its name.
    pub name: SubjectToken,
    /// Its public keys that open, the newest last.
    pub keys: Vec<String>,
    /// The seed of the newest, if we made it; shown once and kept nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<String>,
}

/// An integration in the answer of `GET /api/v1/integrations`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct IntegrationListed {
    /// Its name.
    pub name: SubjectToken,
    /// What it may do, and its public keys.
    #[serde(flatten)]
    pub integration: Integration,
}

/// The answer of `GET /api/v1/integrations`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct IntegrationsListed {
    /// All of them, in the order of their names.
    pub integrations: Vec<IntegrationListed>,
}
