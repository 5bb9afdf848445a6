//! `POST /api/v1/sessions` and `/keys`: an administrator's key signs in for an agent, so that a floor can be rehearsed, and
//! makes the key with which a bot signs in by itself.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use bus::{KvError, new_token, token_hash};
use protocol::api::{KeyMade, NewKey, NewSession, SessionMade};
use protocol::signin::{KeyAccount, SessionRow, api_key_key};
use protocol::{AgentId, Millis};
use service::Problem;
use service::http::read_json;

use crate::door::{Admin, Usher};
use crate::{Api, Shared, problems, publish};

pub(crate) async fn post(
    State(api): State<Shared>,
    usher: Usher,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<SessionMade>), Problem> {
    let bytes =
        body.map_err(|rejection| problems::body(&rejection, api.kit.settings.limits.body_max_bytes))?;
    let asked: NewSession = read_json(&bytes)?;
    if !usher.may_sign_in(&asked.agent) {
        return Err(problems::agent_only());
    }
    let agent = agent(&api, &asked.agent)?;
    let token = new_token().map_err(|error| {
        tracing::error!(%error, "no session can be made");
        Problem::internal()
    })?;
    let lifetime_ms = u64::try_from(api.kit.settings.desk.session_lifetime.as_millis()).unwrap_or(u64::MAX);
    let row = SessionRow { agent, until: Millis(api.kit.clock.unix_ms()).plus(lifetime_ms) };
    api.sessions
        .put(&token_hash(&token), publish::json(&row)?.into())
        .await
        .map_err(|error| unavailable(&error))?;
    tracing::info!(%agent, "a session was made by a key");
    Ok((StatusCode::CREATED, Json(SessionMade { agent, token })))
}

/// Makes a key that signs in as one agent; the ones that were made before stay.
pub(crate) async fn post_key(
    State(api): State<Shared>,
    _admin: Admin,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<KeyMade>), Problem> {
    let bytes =
        body.map_err(|rejection| problems::body(&rejection, api.kit.settings.limits.body_max_bytes))?;
    let asked: NewKey = read_json(&bytes)?;
    let id = agent(&api, &asked.agent)?;
    let key = new_token().map_err(|error| {
        tracing::error!(%error, "no key can be made");
        Problem::internal()
    })?;
    let name = asked.agent.parse().map_err(|_| Problem::internal())?;
    let row = KeyAccount { name: format!("signs in as {}", asked.agent), admin: false, agent: Some(name) };
    let stored = api.accounts.put(&api_key_key(&token_hash(&key)), publish::json(&row)?.into()).await;
    stored.map_err(|error| unavailable(&error))?;
    tracing::info!(agent = %id, "a key was made that signs in as an agent");
    Ok((StatusCode::CREATED, Json(KeyMade { agent: id, key })))
}

/// Any agent of the configuration, with a password or without.
pub(crate) fn agent(api: &Api, name: &str) -> Result<AgentId, Problem> {
    let in_force = api.floor.in_force().ok_or_else(problems::starting)?;
    let found = in_force.config.agents.iter().find(|agent| agent.name.as_str() == name);
    found.map(|agent| agent.id).ok_or_else(|| {
        let detail = "use the sign-in name of an agent of the configuration in force";
        Problem::new(StatusCode::NOT_FOUND, "unknown_agent", "there is no such agent", detail)
    })
}

fn unavailable(error: &KvError) -> Problem {
    tracing::warn!(%error, "failed to use accounts or sessions");
    problems::bus_unavailable()
}
