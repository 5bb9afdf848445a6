//! The configuration, read and replaced as a whole by who supervises.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use protocol::config::Role;
use protocol::{AgentId, Hash128, SubjectToken};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use service::Problem;

use super::relay::{ask, shown};
use crate::Gateway;
use crate::sessions::Session;

/// Largest configuration, bytes, as the API takes it.
pub(crate) const BODY_BYTES_MAX: usize = 6 * 1024 * 1024;
/// The route of the API.
pub(super) const PATH: &str = "/api/v1/config";
/// How often a change of one thing is made anew because somebody else changed another one meanwhile.
const ATTEMPTS_MAX: usize = 5;

/// What whoever asks may.
#[derive(Serialize)]
struct Mine {
    agent: AgentId,
    role: Role,
    scope: BTreeSet<SubjectToken>,
}

/// What was answered to a change.
#[derive(Deserialize, Serialize)]
pub(super) struct Applied {
    pub(super) hash: Hash128,
    pub(super) log_seq: u64,
}

/// The configuration in force, and what whoever asks may change of it.
pub(crate) async fn get(
    State(gateway): State<Arc<Gateway>>,
    Extension(by): Extension<Session>,
) -> Result<Response, Problem> {
    let agent = by.agent;
    let mut answer = ask(&gateway, agent, &Method::GET, PATH, None).await?;
    let authority = gateway.hub.authority_of(agent);
    let mine = Mine { agent, role: authority.role, scope: authority.scope };
    if answer.status == StatusCode::OK
        && let Some(Value::Object(body)) = &mut answer.body
    {
        body.insert("mine".to_owned(), serde_json::to_value(mine).unwrap_or_default());
    }
    Ok(shown(answer))
}

/// Changes one thing of the configuration in force, again and again while others change other things.
///
/// # Errors
/// What `change` says, and what the API answers: then nothing changed.
pub(super) async fn change(
    gateway: &Gateway,
    agent: AgentId,
    change: impl Fn(&mut Map<String, Value>) -> Result<(), Problem>,
) -> Result<Result<Applied, Response>, Problem> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        let present = ask(gateway, agent, &Method::GET, PATH, None).await?;
        let (hash, mut config) = match (present.status, present.body) {
            (200, Some(Value::Object(mut body))) => match (body.remove("hash"), body.remove("config")) {
                (Some(Value::String(hash)), Some(Value::Object(config))) => (hash, config),
                _ => return Err(none_yet()),
            },
            (status, body) => return Ok(Err(shown(protocol::admin::AdminAnswer { status, body }))),
        };
        change(&mut config)?;
        let path = format!("{PATH}?if_hash={hash}");
        let answer = ask(gateway, agent, &Method::PUT, &path, Some(config.into())).await?;
        let is_stale = code(answer.body.as_ref()) == Some("config_changed");
        if is_stale && attempts < ATTEMPTS_MAX {
            continue;
        }
        let applied = (answer.status == StatusCode::OK).then(|| answer.body.clone().unwrap_or_default());
        return match applied.map(serde_json::from_value) {
            Some(Ok(applied)) => Ok(Ok(applied)),
            Some(Err(error)) => {
                tracing::error!(%error, "an answer of the API does not read");
                Err(Problem::internal())
            }
            None => Ok(Err(shown(answer))),
        };
    }
}

/// The code of a problem.
pub(super) fn code(body: Option<&Value>) -> Option<&str> {
    body?.get("code")?.as_str()
}

/// The list of this name in a configuration, which has it or gets it.
pub(super) fn list<'a>(
    config: &'a mut Map<String, Value>,
    name: &str,
) -> Result<&'a mut Vec<Value>, Problem> {
    let list = config.entry(name).or_insert_with(|| Value::Array(Vec::new()));
    list.as_array_mut().ok_or_else(Problem::internal)
}

fn none_yet() -> Problem {
    let detail = "put one in force with `winterband config apply`, or with PUT here";
    Problem::new(StatusCode::CONFLICT, "no_config", "there is no configuration yet", detail)
}
