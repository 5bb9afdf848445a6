//! What who supervises asks of the API by way of the desk's gateway: a request of theirs and its answer, over the bus.

use serde::{Deserialize, Serialize};

use crate::ids::AgentId;

/// A request to a route of the API, in an agent's name. The gateway has looked who they are; the API looks what they may.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdminRequest {
    /// Who asks.
    pub agent: AgentId,
    /// `GET`, `PUT` ...
    pub method: String,
    /// The path with its query, as `/api/v1/keys`.
    pub path: String,
    /// What is sent along.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<serde_json::Value>,
}

/// What the API answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdminAnswer {
    /// The status.
    pub status: u16,
    /// The body, if there is one: what was asked for, or a problem.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<serde_json::Value>,
}
