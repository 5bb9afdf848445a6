//! `POST /api/v1/messages`: from bytes to an input that is durable.

mod read;

use std::collections::BTreeSet;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bus::RoomLevel;
use protocol::api::MessageTaken;
use protocol::canary::{Canary, CanaryStep};
use protocol::content::Content;
use protocol::feedback::score_in;
use protocol::input::{CustomerMessage, WIRE_VERSION};
use protocol::signin::Scope;
use protocol::streams::INBOUND;
use protocol::{ChannelKind, Hash128, Input, InputBody, MessageId, Millis, ParkedId, SubjectToken};
use serde::Serialize;
use service::Problem;

use crate::door::Caller;
use crate::idempotency::IdempotencyKey;
use crate::message::read::{Fit, Misfit};
use crate::{Api, NAME, Shared, park, problems, publish};

/// Where bytes come from, and so what happens to those that cannot become a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source<'a> {
    /// From their sender, perhaps with an id beside them: they are kept for a person.
    Sender { id: Option<&'a str> },
    /// From the canary customer of this account: what is wrong is told only.
    Canary { account: &'a SubjectToken },
    /// They were kept, since then, and are tried again: what is wrong is told only.
    Parked { id: ParkedId, at: Millis },
    /// From an integration's edge, where they came at that time: what is wrong is told, and kept among its rejections.
    Edge { integration: &'a SubjectToken, accounts: &'a BTreeSet<SubjectToken>, at: Millis },
}

impl Source<'_> {
    /// The id that stood beside the bytes.
    fn id(&self) -> Option<&str> {
        match self {
            Self::Sender { id } => *id,
            Self::Canary { .. } | Self::Parked { .. } | Self::Edge { .. } => None,
        }
    }

    /// Whether whoever writes may write for this account.
    fn may_name(&self, account: &SubjectToken) -> bool {
        match self {
            Self::Sender { .. } | Self::Parked { .. } => true,
            Self::Canary { account: own } => *own == account,
            Self::Edge { accounts, .. } => accounts.contains(account),
        }
    }
}

pub(crate) async fn post(
    State(api): State<Shared>,
    caller: Caller,
    key: IdempotencyKey,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let source = match caller.canary() {
        Some(account) => Source::Canary { account },
        None => Source::Sender { id: key.text() },
    };
    let answer = match body {
        Ok(bytes) => take(&api, &bytes, source).await,
        Err(rejection) => Err(problems::body(&rejection, api.kit.settings.limits.body_max_bytes)),
    };
    match answer {
        Ok(taken) => Ok((StatusCode::ACCEPTED, Json(taken)).into_response()),
        Err(problem) => {
            // What is parked counts as parked.
            if !problem.extra.contains_key("parked") {
                api.kit.metrics.refused_total.inc([NAME, problem.code]);
            }
            Err(problem)
        }
    }
}

/// Makes an input of the bytes and stores it, or says why not.
pub(crate) async fn take(api: &Api, bytes: &[u8], source: Source<'_>) -> Result<MessageTaken, Problem> {
    has_room(api)?;
    let in_force = api.floor.in_force();
    if !api.floor.is_read() {
        return Err(problems::starting());
    }
    let now = Millis(api.kit.clock.unix_ms());
    // A sender's clock is held against the time at which the bytes came.
    let came_at = match source {
        Source::Sender { .. } | Source::Canary { .. } => now,
        Source::Parked { at, .. } | Source::Edge { at, .. } => at,
    };
    let text_max_bytes = api.kit.settings.limits.text_max_bytes;
    let known = |account: &_| {
        source.may_name(account) && in_force.as_ref().is_some_and(|in_force| in_force.has_account(account))
    };
    match read::read(bytes, source.id(), came_at, text_max_bytes, known) {
        Ok(fit) => accept(api, fit, source).await,
        Err(Misfit::Refused(problem)) => Err(problem),
        Err(Misfit::UnknownAccount(_)) if matches!(source, Source::Edge { .. }) => {
            Err(problems::account_not_yours())
        }
        Err(misfit) => {
            let (reason, account, detail, problem) = misfit.parts();
            let Source::Sender { id: given } = source else { return Err(problem) };
            let bytes = read::with_id(bytes, given);
            let id = park::park(api, &bytes, reason, detail, account, now).await?;
            Err(problems::kept(problem, id))
        }
    }
}

/// What parked bytes would become if they were replayed now; changes nothing.
pub(crate) fn look(api: &Api, bytes: &[u8], at: Millis) -> Result<Looked, Problem> {
    let in_force = api.floor.in_force();
    if !api.floor.is_read() {
        return Err(problems::starting());
    }
    let known = |account: &_| in_force.as_ref().is_some_and(|in_force| in_force.has_account(account));
    match read::read(bytes, None, at, api.kit.settings.limits.text_max_bytes, known) {
        Ok(Fit { account, from, content, category, practice, .. }) => {
            Ok(Looked { account, from, content, category, practice })
        }
        Err(misfit) => Err(misfit.parts().3),
    }
}

/// A message that bytes would become.
pub(crate) struct Looked {
    pub(crate) account: SubjectToken,
    pub(crate) from: String,
    pub(crate) content: Content,
    pub(crate) category: Option<SubjectToken>,
    pub(crate) practice: bool,
}

/// What is full is told before anything else is done; agents' commands still find room then.
pub(crate) fn has_room(api: &Api) -> Result<(), Problem> {
    if api.bus.room().level() == RoomLevel::All { Ok(()) } else { Err(problems::storage_full()) }
}

async fn accept(api: &Api, mut fit: Fit, source: Source<'_>) -> Result<MessageTaken, Problem> {
    if fit.sent_at_ignored {
        api.kit.metrics.refused_total.inc([NAME, "sent_at_ignored"]);
    }
    let (channel, account) = (ChannelKind::Api, fit.account);
    for kind in api.privacy.mask_of(channel, &account).content(&mut fit.content) {
        api.kit.metrics.masked_total.inc([NAME, kind.name()]);
    }
    if let Source::Canary { .. } = source {
        return canary(api, account, &fit.from, &fit.id, &fit.content).await;
    }
    let identity = if fit.practice {
        api.hasher.practice_identity(account.as_str(), &fit.from)
    } else {
        api.hasher.identity(channel, account.as_str(), &fit.from)
    };
    let content_hash =
        content_hash(api, &fit.from, &fit.content, fit.category.as_ref().map(|word| word.as_str()))?;
    let (provider_hash, replays) = match source {
        Source::Sender { .. } => (api.hasher.provider_id(channel, &account, &fit.id), None),
        Source::Canary { .. } => return Err(problems::scope_missing(Scope::MessagesWrite)),
        Source::Parked { id, .. } => (api.hasher.provider_id(channel, &account, &fit.id), Some(id)),
        Source::Edge { integration, .. } => {
            (api.hasher.integration_message(integration, &account, &fit.id, content_hash), None)
        }
    };
    // What was practised first is sent under the same id in earnest, and the other way round.
    let provider_hash = if fit.practice {
        api.hasher.content(format!("practice {provider_hash}").as_bytes())
    } else {
        provider_hash
    };
    let message = MessageId(uuid::Uuid::now_v7());
    // The router sees no words: that they are a number, it has to be told.
    let score = score_in(&fit.content.text);
    let body = publish::seal(api, identity, &publish::json(&fit.content)?).await?;
    let (sent_at, category) = (fit.sent_at, fit.category);
    let message = CustomerMessage {
        message,
        channel,
        account,
        identity,
        provider_hash,
        content_hash,
        sent_at,
        category,
        replays,
        callback: false,
        language: fit.language,
        facts: fit.facts,
        thread: None,
        automatic: false,
        may_write: None,
        keys: None,
        score,
        by_colleague: false,
        practice: fit.practice,
        body,
    };
    publish(api, message).await
}

/// A canary customer came this far as everybody does; from here it is no customer, and counted as none.
async fn canary(
    api: &Api,
    account: SubjectToken,
    from: &str,
    id: &str,
    content: &Content,
) -> Result<MessageTaken, Problem> {
    let channel = ChannelKind::Api;
    // Its key is good for nothing that another customer says, and it names its round itself.
    let is_its = from == api.hasher.canary(channel, &account).to_string();
    let message = id.parse::<MessageId>().ok().filter(|_| is_its);
    let message = message.ok_or_else(|| problems::scope_missing(Scope::MessagesWrite))?;
    let identity = api.hasher.canary_identity(channel, &account);
    let body = publish::seal(api, identity, &publish::json(content)?).await?;
    let subject = api.subjects.inbound_message(channel, &account);
    let canary = Canary { message, channel, account, identity, step: CanaryStep::Wrote { body } };
    let msg_id = canary.id().to_string();
    let made_at = Millis(api.kit.clock.unix_ms());
    let input = Input { v: WIRE_VERSION, made_at, body: InputBody::Canary(canary) };
    let published = publish::store(api, &subject, &msg_id, publish::json(&input)?).await?;
    Ok(MessageTaken { message, input_seq: published.seq, duplicate: published.duplicate })
}

/// Stores a message as an input; the same one again is answered as the first was.
pub(crate) async fn publish(api: &Api, said: CustomerMessage) -> Result<MessageTaken, Problem> {
    let subject = api.subjects.inbound_message(said.channel, &said.account);
    let msg_id = match said.replays {
        // With the content in the id, the server swallows what is the same and lets through what only says so: the
        // same id with other content is for the core to find and park.
        None => format!("{}-{}", said.provider_hash, said.content_hash),
        // Of its own, so that the log names what was replayed even if its sender was faster and sent it again.
        Some(parked) => format!("replay-{parked}"),
    };
    let (message, channel) = (said.message, said.channel);
    let made_at = Millis(api.kit.clock.unix_ms());
    let input = Input { v: WIRE_VERSION, made_at, body: InputBody::Message(said) };
    let published = publish::store(api, &subject, &msg_id, publish::json(&input)?).await?;
    let (input_seq, duplicate) = (published.seq, published.duplicate);
    api.kit.metrics.retried_total.add([NAME], published.retries.into());
    if duplicate {
        let message = first_of(api, input_seq).await.unwrap_or(message);
        return Ok(MessageTaken { message, input_seq, duplicate });
    }
    api.kit.metrics.messages_received_total.inc([channel.as_str()]);
    Ok(MessageTaken { message, input_seq, duplicate })
}

/// What a sender says, without what it says about the sending: a retry may carry another time, and facts that it knows by then.
#[derive(Serialize)]
struct Said<'a> {
    from: &'a str,
    content: &'a Content,
    category: Option<&'a str>,
}

fn content_hash(
    api: &Api,
    from: &str,
    content: &Content,
    category: Option<&str>,
) -> Result<Hash128, Problem> {
    Ok(api.hasher.content(&publish::json(&Said { from, content, category })?))
}

/// The id that the message got when it came first, so that the same post gets the same answer.
async fn first_of(api: &Api, seq: u64) -> Option<MessageId> {
    let item = api.bus.read_one(INBOUND, seq).await.ok()??;
    let input: Input = serde_json::from_slice(&item.payload).ok()?;
    if let InputBody::Message(message) = input.body { Some(message.message) } else { None }
}
