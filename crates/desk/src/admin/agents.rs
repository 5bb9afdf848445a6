//! A new agent, with a first password.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use protocol::audit::{About, Action};
use protocol::{AgentId, Hash128, SubjectToken};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use service::Problem;
use service::http::JsonBody;

use super::config::{self, list};
use crate::sessions::Session;
use crate::{Gateway, audit, signin};

/// Letters of a first password: 80 bits, read off a screen and typed once.
const PASSWORD_LETTERS: usize = 20;

/// An agent as the configuration has them, without an id.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct New {
    agent: Map<String, Value>,
}

/// An agent who is there now, and how they sign in at first.
#[derive(Serialize)]
struct Made {
    agent: AgentId,
    name: SubjectToken,
    /// Shown once: whoever makes the agent hands it over.
    password: String,
    hash: Hash128,
    log_seq: u64,
}

/// Adds an agent to the configuration, and gives them a first password.
pub(crate) async fn add(
    State(gateway): State<Arc<Gateway>>,
    Extension(by): Extension<Session>,
    JsonBody(New { agent: mut new }): JsonBody<New>,
) -> Result<Response, Problem> {
    let by = by.agent;
    let name = new.get("name").and_then(Value::as_str).unwrap_or_default();
    let name = SubjectToken::new(name).map_err(|error| {
        let title = "this is no name to sign in with";
        Problem::new(StatusCode::BAD_REQUEST, "bad_name", title, error.to_string())
    })?;
    let agent = AgentId(uuid::Uuid::now_v7());
    new.insert("id".to_owned(), agent.to_string().into());
    let changed = config::change(&gateway, by, |config| {
        let agents = list(config, "agents")?;
        let is_there = |one: &Value| one.get("name").and_then(Value::as_str) == Some(name.as_str());
        if agents.iter().any(is_there) {
            return Err(exists(&name));
        }
        agents.push(Value::Object(new.clone()));
        Ok(())
    });
    let applied = match changed.await? {
        Ok(applied) => applied,
        Err(refused) => return Ok(refused),
    };
    let password = first_password()?;
    audit::note(&gateway, by, Action::PasswordSet, About::agent(agent)).await?;
    gateway.gatekeeper.set(&name, agent, password.clone()).await.map_err(signin::refused)?;
    tracing::info!(%agent, %by, "an agent was added");
    let made = Made { agent, name, password, hash: applied.hash, log_seq: applied.log_seq };
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(made)).into_response())
}

fn first_password() -> Result<String, Problem> {
    let token = bus::new_token().map_err(|error| {
        tracing::error!(%error, "no password can be made");
        Problem::internal()
    })?;
    Ok(token.chars().take(PASSWORD_LETTERS).collect())
}

fn exists(name: &SubjectToken) -> Problem {
    let detail = "choose another name to sign in with, or change the agent who has this one";
    Problem::new(StatusCode::CONFLICT, "agent_exists", format!("there is an agent {name} already"), detail)
}
