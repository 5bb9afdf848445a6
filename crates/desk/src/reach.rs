//! Writing to a customer first: by which accounts, and who is meant by what an agent typed or was shown.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{Extensions, StatusCode};
use axum::response::Response;
use protocol::customer::{CustomerAnswer, CustomerQuestion};
use protocol::desk::{BeginTo, Choice};
use protocol::reach::{ADDRESS_BYTES_MAX, ReachAnswer, ReachQuestion, ReachRefusal, Takes};
use protocol::{AgentId, ChannelKind, ConversationId, IdentityId, SubjectToken};
use serde::{Deserialize, Serialize};
use service::Problem;
use service::http::JsonBody;

use crate::pages::{ask, shown, signed_in, silent};
use crate::{Gateway, files, render};

/// Largest body of a question, bytes.
pub(crate) const BODY_BYTES_MAX: usize = 4 * 1024;

/// Whom an agent would write to. It comes as a body and not in the address: addresses stand in logs of proxies.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    channel: ChannelKind,
    account: SubjectToken,
    to: BeginTo,
}

/// By what an agent may write first, and in which queue.
#[derive(Serialize)]
struct Ways {
    accounts: Vec<Way>,
    queues: Vec<Choice>,
}

#[derive(Serialize)]
struct Way {
    channel: ChannelKind,
    account: SubjectToken,
    title: String,
    takes: Takes,
}

/// Somebody who can be written to, as an agent is shown it.
#[derive(Serialize)]
struct Found {
    /// The address as it is used.
    address: String,
    takes: Takes,
}

/// Somebody who can be written to.
pub(crate) struct Reached {
    pub(crate) identity: IdentityId,
    pub(crate) address: String,
    pub(crate) takes: Takes,
}

/// Why there is nobody to write to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotReached {
    /// Nobody answers now; fate: retry.
    Away,
    /// This agent was not shown that customer; fate: refuse.
    NotShown,
    /// Fate: refuse.
    Refused(ReachRefusal),
}

pub(crate) async fn ways(
    State(gateway): State<Arc<Gateway>>,
    extensions: Extensions,
) -> Result<Response, Problem> {
    let agent = signed_in(&extensions)?;
    let found = put(&gateway, &ReachQuestion::Accounts {}).await.map_err(problem_of)?;
    let ReachAnswer::Accounts { accounts } = found else { return Err(problem_of(NotReached::Away)) };
    // What routes nothing is no way: the router would refuse it.
    let titled = accounts.into_iter().filter_map(|one| {
        let title = gateway.hub.account_title(one.channel, &one.account)?.to_string();
        Some(Way { channel: one.channel, account: one.account, title, takes: one.takes })
    });
    Ok(shown(Ways { accounts: titled.collect(), queues: gateway.hub.served_by(agent) }))
}

pub(crate) async fn who(
    State(gateway): State<Arc<Gateway>>,
    extensions: Extensions,
    JsonBody(Wanted { channel, account, to }): JsonBody<Wanted>,
) -> Result<Response, Problem> {
    let agent = signed_in(&extensions)?;
    let reached = reached(&gateway, agent, (channel, &account), &to).await.map_err(problem_of)?;
    Ok(shown(Found { address: reached.address, takes: reached.takes }))
}

/// Whom an agent means.
///
/// # Errors
/// [`NotReached`].
pub(crate) async fn reached(
    gateway: &Gateway,
    agent: AgentId,
    (channel, account): (ChannelKind, &SubjectToken),
    to: &BeginTo,
) -> Result<Reached, NotReached> {
    let account = account.clone();
    let question = match to {
        BeginTo::Typed { address } if address.len() > ADDRESS_BYTES_MAX => {
            return Err(NotReached::Refused(ReachRefusal::BadAddress));
        }
        BeginTo::Typed { address } => ReachQuestion::Typed { channel, account, address: address.clone() },
        BeginTo::Known { identity, conversation } => {
            let address = address_of(gateway, agent, *identity, *conversation).await?;
            ReachQuestion::Known { channel, account, identity: *identity, address }
        }
    };
    match put(gateway, &question).await? {
        ReachAnswer::Reached { identity, address, takes } => Ok(Reached { identity, address, takes }),
        ReachAnswer::Refused { why } => Err(NotReached::Refused(why)),
        ReachAnswer::Accounts { .. } => Err(NotReached::Away),
    }
}

async fn put(gateway: &Gateway, question: &ReachQuestion) -> Result<ReachAnswer, NotReached> {
    ask(gateway, &gateway.subjects.channel_reach(), question).await.ok_or(NotReached::Away)
}

/// Where somebody said that they are reached, who was shown to this agent as the customer of a conversation that they read: an id that
/// somebody kept from another day is no way to a customer.
async fn address_of(
    gateway: &Gateway,
    agent: AgentId,
    identity: IdentityId,
    conversation: ConversationId,
) -> Result<Option<String>, NotReached> {
    if !gateway.hub.reads(agent, conversation) {
        return Err(NotReached::NotShown);
    }
    let question = CustomerQuestion { conversation, before: None, limit: 0 };
    let answer: Option<CustomerAnswer> = ask(gateway, &gateway.subjects.views_customer(), &question).await;
    let known = answer.ok_or(NotReached::Away)?.identities;
    let known = known.into_iter().find(|one| one.identity == identity).ok_or(NotReached::NotShown)?;
    let Some(sample) = &known.sample else { return Ok(None) };
    let content = render::content(gateway, sample).await.map_err(|error| {
        tracing::warn!(%error, "where a customer is reached cannot be read");
        NotReached::Away
    })?;
    Ok(content.and_then(|content| content.identity))
}

fn problem_of(why: NotReached) -> Problem {
    match why {
        NotReached::Away => silent("reach_silent", "whom this reaches cannot be said now"),
        NotReached::NotShown => files::not_yours(),
        NotReached::Refused(why) => Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            why.code(),
            "nobody can be written to so",
            why.to_string(),
        ),
    }
}
