//! `POST /api/v1/customers/consents`: what a customer agreed to, or no longer agrees to.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use bus::KvError;
use protocol::api::Person;
use protocol::audit::{About, Action};
use protocol::consent::{Consent, ConsentChange, SOURCE_BYTES_MAX};
use protocol::privacy::WORDING_BYTES_MAX;
use protocol::rights::{HoldingsAnswer, HoldingsQuestion};
use protocol::{ConversationId, IdentityId, Millis, SubjectToken};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use service::Problem;

use crate::customers::{about, by};
use crate::door::Caller;
use crate::problems::unprocessable;
use crate::{Api, Shared, body, problems, trail};

/// How long the read models have to say whose a conversation is.
const ANSWER_WAIT: std::time::Duration = std::time::Duration::from_secs(5);

/// What a customer said.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "ConsentSaid")]
#[serde(deny_unknown_fields)]
pub(crate) struct Said {
    #[serde(default)]
    conversation: Option<ConversationId>,
    #[serde(default)]
    identity: Option<Person>,
    /// One of the configured purposes.
    purpose: SubjectToken,
    given: bool,
    /// Where it was said.
    #[serde(default)]
    source: Option<String>,
    /// Which wording they were shown; the purpose's present one if not said.
    #[serde(default)]
    wording: Option<String>,
}

/// Of whom it is asked what they said.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "ConsentsOf")]
#[serde(deny_unknown_fields)]
pub(crate) struct Of {
    #[serde(default)]
    conversation: Option<ConversationId>,
    #[serde(default)]
    identity: Option<Person>,
}

/// What an identity said.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ConsentsOfIdentity")]
pub(crate) struct OfIdentity {
    identity: IdentityId,
    consents: Vec<Consent>,
}

pub(crate) async fn change(
    State(api): State<Shared>,
    caller: Caller,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Vec<OfIdentity>>, Problem> {
    let said: Said = body::read(&api, body)?;
    let Some(wording) = api.privacy.wording_of(&said.purpose) else {
        let known: Vec<&str> = api.privacy.purposes().map(SubjectToken::as_str).collect();
        let detail = format!("use one of {}, or add it to privacy.toml", known.join(", "));
        return Err(unprocessable("unknown_purpose", "there is no such purpose", detail)
            .with("known", known.join(" ")));
    };
    let change = ConsentChange {
        given: said.given,
        at: Millis(api.kit.clock.unix_ms()),
        by: by(&caller),
        source: said.source.unwrap_or_else(|| "api".to_owned()),
        wording: said.wording.unwrap_or_else(|| wording.to_owned()),
    };
    if change.source.len() > SOURCE_BYTES_MAX || change.wording.len() > WORDING_BYTES_MAX {
        let detail =
            format!("send at most {SOURCE_BYTES_MAX} bytes as source, {WORDING_BYTES_MAX} as wording");
        return Err(unprocessable("field_too_long", "source or wording is too long", detail));
    }
    let mut all = Vec::new();
    for identity in identities(&api, said.conversation, said.identity.as_ref()).await? {
        let whom = About { identity: Some(identity), id: Some(said.purpose.to_string()), ..About::default() };
        trail::note(&api, &caller, Action::ConsentRecorded, whom).await?;
        let consents =
            api.consents.change(identity, &said.purpose, &change).await.map_err(|error| away(&error))?;
        all.push(OfIdentity { identity, consents });
    }
    Ok(Json(all))
}

pub(crate) async fn list(
    State(api): State<Shared>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Vec<OfIdentity>>, Problem> {
    let of: Of = body::read(&api, body)?;
    let mut all = Vec::new();
    for identity in identities(&api, of.conversation, of.identity.as_ref()).await? {
        let consents = api.consents.of(identity).await.map_err(|error| away(&error))?;
        all.push(OfIdentity { identity, consents });
    }
    Ok(Json(all))
}

/// Whose a conversation is, or who somebody is by their address.
async fn identities(
    api: &Api,
    conversation: Option<ConversationId>,
    person: Option<&Person>,
) -> Result<Vec<IdentityId>, Problem> {
    let about = about(api, conversation, person)?;
    if about.conversation.is_none() {
        return Ok(about.identities);
    }
    let question = HoldingsQuestion { conversation: about.conversation, ..HoldingsQuestion::default() };
    let deadline = bus::Deadline::after(ANSWER_WAIT);
    let bytes = crate::publish::json(&question)?.into();
    let answer = api.bus.request(&api.subjects.views_holdings(), bytes, deadline).await;
    let answer = answer.ok().and_then(|bytes| serde_json::from_slice::<HoldingsAnswer>(&bytes).ok());
    let answer =
        answer.ok_or_else(|| Problem::unavailable("views_silent", "whose it is cannot be said now"))?;
    if answer.holdings.is_empty() {
        let detail = "use a conversation as events and the desk name it";
        return Err(Problem::new(
            StatusCode::NOT_FOUND,
            "unknown_customer",
            "there is no such conversation",
            detail,
        ));
    }
    Ok(answer.holdings.iter().map(|one| one.identity).collect())
}

fn away(error: &KvError) -> Problem {
    tracing::warn!(%error, "failed to use the record of consents");
    problems::bus_unavailable()
}
