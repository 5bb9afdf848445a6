//! The customer's rights over HTTP: exports and erasures.

use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bus::{Deadline, ExportError, RequestError};
use protocol::api::Person;
use protocol::audit::{self, Action};
use protocol::limits::IDENTITY_BYTES_MAX;
use protocol::rights::{About, Asker, ErasureState, RightsAnswer, RightsQuestion};
use protocol::{ConversationId, ErasureId, ExportId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use service::Problem;

use crate::door::Caller;
use crate::problems::unprocessable;
use crate::{Api, Shared, body, problems, trail};

/// How long the keeper of the customer's rights has to answer: it waits for the read models.
const ANSWER_WAIT: Duration = Duration::from_secs(20);
/// When an export that is not whole is to be looked for again, seconds.
const LOOK_AGAIN_S: &str = "1";

/// Which customer: by a conversation of theirs, or as they write to an account.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "CustomerNamed")]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    /// Names the request; the same id again is the same request. Made here if not said.
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    conversation: Option<ConversationId>,
    #[serde(default)]
    identity: Option<Person>,
}

/// An export that was asked for.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Exporting {
    id: ExportId,
    /// Where it will lie.
    path: String,
}

/// `POST /api/v1/customers/erase`
pub(crate) async fn erase(
    State(api): State<Shared>,
    caller: Caller,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let asked: Asked = body::read(&api, body)?;
    let id = match &asked.id {
        Some(id) => id.parse().map_err(|_| wrong_id("era_"))?,
        None => ErasureId(uuid::Uuid::now_v7()),
    };
    let about = about(&api, asked.conversation, asked.identity.as_ref())?;
    trail::note(&api, &caller, Action::CustomerErased, noted(&about, id.to_string())).await?;
    let question = RightsQuestion::Erase { id, about, by: by(&caller) };
    let state = erasing(&question, ask(&api, &question).await?)?;
    Ok((StatusCode::ACCEPTED, Json(state)).into_response())
}

/// `GET /api/v1/erasures/{id}`
pub(crate) async fn erasure(
    State(api): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<ErasureState>, Problem> {
    let id = id.parse().map_err(|_| unknown_erasure())?;
    let question = RightsQuestion::Erasure { id };
    let answer = ask(&api, &question).await?;
    if matches!(answer, RightsAnswer::Unknown) {
        Err(unknown_erasure())
    } else {
        erasing(&question, answer).map(Json)
    }
}

/// `POST /api/v1/customers/export`
pub(crate) async fn export(
    State(api): State<Shared>,
    caller: Caller,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let asked: Asked = body::read(&api, body)?;
    let id = match &asked.id {
        Some(id) => id.parse().map_err(|_| wrong_id("exp_"))?,
        None => ExportId(uuid::Uuid::now_v7()),
    };
    let about = about(&api, asked.conversation, asked.identity.as_ref())?;
    trail::note(&api, &caller, Action::CustomerExported, noted(&about, id.to_string())).await?;
    let question = RightsQuestion::Export { id, about, by: by(&caller) };
    let answer = ask(&api, &question).await?;
    let RightsAnswer::Exporting { id } = answer else { return Err(refused(&question, &answer)) };
    let exporting = Exporting { id, path: format!("/api/v1/exports/{id}") };
    Ok((StatusCode::ACCEPTED, Json(exporting)).into_response())
}

/// `GET /api/v1/exports/{id}`: the archive, part by part; 202 while it is put together.
pub(crate) async fn exported(
    State(api): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id: ExportId = id.parse().map_err(|_| wrong_id("exp_"))?;
    let Some(whole) = api.exports.find(id).await.map_err(|error| away(&error))? else {
        return Ok((StatusCode::ACCEPTED, [(header::RETRY_AFTER, LOOK_AGAIN_S)]).into_response());
    };
    let exports = api.exports.clone();
    // The first part now, so that an export that was erased meanwhile is told of and not cut short.
    if whole.parts > 0 {
        exports.part(id, whole.owner, 0).await.map_err(|error| away(&error))?;
    }
    trail::note(&api, &caller, Action::CustomerExported, audit::About::id(id.to_string())).await?;
    let parts = futures_util::stream::unfold(0, move |part| {
        let exports = exports.clone();
        async move {
            if part >= whole.parts {
                return None;
            }
            Some((exports.part(id, whole.owner, part).await, part + 1))
        }
    });
    let headers = [
        (header::CONTENT_TYPE, "application/x-tar".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{id}.tar\"")),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((headers, Body::from_stream(parts)).into_response())
}

pub(crate) fn about(
    api: &Api,
    conversation: Option<ConversationId>,
    identity: Option<&Person>,
) -> Result<About, Problem> {
    match (conversation, identity) {
        (Some(conversation), None) => Ok(About { conversation: Some(conversation), identities: Vec::new() }),
        // Nobody has an empty address.
        (None, Some(Person { value, .. })) if value.is_empty() => Err(unnamed()),
        (None, Some(Person { channel, account, value })) if value.len() <= IDENTITY_BYTES_MAX => {
            let identities = api.hasher.identities(*channel, account.as_str(), value);
            Ok(About { conversation: None, identities })
        }
        (None, Some(_)) => {
            let detail = format!("send at most {IDENTITY_BYTES_MAX} bytes as identity.value");
            Err(unprocessable("identity_too_long", "nobody has such a long address", detail))
        }
        (Some(_), Some(_)) | (None, None) => Err(unnamed()),
    }
}

fn unnamed() -> Problem {
    let detail = "send `conversation`, or `identity` with channel, account and value; one of both";
    unprocessable("customer_unnamed", "which customer is not said", detail)
}

/// Whom an entry of the audit trail is about.
pub(crate) fn noted(about: &About, id: String) -> audit::About {
    let identity = about.identities.first().copied();
    audit::About { conversation: about.conversation, identity, id: Some(id), ..audit::About::default() }
}

pub(crate) fn by(caller: &Caller) -> Asker {
    Asker::Key { name: caller.name().to_owned() }
}

async fn ask(api: &Api, question: &RightsQuestion) -> Result<RightsAnswer, Problem> {
    let payload = crate::publish::json(question)?;
    let deadline = Deadline::after(ANSWER_WAIT);
    let answer =
        api.bus.request(&api.subjects.rights(), payload.into(), deadline).await.map_err(|error| {
            tracing::warn!(%error, "nobody keeps the customer's rights");
            // Whoever was asked and did not answer in time may do it all the same.
            let is_nobody = matches!(error, RequestError::NoResponder(_));
            refused(question, if is_nobody { &RightsAnswer::Away } else { &RightsAnswer::Unsure })
        })?;
    serde_json::from_slice(&answer).map_err(|error| {
        tracing::error!(%error, "an answer about rights does not read");
        Problem::internal()
    })
}

fn erasing(question: &RightsQuestion, answer: RightsAnswer) -> Result<ErasureState, Problem> {
    match answer {
        RightsAnswer::Erasing { state } => Ok(*state),
        RightsAnswer::Exporting { .. }
        | RightsAnswer::Unknown
        | RightsAnswer::Open { .. }
        | RightsAnswer::TooMany
        | RightsAnswer::Taken
        | RightsAnswer::Away
        | RightsAnswer::Unsure => Err(refused(question, &answer)),
    }
}

fn refused(question: &RightsQuestion, answer: &RightsAnswer) -> Problem {
    match answer {
        RightsAnswer::Taken => {
            let detail = "use an id of its own for each request, or leave it out";
            let title = "this id is that of a request about somebody else";
            Problem::new(StatusCode::CONFLICT, "id_taken", title, detail)
        }
        RightsAnswer::Unsure => {
            let id = question.id();
            let detail = format!("send the same again with \"id\": \"{id}\": it is done once");
            let title = "no answer came: it may be written down or not";
            Problem::new(StatusCode::GATEWAY_TIMEOUT, "outcome_open", title, detail).with("id", id)
        }
        RightsAnswer::Open { contacts } => {
            let contacts: Vec<String> = contacts.iter().map(ToString::to_string).collect();
            let detail = "resolve them, or let who has them do so, then ask again: whoever is written to now would be cut off";
            Problem::new(StatusCode::CONFLICT, "contacts_open", "contacts of this customer are open", detail)
                .with("contacts", contacts)
        }
        RightsAnswer::Unknown => {
            let detail =
                "look at the channel, the account and the address; nothing is held of who never wrote";
            Problem::new(
                StatusCode::NOT_FOUND,
                "unknown_customer",
                "nothing is held of this customer",
                detail,
            )
        }
        RightsAnswer::TooMany => {
            let detail = "somebody joined what does not belong together: part it at the desk, then ask again";
            Problem::new(
                StatusCode::CONFLICT,
                "too_many_identities",
                "too many identities are joined",
                detail,
            )
        }
        RightsAnswer::Away | RightsAnswer::Erasing { .. } | RightsAnswer::Exporting { .. } => {
            Problem::unavailable("rights_silent", "this cannot be written down now: nothing was done")
        }
    }
}

fn wrong_id(prefix: &str) -> Problem {
    let detail = format!("use {prefix} and a UUID, or leave it out");
    unprocessable("id_malformed", "this is no such id", detail)
}

fn unknown_erasure() -> Problem {
    let detail = "use the id that the request for the erasure was answered with";
    Problem::new(StatusCode::NOT_FOUND, "unknown_erasure", "there is no such erasure", detail)
}

fn away(error: &ExportError) -> Problem {
    match error {
        ExportError::Gone => {
            let detail = "exports are kept for two days, and end with an erasure: ask for another one";
            Problem::new(StatusCode::GONE, "export_gone", "this export is gone", detail)
        }
        ExportError::Unavailable(_) => {
            tracing::warn!(%error, "failed to read an export");
            problems::bus_unavailable()
        }
    }
}
