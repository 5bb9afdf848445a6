//! What other systems send over HTTP.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::{AgentId, MessageId};

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

/// `POST /api/v1/keys`: lets an administrator's key make one that signs in as an agent and does nothing else, for a bot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// The agent's sign-in name.
    pub agent: String,
}

/// A key that signs in as an agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyMade {
    /// The agent.
    pub agent: AgentId,
    /// The key; shown once.
    pub key: String,
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
