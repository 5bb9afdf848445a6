//! What other systems send over HTTP.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::ids::{AgentId, MessageId};
use crate::signin::{KeyAccount, Scope};
use crate::token::SubjectToken;

/// `POST /api/v1/messages`: a customer's message, published by another system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewMessage {
    /// The configured account of channel `api`.
    pub account: String,
    /// The sender's own id of this message: the same id again is the same message.
    pub id: String,
    /// Who wrote.
    pub from: Sender,
    /// The words, 1 to 16 KiB.
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
}

/// Who wrote a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sender {
    /// An address, a number or an id that stays the same for this person.
    pub value: String,
    /// The name they give.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// The answer, given after the message is durable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageTaken {
    /// The message's id here.
    pub message: MessageId,
    /// Its place in INBOUND.
    pub input_seq: u64,
    /// Whether the server knew it already; an older duplicate is found later, by the core.
    pub duplicate: bool,
}

/// `POST /api/v1/keys`: makes a key, either one with rights, or one that signs in as an agent and does nothing else, for a bot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RotateKey {
    /// How many hours the old one still works, 0 to 720; 24 if it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap_hours: Option<u32>,
}

/// A key that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyListed {
    /// By what it is rotated and ended.
    pub id: String,
    /// What it may do.
    #[serde(flatten)]
    pub account: KeyAccount,
}

/// The answer of `GET /api/v1/keys`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeysListed {
    /// All keys, in the order of their names.
    pub keys: Vec<KeyListed>,
}

/// `POST /api/v1/sessions`: lets an administrator's key, or an agent's own, sign in for an agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewSession {
    /// The agent's sign-in name.
    pub agent: String,
}

/// A session made by an administrator's key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionMade {
    /// The agent.
    pub agent: AgentId,
    /// The bearer token for the desk's WebSocket; shown once.
    pub token: String,
}
