//! `POST /api/v1/sessions`: an administrator's key signs in for an agent, so that a floor can be rehearsed, and a bot's key for
//! itself.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use bus::{KvError, new_token, token_hash};
use protocol::api::{NewSession, SessionMade};
use protocol::audit::{About, Action};
use protocol::config::Agent;
use protocol::signin::SessionRow;
use protocol::{AgentId, Millis};
use service::Problem;
use service::http::read_json;

use crate::door::Caller;
use crate::{Api, Shared, problems, publish, trail};

pub(crate) async fn post(
    State(api): State<Shared>,
    caller: Caller,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<SessionMade>), Problem> {
    let bytes =
        body.map_err(|rejection| problems::body(&rejection, api.kit.settings.limits.body_max_bytes))?;
    let asked: NewSession = read_json(&bytes)?;
    caller.may_sign_in(&asked.agent)?;
    let in_force = api.floor.in_force().ok_or_else(problems::starting)?;
    let agent = agent(&api, &asked.agent)?;
    let rank = in_force.config.agents.iter().find(|found| found.id == agent).map(Agent::rank);
    trail::note(&api, &caller, Action::SessionMade, About::agent(agent)).await?;
    let token = new_token().map_err(|error| {
        tracing::error!(%error, "no session can be made");
        Problem::internal()
    })?;
    let lifetime_ms = u64::try_from(api.kit.settings.desk.session_lifetime.as_millis()).unwrap_or(u64::MAX);
    let now = Millis(api.kit.clock.unix_ms());
    let row = SessionRow::new(agent, now, now.plus(lifetime_ms));
    let row = SessionRow { rank, as_of: Some(in_force.log_seq), ..row };
    api.sessions
        .put(&token_hash(&token), publish::json(&row)?.into())
        .await
        .map_err(|error| unavailable(&error))?;
    tracing::info!(%agent, "a session was made by a key");
    Ok((StatusCode::CREATED, Json(SessionMade { agent, token })))
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

pub(crate) fn unavailable(error: &KvError) -> Problem {
    tracing::warn!(%error, "failed to use accounts or sessions");
    problems::bus_unavailable()
}
