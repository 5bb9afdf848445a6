//! What other systems tell the empowerment worker: facts, signals and agents' own identities.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use protocol::api::{About, NewFacts, NewOwnIdentity, NewSignal, Person, Taken};
use protocol::audit::{self, Action};
use protocol::input::WIRE_VERSION;
use protocol::limits::{FACTS_MAX, IDENTITY_BYTES_MAX};
use protocol::remedy::{EmpowermentInput, FactsAbout};
use protocol::{AgentId, IdentityId, Input, InputBody, Millis, NoticeId, SignalId, SubjectToken};
use service::Problem;
use service::http::read_json;

use crate::door::Caller;
use crate::idempotency::IdempotencyKey;
use crate::{Api, Shared, body, problems, publish, trail};

/// Under which id facts are told, and when.
pub(crate) struct Told<'a> {
    pub(crate) id: NoticeId,
    /// When they came; what says no time was true then, and nothing later.
    pub(crate) now: Millis,
    /// The integration that tells them, if it was one over NATS.
    pub(crate) by: Option<&'a SubjectToken>,
}

/// Whoever speaks for an integration tells nothing in another one's name.
fn is_from(source: &SubjectToken, by: Option<&SubjectToken>) -> Result<(), Problem> {
    match by {
        Some(own) if own != source => Err(problems::not_your_source(own)),
        Some(_) | None => Ok(()),
    }
}

pub(crate) async fn facts(
    State(api): State<Shared>,
    caller: Caller,
    key: IdempotencyKey,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<Taken>), Problem> {
    let bytes = body::whole(&api, body)?;
    let asked: NewFacts = read_json(&bytes)?;
    caller.may_tell_as(&asked.source)?;
    let id = NoticeId(key.id_of(&api, &caller, "facts", &bytes));
    let told = Told { id, now: Millis(api.kit.clock.unix_ms()), by: None };
    Ok((StatusCode::ACCEPTED, Json(take_facts(&api, asked, told).await?)))
}

/// Stores facts, from wherever they were pushed.
///
/// # Errors
/// When they cannot be used, or not be stored now; whoever pushed them is told which.
pub(crate) async fn take_facts(api: &Api, asked: NewFacts, told: Told<'_>) -> Result<Taken, Problem> {
    is_from(&asked.source, told.by)?;
    if asked.facts.is_empty() || asked.facts.len() > FACTS_MAX {
        let detail = format!("send 1 to {FACTS_MAX} facts at once");
        return Err(problems::unprocessable("facts_count", "too many facts, or none", &detail));
    }
    let about = match asked.about {
        About::Order(order) => FactsAbout::Order(order),
        About::Customer(person) => FactsAbout::Identity(identity(api, &person)?),
    };
    // A fact of tomorrow would stay fresh for too long.
    let at = asked.at.map_or(told.now, |at| Millis(at).min(told.now));
    let id = told.id;
    let input = EmpowermentInput::Facts { id, about, source: asked.source, at, facts: asked.facts };
    store(api, &id.to_string(), input).await
}

pub(crate) async fn signal(
    State(api): State<Shared>,
    caller: Caller,
    key: IdempotencyKey,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<Taken>), Problem> {
    let bytes = body::whole(&api, body)?;
    let asked: NewSignal = read_json(&bytes)?;
    caller.may_tell_as(&asked.source)?;
    let id = SignalId(key.id_of(&api, &caller, "signal", &bytes));
    Ok((StatusCode::ACCEPTED, Json(take_signal(&api, asked, id, None).await?)))
}

/// Stores a signal, from wherever it was told.
///
/// # Errors
/// As [`take_facts`].
pub(crate) async fn take_signal(
    api: &Api,
    asked: NewSignal,
    id: SignalId,
    by: Option<&SubjectToken>,
) -> Result<Taken, Problem> {
    is_from(&asked.source, by)?;
    let identity = identity(api, &asked.about)?;
    let input = EmpowermentInput::Signal { id, identity, name: asked.name, source: asked.source };
    store(api, &id.to_string(), input).await
}

pub(crate) async fn own_identity(
    State(api): State<Shared>,
    caller: Caller,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<Taken>), Problem> {
    let asked: NewOwnIdentity = body::read(&api, body)?;
    let agent: AgentId = crate::sessions::agent(&api, &asked.agent)?;
    let identity = identity(&api, &asked.identity)?;
    let id = NoticeId(uuid::Uuid::now_v7());
    let about = audit::About { identity: Some(identity), ..audit::About::agent(agent) };
    trail::note(&api, &caller, Action::OwnIdentityTold, about).await?;
    let input = EmpowermentInput::OwnIdentity { id, agent, identity };
    Ok((StatusCode::ACCEPTED, Json(store(&api, &id.to_string(), input).await?)))
}

fn identity(api: &Api, person: &Person) -> Result<IdentityId, Problem> {
    if person.value.is_empty() || person.value.len() > IDENTITY_BYTES_MAX {
        let detail = format!("send 1 to {IDENTITY_BYTES_MAX} bytes as `value`");
        return Err(problems::unprocessable("bad_identity", "this is nobody's address", &detail));
    }
    Ok(api.hasher.identity(person.channel, person.account.as_str(), &person.value))
}

/// Stores what the worker is told.
///
/// # Errors
/// When it cannot be stored now.
pub(crate) async fn store(api: &Api, id: &str, input: EmpowermentInput) -> Result<Taken, Problem> {
    let made_at = Millis(api.kit.clock.unix_ms());
    let input = Input { v: WIRE_VERSION, made_at, body: InputBody::Empowerment(input) };
    let subject = api.subjects.inbound_empowerment();
    let published = publish::store(api, &subject, id, publish::json(&input)?).await?;
    Ok(Taken { input_seq: published.seq, duplicate: published.duplicate })
}
