//! A customer's rights at the desk: who leads has everything exported that is held of them, or erased.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Extensions, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bus::{Deadline, ExportError, RequestError};
use protocol::audit::Action;
use protocol::rights::{About, Asker, RightsAnswer, RightsQuestion};
use protocol::{AgentId, ConversationId, ErasureId, ExportId};
use serde::Deserialize;
use service::Problem;
use service::http::JsonBody;

use crate::pages::{shown, signed_in, silent};
use crate::{Gateway, audit, files};

/// How long the keeper of the customer's rights has to answer: it waits for the read models.
const ANSWER_WAIT: Duration = Duration::from_secs(20);
/// Largest body, bytes.
pub(crate) const BODY_BYTES_MAX: usize = 1024;
/// What has to be typed before a customer is erased.
const CONFIRMATION: &str = "ERASE";
/// When an export that is not whole is to be looked for again, seconds.
const LOOK_AGAIN_S: &str = "1";

/// What one types before it is done.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Typed {
    confirm: String,
}

pub(crate) async fn erase(
    State(gateway): State<Arc<Gateway>>,
    extensions: Extensions,
    Path(conversation): Path<String>,
    JsonBody(Typed { confirm }): JsonBody<Typed>,
) -> Result<Response, Problem> {
    let (agent, about) = about(&gateway, &extensions, &conversation)?;
    if confirm != CONFIRMATION {
        let detail = format!("type {CONFIRMATION} to say that it is meant: nobody can undo it");
        return Err(Problem::new(StatusCode::BAD_REQUEST, "not_confirmed", "this was not confirmed", detail));
    }
    let id = ErasureId(uuid::Uuid::now_v7());
    audit::note(&gateway, agent, Action::CustomerErased, noted(&about, id.to_string())).await?;
    answered(&gateway, &RightsQuestion::Erase { id, about, by: Asker::Agent { agent } }).await
}

pub(crate) async fn erasure(
    State(gateway): State<Arc<Gateway>>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = id.parse().map_err(|_| files::no_such_file())?;
    answered(&gateway, &RightsQuestion::Erasure { id }).await
}

pub(crate) async fn export(
    State(gateway): State<Arc<Gateway>>,
    extensions: Extensions,
    Path(conversation): Path<String>,
) -> Result<Response, Problem> {
    let (agent, about) = about(&gateway, &extensions, &conversation)?;
    let id = ExportId(uuid::Uuid::now_v7());
    audit::note(&gateway, agent, Action::CustomerExported, noted(&about, id.to_string())).await?;
    answered(&gateway, &RightsQuestion::Export { id, about, by: Asker::Agent { agent } }).await
}

/// The archive, part by part; 202 while it is put together.
pub(crate) async fn exported(
    State(gateway): State<Arc<Gateway>>,
    extensions: Extensions,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let agent = signed_in(&extensions)?;
    let id: ExportId = id.parse().map_err(|_| files::no_such_file())?;
    // It is for who asked for it: whoever else leads there asks for one of their own, and that stands in the trail.
    let begun = gateway.exports.begun(id).await.map_err(|error| away(&error))?;
    if begun.is_none_or(|begun| begun.by != Asker::Agent { agent }) {
        return Err(files::no_such_file());
    }
    let Some(whole) = gateway.exports.find(id).await.map_err(|error| away(&error))? else {
        return Ok((StatusCode::ACCEPTED, [(header::RETRY_AFTER, LOOK_AGAIN_S)]).into_response());
    };
    // The first part now, so that an export that was erased meanwhile is told of and not cut short.
    gateway.exports.part(id, whole.owner, 0).await.map_err(|error| away(&error))?;
    audit::fetch(&gateway, agent, id).await?;
    let exports = gateway.exports.clone();
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

/// Who asks, and whom it is about if they lead there.
fn about(
    gateway: &Gateway,
    extensions: &Extensions,
    conversation: &str,
) -> Result<(AgentId, About), Problem> {
    let agent = signed_in(extensions)?;
    let conversation: ConversationId = conversation.parse().map_err(|_| files::not_yours())?;
    // Who leads some queues only does not lead the customers of others.
    if !gateway.hub.leads_conversation(agent, conversation) {
        return Err(files::not_yours());
    }
    Ok((agent, About { conversation: Some(conversation), identities: Vec::new() }))
}

/// Whom an entry of the audit trail is about.
fn noted(about: &About, id: String) -> protocol::audit::About {
    let conversation = about.conversation;
    protocol::audit::About { conversation, id: Some(id), ..protocol::audit::About::default() }
}

/// The page is shown the answer as it is, and says it in words.
async fn answered(gateway: &Gateway, question: &RightsQuestion) -> Result<Response, Problem> {
    let away = || silent("rights_silent", "this cannot be written down now: nothing was done");
    let unsure = || {
        let detail = "it is done once under its id, or not at all: look for it before you repeat it";
        let title = "no answer came: it may be written down or not";
        Problem::new(StatusCode::GATEWAY_TIMEOUT, "outcome_open", title, detail).with("id", question.id())
    };
    let bytes = serde_json::to_vec(question).map_err(|_| Problem::internal())?;
    let deadline = Deadline::after(ANSWER_WAIT);
    let answer = gateway.bus.request(&gateway.subjects.rights(), bytes.into(), deadline).await;
    let answer = answer.map_err(|error| {
        tracing::warn!(%error, "nobody keeps the customer's rights");
        // Whoever was asked and did not answer in time may do it all the same.
        if matches!(error, RequestError::NoResponder(_)) { away() } else { unsure() }
    })?;
    let answer: RightsAnswer = serde_json::from_slice(&answer).map_err(|_| Problem::internal())?;
    match answer {
        RightsAnswer::Away => Err(away()),
        RightsAnswer::Unsure => Err(unsure()),
        RightsAnswer::Erasing { .. }
        | RightsAnswer::Exporting { .. }
        | RightsAnswer::Unknown
        | RightsAnswer::Open { .. }
        | RightsAnswer::TooMany
        | RightsAnswer::Taken => Ok(shown(answer)),
    }
}

fn away(error: &ExportError) -> Problem {
    match error {
        ExportError::Gone => files::no_such_file(),
        ExportError::Unavailable(_) => silent("export_silent", "this export cannot be had now"),
    }
}
