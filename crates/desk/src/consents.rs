//! What a customer agreed to, written down by who has a contact of theirs.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{Extensions, StatusCode};
use axum::response::Response;
use bus::KvError;
use protocol::audit::{About, Action};
use protocol::consent::{Consent, ConsentChange};
use protocol::rights::{Asker, HoldingsAnswer, HoldingsQuestion};
use protocol::{ConversationId, IdentityId, Millis, SubjectToken};
use serde::{Deserialize, Serialize};
use service::Problem;
use service::http::JsonBody;

use crate::pages::{ask, shown, signed_in, silent};
use crate::{Gateway, audit, files};

/// What the customer said.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Said {
    identity: IdentityId,
    purpose: SubjectToken,
    given: bool,
}

/// What an identity says to a purpose now.
#[derive(Serialize)]
pub(crate) struct ConsentLine {
    purpose: SubjectToken,
    given: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<Millis>,
}

/// A line for each purpose, those that were never asked for included.
pub(crate) async fn lines(gateway: &Gateway, identity: IdentityId) -> Result<Vec<ConsentLine>, KvError> {
    let said = gateway.consents.of(identity).await?;
    Ok(gateway.privacy.purposes().map(|purpose| line(purpose, &said)).collect())
}

fn line(purpose: &SubjectToken, said: &[Consent]) -> ConsentLine {
    let consent = said.iter().find(|one| one.purpose == *purpose);
    ConsentLine {
        purpose: purpose.clone(),
        given: consent.is_some_and(Consent::is_given),
        at: consent.and_then(|one| one.changes.last()).map(|last| last.at),
    }
}

pub(crate) async fn change(
    State(gateway): State<Arc<Gateway>>,
    extensions: Extensions,
    Path(conversation): Path<String>,
    JsonBody(Said { identity, purpose, given }): JsonBody<Said>,
) -> Result<Response, Problem> {
    let agent = signed_in(&extensions)?;
    let conversation: ConversationId = conversation.parse().map_err(|_| files::not_yours())?;
    if !gateway.hub.reads(agent, conversation) {
        return Err(files::not_yours());
    }
    let Some(wording) = gateway.privacy.wording_of(&purpose) else {
        let detail = "choose one from the list: the settings may have changed meanwhile";
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        return Err(Problem::new(status, "unknown_purpose", "there is no such purpose", detail));
    };
    let away = || silent("consents_silent", "this cannot be written down now");
    let question =
        HoldingsQuestion { conversation: Some(conversation), joined: true, ..HoldingsQuestion::default() };
    let answer: Option<HoldingsAnswer> = ask(&gateway, &gateway.subjects.views_holdings(), &question).await;
    // Nobody speaks for who is not the customer of what they were shown.
    if !answer.ok_or_else(away)?.holdings.iter().any(|one| one.identity == identity) {
        return Err(files::not_yours());
    }
    let whom = About { identity: Some(identity), id: Some(purpose.to_string()), ..About::default() };
    audit::note(&gateway, agent, Action::ConsentRecorded, whom).await?;
    let change = ConsentChange {
        given,
        at: gateway.now(),
        by: Asker::Agent { agent },
        source: "desk".to_owned(),
        wording: wording.to_owned(),
    };
    let said = gateway.consents.change(identity, &purpose, &change).await.map_err(|error| {
        tracing::warn!(%error, "failed to write down what a customer agreed to");
        away()
    })?;
    let lines: Vec<ConsentLine> = gateway.privacy.purposes().map(|purpose| line(purpose, &said)).collect();
    Ok(shown(lines))
}
