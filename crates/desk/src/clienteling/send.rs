//! A draft is sent, or let go.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{Extensions, StatusCode};
use axum::response::{IntoResponse as _, Response};
use bus::{Deadline, KvError, PublishError, SealError};
use protocol::arrival::{Approach, Arrival, filled, let_go_key, places_of, sent_key};
use protocol::audit::{About, Action};
use protocol::command::{AgentCommand, Begin, Command, Outcome, Refusal};
use protocol::content::{Content, Sealed, Template};
use protocol::input::WIRE_VERSION;
use protocol::reach::{ReachAnswer, ReachQuestion, Takes};
use protocol::{AgentId, CommandId, IdentityId, Input, InputBody, MessageId, SubjectToken};
use serde::{Deserialize, Serialize};
use service::Problem;
use service::http::JsonBody;

use super::drafts::{self, Draft, was_refused};
use crate::answer::Answer;
use crate::pages::{ask, shown, signed_in, silent};
use crate::{Gateway, audit, render};

/// Largest body, bytes: words at their limit, every byte of them written as six.
pub(crate) const BODY_BYTES_MAX: usize = 128 * 1024;
/// How often it is looked whether the router has answered.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// A draft as it is sent.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Words {
    /// Made by the desk: the same again is sent once.
    command: CommandId,
    text: String,
}

#[derive(Serialize)]
struct Sent {
    /// Whether it is known to be sent; else the same is to be asked again.
    sent: bool,
}

/// Sends a draft: the first of all agents who does wins, and nobody after them.
pub(crate) async fn send(
    State(gateway): State<Arc<Gateway>>,
    extensions: Extensions,
    Path((arrival, customer)): Path<(String, String)>,
    JsonBody(Words { command, text }): JsonBody<Words>,
) -> Result<Response, Problem> {
    let agent = signed_in(&extensions)?;
    // Sent again, as its answer was lost: it is the one that stands in the log.
    if let Some(answer) = gateway.hub.settled(agent, command) {
        return told(&answer);
    }
    let (arrival, draft) = find(&gateway, agent, (&arrival, &customer), Some(command)).await?;
    check_words(&gateway, &text)?;
    check_hours(&gateway)?;
    let (address, takes) = reach(&gateway, &draft).await?;
    let content = content(&gateway, &arrival, &draft, text, takes)?;
    let identity = draft.way.identity;
    let body = seal(&gateway, identity, &content).await?;
    let address = Content { identity: Some(address), ..Content::default() };
    let begin = Begin {
        channel: draft.way.channel,
        account: draft.way.account.clone(),
        identity,
        address: Some(seal(&gateway, identity, &address).await?),
        queue: arrival.queue.clone(),
        contact: None,
        message: MessageId(command.0),
        body,
    };
    let about = About {
        conversation: Some(draft.way.conversation),
        id: Some(arrival.id.to_string()),
        ..About::identity(identity)
    };
    audit::note(&gateway, agent, Action::CustomerSeen, about).await?;
    // By their own name too: whoever parts the identities does not make them somebody to whom nobody wrote.
    let keys = BTreeSet::from([draft.customer, identity].map(|one| sent_key(&arrival.id, one)));
    let command = AgentCommand { id: command, agent, command: Command::Begin(Box::new(begin)) };
    // A task of its own: a browser that is gone leaves nothing claimed that was not sent.
    let sending = tokio::spawn(sent_once(gateway, arrival, keys, command));
    sending.await.map_err(|error| {
        tracing::error!(panicked = error.is_panic(), "the sending of a draft broke");
        Problem::internal()
    })?
}

/// Sends what nobody sent before; what is known not to be sent is free for others again.
async fn sent_once(
    gateway: Arc<Gateway>,
    arrival: Arc<Arrival>,
    keys: BTreeSet<String>,
    command: AgentCommand,
) -> Result<Response, Problem> {
    let (agent, id) = (command.agent, command.id);
    let claims = claim_all(&gateway, agent, keys, id).await?;
    if let Err(NotPublished { problem, is_certain }) = publish(&gateway, command).await {
        if is_certain {
            release(&gateway, &claims).await;
        }
        return Err(problem);
    }
    let Some(answer) = settled(&gateway, agent, id).await else {
        return Ok((StatusCode::ACCEPTED, shown(Sent { sent: false })).into_response());
    };
    let told = told(&answer);
    if told.is_ok() {
        tracing::info!(%agent, arrival = %arrival.id, "sent a draft to a regular");
    } else {
        release(&gateway, &claims).await;
    }
    told
}

fn told(answer: &Answer) -> Result<Response, Problem> {
    match answer {
        Answer::Routing(Outcome::Done) | Answer::Worker(_) => Ok(shown(Sent { sent: true })),
        Answer::Routing(Outcome::Refused { refusal }) | Answer::NotPassed(refusal) => Err(refused(*refusal)),
    }
}

/// Lets a draft go: this agent does not see it again, and others may still send theirs.
pub(crate) async fn let_go(
    State(gateway): State<Arc<Gateway>>,
    extensions: Extensions,
    Path((arrival, customer)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let agent = signed_in(&extensions)?;
    let (arrival, draft) = find(&gateway, agent, (&arrival, &customer), None).await?;
    let key = let_go_key(&arrival.id, draft.customer, agent);
    let approach = Approach { agent, at: gateway.now(), command: None };
    let clienteling = &gateway.clienteling;
    let revision =
        clienteling.approaches.put(&key, json(&approach)?.into()).await.map_err(|error| not_kept(&error))?;
    clienteling.learn_approach(key, revision, approach);
    Ok(StatusCode::NO_CONTENT)
}

/// A draft of this agent's that was not sent; what somebody sent meanwhile is told apart from what never was one.
async fn find(
    gateway: &Gateway,
    agent: AgentId,
    (arrival, customer): (&str, &str),
    command: Option<CommandId>,
) -> Result<(Arc<Arrival>, Draft), Problem> {
    let id = SubjectToken::new(arrival).map_err(|_| gone())?;
    let customer: IdentityId = customer.parse().map_err(|_| gone())?;
    let arrival = gateway.clienteling.find(&id, gateway.now()).ok_or_else(gone)?;
    if !drafts::serves(gateway, agent, &arrival) {
        return Err(gone());
    }
    let written = gateway.clienteling.written(&id, &[customer]);
    let is_ours =
        |one: &Approach| (one.agent == agent && one.command == command) || was_refused(gateway, one);
    if !written.iter().all(is_ours) {
        return Err(written_already());
    }
    let (drafts, _) = drafts::of(gateway, agent, &arrival).await?;
    let draft = drafts.into_iter().find(|draft| draft.customer == customer);
    match draft {
        Some(draft) => Ok((arrival, draft)),
        None => Err(gone()),
    }
}

fn check_words(gateway: &Gateway, text: &str) -> Result<(), Problem> {
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    let most = gateway.kit.settings.limits.text_max_bytes;
    if text.trim().is_empty() || text.len() > most {
        let detail = format!("write 1 to {most} bytes");
        return Err(Problem::new(status, "text_length", "these words are too long, or none", detail));
    }
    if let Some(place) = places_of(text).next() {
        let detail = format!("write something in place of {{{place}}}");
        return Err(Problem::new(status, "place_empty", "something is not filled in", detail));
    }
    Ok(())
}

/// Nobody is written to at night who has not asked for anything.
fn check_hours(gateway: &Gateway) -> Result<(), Problem> {
    let now = gateway.now();
    match gateway.privacy.clienteling.from(now) {
        Some(from) if from <= now => Ok(()),
        from => {
            let detail = "send it by day: privacy.toml says from when to when";
            let problem =
                Problem::new(StatusCode::CONFLICT, "quiet_hours", "customers are not written to now", detail);
            Err(match from {
                Some(from) => problem.with("from", from.0),
                None => problem,
            })
        }
    }
}

/// Where they are reached, as who carries the channel knows it: they may have asked for silence there a moment ago.
async fn reach(gateway: &Gateway, draft: &Draft) -> Result<(String, Takes), Problem> {
    let silent = || silent("reach_silent", "whether this customer is reached cannot be said now");
    let content = match &draft.way.sample {
        Some(entry) => render::content(gateway, entry).await.map_err(|_| silent())?,
        None => None,
    };
    let question = ReachQuestion::Known {
        channel: draft.way.channel,
        account: draft.way.account.clone(),
        identity: draft.way.identity,
        address: content.and_then(|content| content.identity),
    };
    match ask(gateway, &gateway.subjects.channel_reach(), &question).await.ok_or_else(silent)? {
        ReachAnswer::Reached { identity, address, takes } if identity == draft.way.identity => {
            Ok((address, takes))
        }
        ReachAnswer::Reached { .. } | ReachAnswer::Accounts { .. } => Err(silent()),
        ReachAnswer::Refused { why } => Err(Problem::new(
            StatusCode::CONFLICT,
            why.code(),
            "this customer cannot be written to there",
            why.to_string(),
        )),
    }
}

/// What is sent: as the approved form that it is where nothing else goes, and as words elsewhere.
fn content(
    gateway: &Gateway,
    arrival: &Arrival,
    draft: &Draft,
    text: String,
    takes: Takes,
) -> Result<Content, Problem> {
    let template = match takes {
        Takes::Words => None,
        Takes::Templates => Some(Box::new(form(arrival, draft, &text).ok_or_else(templates_only)?)),
    };
    let mut content = Content { template, ..Content::words(text) };
    gateway.mask(&mut content);
    Ok(content)
}

fn form(arrival: &Arrival, draft: &Draft, text: &str) -> Option<Template> {
    let form = arrival.forms.get(&draft.language)?;
    let variables = filled(&draft.words, text)?;
    Some(Template { name: form.name.clone(), language: form.language.clone(), variables })
}

async fn seal(gateway: &Gateway, identity: IdentityId, content: &Content) -> Result<Sealed, Problem> {
    gateway.sealer.seal(identity, &json(content)?).await.map_err(|error| match error {
        SealError::Unavailable(error) => {
            tracing::warn!(%error, "the keys did not answer");
            not_now()
        }
        error @ (SealError::TooLarge | SealError::WrongMasterKey | SealError::NoRandom) => {
            tracing::error!(%error, "failed to seal a draft");
            Problem::internal()
        }
    })
}

/// Claims a customer by each of their keys, in one order for all, or by none.
async fn claim_all(
    gateway: &Gateway,
    agent: AgentId,
    keys: BTreeSet<String>,
    command: CommandId,
) -> Result<Vec<(String, u64)>, Problem> {
    let mut claims = Vec::with_capacity(keys.len());
    for key in keys {
        match claim(gateway, agent, &key, command).await {
            Ok(revision) => claims.push((key, revision)),
            Err(problem) => {
                release(gateway, &claims).await;
                return Err(problem);
            }
        }
    }
    Ok(claims)
}

/// Writes down who sends it, before it is sent; gives the revision.
async fn claim(gateway: &Gateway, agent: AgentId, key: &str, command: CommandId) -> Result<u64, Problem> {
    let clienteling = &gateway.clienteling;
    let approach = Approach { agent, at: gateway.now(), command: Some(command) };
    let value = json(&approach)?;
    let stored = match clienteling.approaches.create(key, value.clone().into()).await {
        Err(KvError::Exists) => {
            let entry = clienteling.approaches.get(key).await.map_err(|error| not_kept(&error))?;
            let entry = entry.ok_or_else(not_now)?;
            let found: Approach = serde_json::from_slice(&entry.value).map_err(|_| written_already())?;
            if found.agent == agent && found.command == Some(command) {
                return Ok(entry.revision);
            }
            if !was_refused(gateway, &found) {
                return Err(written_already());
            }
            clienteling.approaches.update(key, value.into(), entry.revision).await
        }
        stored => stored,
    };
    let revision = stored.map_err(|error| not_kept(&error))?;
    clienteling.learn_approach(key.to_owned(), revision, approach);
    Ok(revision)
}

/// It was not sent: whoever is next may.
async fn release(gateway: &Gateway, claims: &[(String, u64)]) {
    for (key, revision) in claims {
        match gateway.clienteling.approaches.delete_at(key, *revision).await {
            // The deletion itself is at least one on.
            Ok(()) => gateway.clienteling.forget_approach(key, revision + 1),
            // Who sees that it was refused may try again all the same.
            Err(error) => tracing::warn!(%error, "failed to note that a draft was not sent"),
        }
    }
}

/// Why a command is no input.
struct NotPublished {
    problem: Problem,
    /// Whether it is known to be none: else the same may be sent again, and by nobody else.
    is_certain: bool,
}

async fn publish(gateway: &Gateway, command: AgentCommand) -> Result<(), NotPublished> {
    let not = |problem, is_certain| NotPublished { problem, is_certain };
    let (agent, id) = (command.agent, command.id);
    let body = InputBody::Command(command);
    let input = Input { v: WIRE_VERSION, made_at: gateway.now(), body };
    let payload = json(&input).map_err(|problem| not(problem, true))?;
    let subject = gateway.subjects.inbound_command(agent);
    let deadline = Deadline::after(gateway.kit.settings.desk.command_wait);
    let id = format!("{agent}-{id}");
    let published = gateway.bus.publish_durable(&subject, &id, payload.into(), deadline).await;
    published.map(drop).map_err(|error| match error {
        PublishError::TooLarge | PublishError::Refused(_) => {
            tracing::error!(%error, "failed to publish a draft");
            not(Problem::internal(), true)
        }
        PublishError::Full => {
            tracing::error!("a draft found no room");
            not(not_now(), true)
        }
        PublishError::NotYet(not_yet) => {
            tracing::warn!(%not_yet, "a draft waits until all are upgraded");
            not(Problem::unavailable("not_all_upgraded", not_yet.to_string()), true)
        }
        PublishError::Unavailable(_) => {
            tracing::warn!(%error, "a draft waits for the bus");
            not(not_now(), false)
        }
    })
}

/// What the router answered; `None` if it takes longer than usual.
async fn settled(gateway: &Gateway, agent: AgentId, command: CommandId) -> Option<Answer> {
    let mut look = tokio::time::interval(LOOK_EVERY);
    let answered = async {
        loop {
            look.tick().await;
            if let Some(answer) = gateway.hub.settled(agent, command) {
                return answer;
            }
        }
    };
    tokio::time::timeout(gateway.kit.settings.desk.command_wait, answered).await.ok()
}

fn json(of: &impl Serialize) -> Result<Vec<u8>, Problem> {
    serde_json::to_vec(of).map_err(|error| {
        tracing::error!(%error, "failed to write a draft");
        Problem::internal()
    })
}

fn gone() -> Problem {
    let detail = "load the list anew: its time is over, or the customer agrees to it no more";
    Problem::new(StatusCode::NOT_FOUND, "no_draft", "there is no such draft", detail)
}

fn templates_only() -> Problem {
    let detail = "leave the words as they were drafted: only what stands in their places may be another";
    let title = "only the approved words go there now";
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "templates_only", title, detail)
}

fn written_already() -> Problem {
    let detail = "load the list anew: nobody is written to twice";
    Problem::new(StatusCode::CONFLICT, "written_already", "this customer was written to already", detail)
}

/// The router's no, in its own words.
fn refused(refusal: Refusal) -> Problem {
    Problem::new(StatusCode::CONFLICT, refusal.code(), "this was not sent", refusal.to_string())
}

fn not_now() -> Problem {
    silent("bus_unavailable", "this cannot be sent now; send it again")
}

fn not_kept(error: &KvError) -> Problem {
    match error {
        KvError::WrongRevision | KvError::Exists => written_already(),
        KvError::Unavailable(_) => {
            tracing::warn!(%error, "failed to note what came of a draft");
            not_now()
        }
        KvError::Full | KvError::TooLarge | KvError::InvalidKey | KvError::Refused(_) => {
            tracing::error!(%error, "failed to note what came of a draft");
            Problem::internal()
        }
    }
}
