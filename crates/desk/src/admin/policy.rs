//! The policy of what agents may give, read and replaced as a whole by who supervises all queues. It is shown as JSON, as
//! `PUT /api/v1/policy` takes it: what `empowerment.toml` says, without its comments.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use bus::Deadline;
use protocol::Hash128;
use protocol::policy::{Policy, PolicyFault};
use protocol::till::PolicyChecked;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use service::Problem;
use service::http::JsonBody;

use super::relay;
use crate::sessions::Session;
use crate::{Gateway, pages};

/// Largest policy, bytes, as the API takes it.
pub(crate) const BODY_BYTES_MAX: usize = super::config::BODY_BYTES_MAX;
/// The route of the API.
const PATH: &str = "/api/v1/policy";
/// How long the worker may take to look at a policy.
const CHECK_WAIT_MAX: Duration = Duration::from_secs(10);

/// The policy in force.
#[derive(Serialize)]
struct Shown {
    log_seq: u64,
    hash: Hash128,
    text: String,
}

/// A text to be looked at.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Text {
    text: String,
}

/// A text in place of what is in force.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Replaced {
    text: String,
    /// What it was made from, zeros for none: another one in force by then stays.
    #[serde(default)]
    if_hash: Option<Hash128>,
}

/// What is wrong with a text.
#[derive(Serialize)]
struct Fault {
    /// Where it stops being JSON of a policy, from 1; none for what such a policy says.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    path: String,
    message: String,
}

impl From<PolicyFault> for Fault {
    fn from(PolicyFault { path, message }: PolicyFault) -> Self {
        Self { line: None, path, message }
    }
}

pub(crate) async fn get(State(gateway): State<Arc<Gateway>>) -> Result<Response, Problem> {
    pages::logs_read(&gateway).await?;
    let Some((log_seq, hash, policy)) = gateway.hub.policy() else {
        let detail = "publish one: `winterband config apply` does it from empowerment.toml";
        return Err(Problem::new(StatusCode::NOT_FOUND, "no_policy", "no policy is in force yet", detail));
    };
    let text = serde_json::to_string_pretty(&*policy).map_err(|error| {
        tracing::error!(%error, "the policy in force cannot be written");
        Problem::internal()
    })?;
    Ok(pages::shown(Shown { log_seq, hash, text }))
}

/// Looks at a text and changes nothing.
pub(crate) async fn check(
    State(gateway): State<Arc<Gateway>>,
    JsonBody(Text { text }): JsonBody<Text>,
) -> Result<Response, Problem> {
    let faults = match read(&text) {
        Ok(policy) => said(&gateway, &policy).await?,
        Err(fault) => vec![fault],
    };
    Ok(Json(json!({ "faults": faults })).into_response())
}

/// Replaces the policy by way of the API, which has the worker look at it first.
pub(crate) async fn put(
    State(gateway): State<Arc<Gateway>>,
    Extension(by): Extension<Session>,
    JsonBody(Replaced { text, if_hash }): JsonBody<Replaced>,
) -> Result<Response, Problem> {
    relay::for_all_queues(&gateway, by.agent)?;
    pages::logs_read(&gateway).await?;
    let policy = match read(&text) {
        Ok(policy) => policy,
        Err(fault) => return Err(faulty(&[fault])),
    };
    let body = serde_json::to_value(&policy).map_err(|error| {
        tracing::error!(%error, "a policy cannot be written");
        Problem::internal()
    })?;
    // The worker alone knows which one is in force when this comes.
    let path = if_hash.map_or_else(|| PATH.to_owned(), |hash| format!("{PATH}?if_hash={hash}"));
    let answer = relay::ask(&gateway, by.agent, &Method::PUT, &path, Some(body)).await?;
    Ok(relay::shown(answer))
}

fn read(text: &str) -> Result<Policy, Fault> {
    serde_json::from_str(text).map_err(|error| Fault {
        line: Some(error.line()),
        path: String::new(),
        message: error.to_string(),
    })
}

/// What the worker says of a policy that reads.
async fn said(gateway: &Gateway, policy: &Policy) -> Result<Vec<Fault>, Problem> {
    let json = serde_json::to_vec(policy).map_err(|error| {
        tracing::error!(%error, "a policy cannot be written");
        Problem::internal()
    })?;
    let subject = gateway.subjects.policy_check();
    let asked = gateway.bus.request(&subject, json.into(), Deadline::after(CHECK_WAIT_MAX)).await;
    let answer = asked.map_err(|error| {
        tracing::warn!(%error, "the worker did not look at a policy");
        Problem::unavailable("worker_silent", "the empowerment role did not answer: try again when it is up")
    })?;
    let checked: PolicyChecked = serde_json::from_slice(&answer).map_err(|error| {
        tracing::error!(line = error.line(), "the worker's answer does not read");
        Problem::internal()
    })?;
    Ok(checked.faults.into_iter().map(Fault::from).collect())
}

fn faulty(faults: &[Fault]) -> Problem {
    let detail = "nothing changed; correct all of `faults` and send the whole policy again";
    let title = "the policy cannot be used";
    let faults: Value = serde_json::to_value(faults).unwrap_or_default();
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "policy_faulty", title, detail).with("faults", faults)
}
