//! What who supervises changes: agents' first passwords and sessions here, and below the configuration, agents, accounts of channels,
//! keys and webhooks.
//!
//! Whatever the API can do as well is done there, once, in the agent's name: it looks what they may, and writes it to the audit trail.

pub(crate) mod agents;
pub(crate) mod channels;
pub(crate) mod config;
pub(crate) mod parked;
pub(crate) mod policy;
pub(crate) mod relay;

use std::sync::Arc;

use axum::Extension;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use protocol::audit::{About, Action};
use protocol::config::Role;
use protocol::{AgentId, SubjectToken};
use serde::{Deserialize, Serialize};
use service::Problem;
use service::http::JsonBody;

use crate::accounts::rules;
use crate::sessions::Session;
use crate::{Gateway, audit, pages, sessions, signin};

/// A first password.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct First {
    password: String,
}

/// What ended.
#[derive(Serialize)]
struct Ended {
    sessions: u32,
}

/// Whose account is meant.
struct Meant {
    agent: AgentId,
    name: SubjectToken,
}

/// The agent of a name.
fn meant(gateway: &Gateway, name: &str) -> Result<Meant, Problem> {
    let unknown = || {
        let detail = "use the sign-in name of an agent of the configuration in force";
        Problem::new(StatusCode::NOT_FOUND, "unknown_agent", "there is no such agent", detail)
    };
    let name: SubjectToken = name.parse().map_err(|_| unknown())?;
    let agent = gateway.hub.agent_named(&name).ok_or_else(unknown)?;
    Ok(Meant { agent, name })
}

/// The same, if whoever asks may change their account: nobody takes over somebody of their own role or above, who does not administrate.
fn below(gateway: &Gateway, by: &Session, name: &str) -> Result<Meant, Problem> {
    let meant = meant(gateway, name)?;
    let (own, theirs) = ranks(gateway, by, &meant);
    if own < Role::Administrator && theirs >= own {
        let detail = "ask an administrator: an account of your own role or above is not yours to change";
        return Err(too_low(detail));
    }
    if own < Role::Administrator
        && !gateway.hub.is_within(meant.agent, &gateway.hub.authority_of(by.agent).scope)
    {
        let detail =
            "ask who supervises all queues: this agent works in queues that are not yours, or leads there";
        return Err(too_low(detail));
    }
    Ok(meant)
}

/// The same, if whoever asks may end their sessions: anybody's but those of who stands above.
fn not_above(gateway: &Gateway, by: &Session, name: &str) -> Result<Meant, Problem> {
    let meant = meant(gateway, name)?;
    let (own, theirs) = ranks(gateway, by, &meant);
    if theirs > own {
        return Err(too_low(
            "ask somebody of the same role: sessions of a role above your own are not yours to end",
        ));
    }
    Ok(meant)
}

fn ranks(gateway: &Gateway, by: &Session, meant: &Meant) -> (Role, Role) {
    let rank = |agent| gateway.hub.rank_of(agent).unwrap_or_default();
    (rank(by.agent), rank(meant.agent))
}

fn too_low(detail: &'static str) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "role_too_low", "this account is not yours to change", detail)
}

/// Gives an agent a first password, which has to be changed at the next sign-in; all their sessions end.
pub(crate) async fn set_password(
    State(gateway): State<Arc<Gateway>>,
    Extension(by): Extension<Session>,
    Path(name): Path<String>,
    JsonBody(First { password }): JsonBody<First>,
) -> Result<StatusCode, Problem> {
    let Meant { agent, name } = below(&gateway, &by, &name)?;
    let title = gateway.hub.title_of(agent).unwrap_or_default();
    rules::check(&password, &[name.as_str(), &title])?;
    audit::note(&gateway, by.agent, Action::PasswordSet, About::agent(agent)).await?;
    gateway.gatekeeper.set(&name, agent, password).await.map_err(signin::refused)?;
    sessions::end_all(&gateway, agent).await?;
    tracing::info!(%agent, by = %by.agent, "a first password was set");
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn sessions(
    State(gateway): State<Arc<Gateway>>,
    Extension(by): Extension<Session>,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let Meant { agent, .. } = not_above(&gateway, &by, &name)?;
    Ok(pages::shown(sessions::list(&gateway, agent, Some(&by.key)).await?))
}

/// Ends all sessions of an agent, everywhere and at once.
pub(crate) async fn end_sessions(
    State(gateway): State<Arc<Gateway>>,
    Extension(by): Extension<Session>,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let Meant { agent, .. } = not_above(&gateway, &by, &name)?;
    audit::note(&gateway, by.agent, Action::SessionEnded, About::agent(agent)).await?;
    let sessions = sessions::end_all(&gateway, agent).await?;
    Ok(Json(Ended { sessions }).into_response())
}

/// Ends one session of an agent, everywhere and at once.
pub(crate) async fn end_session(
    State(gateway): State<Arc<Gateway>>,
    Extension(by): Extension<Session>,
    Path((name, id)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let Meant { agent, .. } = not_above(&gateway, &by, &name)?;
    sessions::end_listed(&gateway, by.agent, agent, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
