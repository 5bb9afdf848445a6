//! The policy of what agents may give, read and replaced as a whole by who supervises all queues. It is shown and taken as the
//! text of `empowerment.toml`, as `winterband rules check` reads it.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use bus::Deadline;
use policy_file::{FILE_NAME, parse, place, write};
use protocol::Hash128;
use protocol::limits::POLICY_BYTES_MAX;
use protocol::policy::{Policy, PolicyFault};
use protocol::till::PolicyChecked;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use service::Problem;
use service::http::JsonBody;
use service::settings;

use super::config::code;
use super::relay;
use crate::sessions::Session;
use crate::{Gateway, pages};

/// Largest text, bytes as JSON: the largest policy, with what is noted in it.
pub(crate) const BODY_BYTES_MAX: usize = 4 * POLICY_BYTES_MAX;
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
    /// In the text, from 1; none for what stands nowhere in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    path: String,
    message: String,
}

impl From<settings::Fault> for Fault {
    fn from(fault: settings::Fault) -> Self {
        let settings::Fault { line, path, expected, found, .. } = fault;
        Self { line, path, message: format!("expected {expected}, found {found}") }
    }
}

pub(crate) async fn get(State(gateway): State<Arc<Gateway>>) -> Result<Response, Problem> {
    pages::logs_read(&gateway).await?;
    let Some((log_seq, hash, policy)) = gateway.hub.policy() else {
        let detail = "publish one: `winterband config apply` does it from empowerment.toml";
        return Err(Problem::new(StatusCode::NOT_FOUND, "no_policy", "no policy is in force yet", detail));
    };
    Ok(pages::shown(Shown { log_seq, hash, text: write(&policy) }))
}

/// Looks at a text and changes nothing.
pub(crate) async fn check(
    State(gateway): State<Arc<Gateway>>,
    JsonBody(Text { text }): JsonBody<Text>,
) -> Result<Response, Problem> {
    let text = Arc::<str>::from(text);
    let faults = match read(&text).await? {
        Ok(policy) => placed(&text, said(&gateway, &policy).await?).await?,
        Err(faults) => faults,
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
    let text = Arc::<str>::from(text);
    let policy = read(&text).await?.map_err(|faults| faulty(&faults))?;
    let body = serde_json::to_value(&policy).map_err(|error| {
        tracing::error!(%error, "a policy cannot be written");
        Problem::internal()
    })?;
    // The worker alone knows which one is in force when this comes.
    let path = if_hash.map_or_else(|| PATH.to_owned(), |hash| format!("{PATH}?if_hash={hash}"));
    let answer = relay::ask(&gateway, by.agent, &Method::PUT, &path, Some(body)).await?;
    let faults = answer.body.as_ref().filter(|body| code(Some(body)) == Some("policy_faulty"));
    match faults.and_then(|body| Vec::<PolicyFault>::deserialize(body.get("faults")?).ok()) {
        Some(faults) => Err(faulty(&placed(&text, faults).await?)),
        None => Ok(relay::shown(answer)),
    }
}

async fn read(text: &Arc<str>) -> Result<Result<Policy, Vec<Fault>>, Problem> {
    let text = Arc::clone(text);
    aside(move || {
        parse(FILE_NAME, &text).map_err(|faults| faults.into_iter().map(Fault::from).collect::<Vec<_>>())
    })
    .await
}

/// Faults of what a policy says, where they stand in its text.
async fn placed(text: &Arc<str>, faults: Vec<PolicyFault>) -> Result<Vec<Fault>, Problem> {
    let text = Arc::clone(text);
    let one = move |fault: PolicyFault| {
        let (line, path) = place(&text, &fault);
        Fault { line, path, message: fault.message }
    };
    aside(move || faults.into_iter().map(one).collect()).await
}

/// A long text takes a while, so it is looked at where it holds up nobody.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        tracing::error!(%error, "failed to look at a policy");
        Problem::internal()
    })
}

/// What the worker says of a policy that reads.
async fn said(gateway: &Gateway, policy: &Policy) -> Result<Vec<PolicyFault>, Problem> {
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
    Ok(checked.faults)
}

fn faulty(faults: &[Fault]) -> Problem {
    let detail = "nothing changed; correct all of `faults` and send the whole policy again";
    let title = "the policy cannot be used";
    let faults: Value = serde_json::to_value(faults).unwrap_or_default();
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "policy_faulty", title, detail).with("faults", faults)
}
