//! Which drafts an agent has.

use std::sync::Arc;

use axum::extract::State;
use axum::http::Extensions;
use axum::response::Response;
use protocol::arrival::{
    Approach, Arrival, Opening, Regular, RegularsAnswer, RegularsQuestion, Way, opening,
};
use protocol::command::Outcome;
use protocol::limits::{COMMAND_AGE_MS_MAX, REGULARS_MAX};
use protocol::privacy::CLIENTELING;
use protocol::{AgentId, ChannelKind, CommandId, IdentityId, Language, Millis, SubjectToken};
use serde::Serialize;
use service::Problem;

use crate::Gateway;
use crate::answer::Answer;
use crate::pages::{ask, shown, signed_in, silent};
use crate::render;

/// What has arrived for an agent's regulars.
#[derive(Serialize)]
struct Page {
    arrivals: Vec<ArrivalShown>,
    /// From when on they can be sent, where that is not now.
    #[serde(skip_serializing_if = "Option::is_none")]
    writable_from: Option<Millis>,
}

#[derive(Serialize)]
struct ArrivalShown {
    id: SubjectToken,
    title: String,
    until: Millis,
    /// How many the agent has sent.
    sent: u32,
    drafts: Vec<DraftShown>,
}

#[derive(Serialize)]
struct DraftShown {
    /// By what the customer is named.
    customer: IdentityId,
    channel: ChannelKind,
    account: SubjectToken,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    language: Language,
    /// The words, with their places not yet filled in.
    words: String,
    /// Whether they may be sent as they are only.
    form_only: bool,
    /// How many contacts of theirs the agent has resolved, and when the last.
    resolved: u32,
    last_at: Millis,
    /// The command by which it is being sent, of which nobody knows whether it was: the same again is the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<CommandId>,
}

/// A draft.
pub(super) struct Draft {
    pub(super) regular: Regular,
    pub(super) customer: IdentityId,
    pub(super) way: Way,
    pub(super) language: Language,
    pub(super) words: String,
    command: Option<CommandId>,
}

/// What is to be done about a regular.
enum Standing {
    /// They can be written to; by this command, if that was begun.
    Open(Option<CommandId>),
    /// This agent wrote to them.
    Sent,
    /// Somebody else did, or this agent let it go.
    Over,
}

pub(crate) async fn all(
    State(gateway): State<Arc<Gateway>>,
    extensions: Extensions,
) -> Result<Response, Problem> {
    let agent = signed_in(&extensions)?;
    let now = gateway.now();
    let mut arrivals = Vec::new();
    let mut unanswered = None;
    for arrival in gateway.clienteling.live(now) {
        if !serves(&gateway, agent, &arrival) {
            continue;
        }
        match shown_to(&gateway, agent, &arrival, now).await {
            Ok(found) => arrivals.push(found),
            Err(problem) => unanswered = Some(problem),
        }
    }
    // One of which nothing can be said hides no other; that nothing can be said at all is not that there is nothing.
    if let Some(problem) = unanswered
        && arrivals.is_empty()
    {
        return Err(problem);
    }
    let from = gateway.privacy.clienteling.from(now);
    Ok(shown(Page { arrivals, writable_from: from.filter(|from| *from > now) }))
}

async fn shown_to(
    gateway: &Gateway,
    agent: AgentId,
    arrival: &Arrival,
    now: Millis,
) -> Result<ArrivalShown, Problem> {
    let (found, sent) = of(gateway, agent, arrival).await?;
    let mut drafts = Vec::with_capacity(found.len());
    for draft in found {
        drafts.push(line(gateway, draft, now).await?);
    }
    let (id, title, until) = (arrival.id.clone(), arrival.title.clone(), arrival.until);
    Ok(ArrivalShown { id, title, until, sent, drafts })
}

/// Only agents of its queue tell their regulars of it.
pub(super) fn serves(gateway: &Gateway, agent: AgentId, arrival: &Arrival) -> bool {
    gateway.hub.served_by(agent).iter().any(|queue| queue.name == arrival.queue)
}

/// An agent's drafts of an arrival, and how many they have sent.
///
/// # Errors
/// When the read models or the record of consents do not answer; fate: retry.
pub(super) async fn of(
    gateway: &Gateway,
    agent: AgentId,
    arrival: &Arrival,
) -> Result<(Vec<Draft>, u32), Problem> {
    let answer = regulars(gateway, agent, arrival).await?;
    let (mut drafts, mut sent) = (Vec::new(), 0);
    for regular in &answer.regulars {
        let command = match standing(gateway, agent, arrival, regular) {
            Standing::Open(command) => command,
            Standing::Sent => {
                sent += 1;
                continue;
            }
            Standing::Over => continue,
        };
        if drafts.len() < REGULARS_MAX {
            drafts.extend(draft(gateway, arrival, regular, command).await?);
        }
    }
    Ok((drafts, sent))
}

/// Who an agent's regulars are, as the read models said within the last minute.
async fn regulars(
    gateway: &Gateway,
    agent: AgentId,
    arrival: &Arrival,
) -> Result<Arc<RegularsAnswer>, Problem> {
    let (suits, queue) = (arrival.suits.clone(), arrival.queue.clone());
    let question = RegularsQuestion { agent, suits, queue };
    let now = gateway.kit.clock.monotonic();
    if let Some(answer) = gateway.clienteling.answered(&arrival.id, &question, now) {
        return Ok(answer);
    }
    let answer: Option<RegularsAnswer> = ask(gateway, &gateway.subjects.views_regulars(), &question).await;
    let answer = Arc::new(answer.ok_or_else(away)?);
    gateway.clienteling.remember(&arrival.id, question, Arc::clone(&answer), now);
    Ok(answer)
}

/// Whether an approach came to nothing: then it keeps nobody from writing.
pub(super) fn was_refused(gateway: &Gateway, approach: &Approach) -> bool {
    let settled = approach.command.and_then(|command| gateway.hub.settled(approach.agent, command));
    matches!(settled, Some(Answer::Routing(Outcome::Refused { .. }) | Answer::NotPassed(_)))
}

fn standing(gateway: &Gateway, agent: AgentId, arrival: &Arrival, regular: &Regular) -> Standing {
    let clienteling = &gateway.clienteling;
    let mut written = clienteling.written(&arrival.id, &regular.identities);
    written.retain(|one| !was_refused(gateway, one));
    if written.iter().any(|one| one.agent != agent) {
        return Standing::Over;
    }
    let Some(written) = written.into_iter().next() else {
        let is_let_go = clienteling.is_let_go(&arrival.id, &regular.identities, agent);
        return if is_let_go { Standing::Over } else { Standing::Open(None) };
    };
    let settled = written.command.and_then(|command| gateway.hub.settled(agent, command));
    match settled {
        Some(Answer::Routing(Outcome::Refused { .. }) | Answer::NotPassed(_)) => Standing::Open(None),
        Some(Answer::Routing(Outcome::Done) | Answer::Worker(_)) => Standing::Sent,
        // Whoever died in between may have sent it or not; the same command does it once.
        None if gateway.now().since(written.at) < COMMAND_AGE_MS_MAX => Standing::Open(written.command),
        None => Standing::Sent,
    }
}

/// The draft for a regular: where they wrote last, can be written to first now, and agreed to it. None without such a place.
async fn draft(
    gateway: &Gateway,
    arrival: &Arrival,
    regular: &Regular,
    command: Option<CommandId>,
) -> Result<Option<Draft>, Problem> {
    let Some(customer) = regular.name() else { return Ok(None) };
    let policy = gateway.hub.policy();
    let house = policy.as_ref().map_or(&[][..], |(_, _, policy)| &policy.languages);
    let mut possible = Vec::with_capacity(regular.ways.len());
    for way in &regular.ways {
        let Some((language, words)) = arrival.words_for(way.language, house) else { continue };
        let is_possible = match opening(way.channel, way.wrote_at, gateway.now()) {
            Opening::Free => true,
            Opening::Form => arrival.forms.contains_key(&language),
            Opening::Closed => false,
        };
        if is_possible {
            possible.push((way, language, words));
        }
    }
    if possible.is_empty() {
        return Ok(None);
    }
    let Some(agreed) = agreed(gateway, regular).await? else { return Ok(None) };
    let found = possible.into_iter().find(|(way, ..)| agreed.contains(&way.identity));
    Ok(found.map(|(way, language, words)| {
        let (regular, way, words) = (regular.clone(), way.clone(), words.clone());
        Draft { regular, customer, way, language, words, command }
    }))
}

/// By which identities a customer agrees to be told; `None` where the last that they said, by whichever of them, was a no: it does not move
/// on to another channel.
async fn agreed(gateway: &Gateway, regular: &Regular) -> Result<Option<Vec<IdentityId>>, Problem> {
    let mut agreed = Vec::new();
    let mut yes_at: Option<Millis> = None;
    let mut no_at = regular.silent_since;
    for identity in &regular.identities {
        let said = gateway.consents.of(*identity).await.map_err(|error| {
            tracing::warn!(%error, "failed to read what a customer agreed to");
            away()
        })?;
        let said = said.iter().find(|one| one.purpose.as_str() == CLIENTELING);
        let Some(last) = said.and_then(|one| one.changes.last()) else { continue };
        if last.given {
            agreed.push(*identity);
            yes_at = yes_at.max(Some(last.at));
        } else {
            no_at = no_at.max(Some(last.at));
        }
    }
    // At one time the no counts.
    Ok((yes_at > no_at).then_some(agreed))
}

/// A draft with what its customer calls themselves.
async fn line(gateway: &Gateway, draft: Draft, now: Millis) -> Result<DraftShown, Problem> {
    let Draft { regular, customer, way, language, words, command } = draft;
    let content = match &way.sample {
        Some(entry) => render::content(gateway, entry).await.map_err(|_| away())?,
        None => None,
    };
    Ok(DraftShown {
        customer,
        channel: way.channel,
        account: way.account,
        name: content.and_then(|content| content.name),
        language,
        words,
        form_only: opening(way.channel, way.wrote_at, now) == Opening::Form,
        resolved: regular.resolved,
        last_at: regular.last_at,
        command,
    })
}

pub(super) fn away() -> Problem {
    silent("regulars_silent", "who your regulars are cannot be said now")
}
