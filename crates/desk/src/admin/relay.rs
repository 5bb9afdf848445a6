//! Requests that go on to the API, in the name of who supervises.

use std::sync::Arc;
use std::time::Duration;

use axum::body::HttpBody as _;
use axum::extract::{FromRequest, Request, State};
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use bus::Deadline;
use protocol::AgentId;
use protocol::admin::{AdminAnswer, AdminRequest};
use protocol::config::Role;
use serde_json::Value;
use service::Problem;
use service::http::JsonBody;

use crate::Gateway;
use crate::sessions::Session;

/// Longest that the API may take: a mailbox that is tried answers within less.
const ANSWER_WAIT: Duration = Duration::from_secs(60);
/// What stands before the routes of who supervises here, and before the same ones there.
const HERE: &str = "/desk/admin/";
const THERE: &str = "/api/v1/";
/// Largest body of a request that is no configuration, bytes.
pub(crate) const BODY_BYTES_MAX: usize = 64 * 1024;

/// What is sent along, if anything is: JSON that says so, as everywhere at the desk. A form of another site cannot send it.
pub(crate) struct AnyJson(Option<Value>);

impl<S: Send + Sync> FromRequest<S> for AnyJson {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let is_empty =
            request.body().is_end_stream() && !request.headers().contains_key(header::CONTENT_TYPE);
        if is_empty {
            return Ok(Self(None));
        }
        JsonBody::<Value>::from_request(request, state).await.map(|JsonBody(body)| Self(Some(body)))
    }
}

/// Hands a request to the route of the same name of the API, in the name of who sends it.
pub(crate) async fn hand_on(
    State(gateway): State<Arc<Gateway>>,
    Extension(by): Extension<Session>,
    method: Method,
    uri: Uri,
    AnyJson(body): AnyJson,
) -> Result<Response, Problem> {
    on(&gateway, by.agent, &method, &uri, body).await
}

/// The same for what is for all queues, and so not for who supervises some of them.
pub(crate) async fn hand_on_for_all(
    State(gateway): State<Arc<Gateway>>,
    Extension(by): Extension<Session>,
    method: Method,
    uri: Uri,
    AnyJson(body): AnyJson,
) -> Result<Response, Problem> {
    for_all_queues(&gateway, by.agent)?;
    on(&gateway, by.agent, &method, &uri, body).await
}

/// # Errors
/// `beyond_you` for who supervises some queues only.
pub(crate) fn for_all_queues(gateway: &Gateway, agent: AgentId) -> Result<(), Problem> {
    let authority = gateway.hub.authority_of(agent);
    if authority.role == Role::Administrator || authority.scope.is_empty() {
        return Ok(());
    }
    let detail = "it is for all queues: ask somebody who supervises all of them";
    Err(Problem::new(StatusCode::FORBIDDEN, "beyond_you", "this is not yours to change", detail))
}

async fn on(
    gateway: &Gateway,
    agent: AgentId,
    method: &Method,
    uri: &Uri,
    body: Option<Value>,
) -> Result<Response, Problem> {
    let path = uri.path_and_query().and_then(|path| path.as_str().strip_prefix(HERE)).unwrap_or_default();
    ask(gateway, agent, method, &format!("{THERE}{path}"), body).await.map(shown)
}

/// What the API answers to a request in this agent's name.
///
/// # Errors
/// When it does not answer: whether it did what was asked is then open.
pub(crate) async fn ask(
    gateway: &Gateway,
    agent: AgentId,
    method: &Method,
    path: &str,
    body: Option<Value>,
) -> Result<AdminAnswer, Problem> {
    let request = AdminRequest { agent, method: method.to_string(), path: path.to_owned(), body };
    let bytes = serde_json::to_vec(&request).map_err(|error| {
        tracing::error!(%error, "failed to write a request to the API");
        Problem::internal()
    })?;
    let subject = gateway.subjects.admin();
    let asked = gateway.bus.request(&subject, bytes.into(), Deadline::after(ANSWER_WAIT));
    let answer = asked.await.map_err(|error| {
        tracing::warn!(%error, "the API did not answer who supervises");
        let detail =
            "look whether it was done before you do it again; if this stays, look whether the role api runs";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "api_silent", "the API does not answer now", detail)
    })?;
    serde_json::from_slice(&answer).map_err(|error| {
        tracing::error!(%error, "an answer of the API does not read");
        Problem::internal()
    })
}

/// An answer of the API as it is shown.
pub(crate) fn shown(answer: AdminAnswer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let kind = if status.is_success() { "application/json" } else { "application/problem+json" };
    let Some(body) = answer.body else { return status.into_response() };
    let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-store")];
    (status, headers, Json(body).into_response().into_body()).into_response()
}
