//! `POST /api/v1/parked/{id}/replay`: what was parked, tried again as a new input that names it (law 9).

use std::time::Duration;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use protocol::api::MessageTaken;
use protocol::audit::{About, Action};
use protocol::formats::READS;
use protocol::input::CustomerMessage;
use protocol::parked::Parked;
use protocol::record::ParkReason;
use protocol::streams::INBOUND;
use protocol::{ChannelKind, ContactId, Input, InputBody, MessageId, ParkedId};
use serde::{Deserialize, Serialize};
use service::Problem;

use super::{find, open, remove, unsealed};
use crate::door::Caller;
use crate::floor::{Decided, Fate};
use crate::message::{Source, has_room, publish, take};
use crate::problems::{self, unprocessable};
use crate::{Api, Shared, trail};

/// Longest wait for what the router makes of it, seconds.
pub(crate) const WAIT_MAX_S: u64 = 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    /// Seconds to wait for what the router makes of it.
    #[serde(default)]
    wait: u64,
}

/// A replay that is durable, and what became of it, as far as that was waited for.
#[derive(Serialize, schemars::JsonSchema)]
#[schemars(rename = "ParkedReplayed")]
pub(crate) struct Replayed {
    /// The message's id here.
    message: MessageId,
    /// Its place in INBOUND.
    input_seq: u64,
    /// Whether it was replayed before.
    duplicate: bool,
    /// What the router made of it; absent while that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<ReplayOutcome>,
}

/// What the router made of a replay.
#[derive(Serialize, schemars::JsonSchema)]
#[serde(tag = "is", rename_all = "snake_case")]
#[schemars(rename = "ParkedReplayOutcome")]
enum ReplayOutcome {
    /// It is in its customer's conversation.
    Taken {
        /// The record that says so.
        log_seq: u64,
        /// The contact that it is for; absent: its sender is blocked.
        #[serde(skip_serializing_if = "Option::is_none")]
        contact: Option<ContactId>,
    },
    /// It was in the log already, sent again by its sender meanwhile.
    Known {
        /// The record that says so.
        log_seq: u64,
    },
    /// It is parked again, as another item.
    Parked {
        /// The record that says so.
        log_seq: u64,
        /// Why.
        reason: String,
        /// Under which id.
        #[serde(skip_serializing_if = "Option::is_none")]
        parked: Option<ParkedId>,
    },
}

/// Tries a parked item again. It goes once the new input is durable; should the router park that too, it stands in PARKED
/// under an id of its own, which names this one.
pub(crate) async fn post(
    State(api): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<(StatusCode, Json<Replayed>), Problem> {
    let Query(Asked { wait }) = asked.map_err(|rejection| problems::query("wait", &rejection))?;
    if wait > WAIT_MAX_S {
        let detail = format!("use wait=0 to wait={WAIT_MAX_S}, in seconds");
        return Err(unprocessable("wait_out_of_range", format!("the wait is {wait}"), detail));
    }
    let found = find(&api, &id).await?;
    let parked = &found.parked;
    replayable(parked)?;
    let bytes = open(&api, &found).await?;
    trail::note(&api, &caller, Action::ParkedReplayed, About::parked(parked.id)).await?;
    // Before it is published: its record may come sooner than the answer to that.
    let waiting = (wait > 0).then(|| api.floor.wait_for_replay(parked.id)).flatten();
    let taken = if parked.inbound_seq.is_some() {
        again(&api, parked, &bytes).await?
    } else {
        take(&api, &bytes, Source::Parked { id: parked.id, at: parked.at }).await?
    };
    remove(&api, &found).await?;
    tracing::info!(parked = %parked.id, input_seq = taken.input_seq, "what was parked was replayed");
    let decided = match waiting {
        Some(waiting) => waiting.decided(Duration::from_secs(wait)).await,
        None => None,
    };
    let MessageTaken { message, input_seq, duplicate } = taken;
    let outcome = match decided {
        Some(decided) => Some(outcome(&api, decided, input_seq).await),
        None => None,
    };
    Ok((StatusCode::ACCEPTED, Json(Replayed { message, input_seq, duplicate, outcome })))
}

async fn outcome(api: &Api, Decided { log_seq, fate }: Decided, input_seq: u64) -> ReplayOutcome {
    match fate {
        Fate::Taken(contact) => ReplayOutcome::Taken { log_seq, contact },
        Fate::Known => ReplayOutcome::Known { log_seq },
        Fate::Parked(reason) => {
            // The router makes the id of the input's place, which is all that is asked for here.
            let item = api.bus.read_one(INBOUND, input_seq).await.ok().flatten();
            let parked = item.map(|item| ParkedId::of_input(item.published_at_ms, input_seq));
            ReplayOutcome::Parked { log_seq, reason: reason.as_str().to_owned(), parked }
        }
    }
}

/// Whether it can be tried again here: what did not come as far as INBOUND is read by who took it, and that is this API for its own.
///
/// # Errors
/// `not_replayable`.
pub(super) fn replayable(parked: &Parked) -> Result<(), Problem> {
    match parked.channel {
        Some(channel) if parked.inbound_seq.is_none() && channel != ChannelKind::Api => {
            let detail = format!(
                "have whoever sent it send it again by {channel}, or do by hand what it asks for, then dismiss it"
            );
            Err(conflict("not_replayable", "what an adapter could not read is not replayed", detail))
        }
        Some(_) | None => Ok(()),
    }
}

/// Publishes the message of a parked input anew. Whether it fits now is for the router to say, which alone knows.
async fn again(api: &Api, parked: &Parked, bytes: &[u8]) -> Result<MessageTaken, Problem> {
    let message = message_in(bytes)?;
    // Nobody is to be asked to answer words that are gone.
    api.sealer.unseal(&message.body).await.map_err(|error| unsealed(&error))?;
    has_room(api)?;
    let message = if parked.reason == ParkReason::ContentDiffers.as_str() {
        of_its_own(api, parked, message)
    } else {
        // It keeps its provider's id, so that the provider's own next try, before or after this, is the same message.
        message
    };
    publish(api, CustomerMessage { replays: Some(parked.id), ..message }).await
}

/// Its ids belong to the message that came before it with other words; these are made of the parked item's, so that a
/// second replay is the same message.
fn of_its_own(api: &Api, parked: &Parked, message: CustomerMessage) -> CustomerMessage {
    let provider_hash = api.hasher.content(format!("replay {}", parked.id).as_bytes());
    CustomerMessage { message: MessageId(parked.id.0), provider_hash, ..message }
}

/// Every version of an input tells its own.
#[derive(Deserialize)]
struct Versioned {
    v: u8,
}

/// By what the bytes are and not by why they were parked: a build that came later may read what its predecessor could not.
pub(super) fn message_in(bytes: &[u8]) -> Result<CustomerMessage, Problem> {
    if serde_json::from_slice(bytes).is_ok_and(|Versioned { v }| v > READS) {
        return Err(later_version());
    }
    let input: Input = serde_json::from_slice(bytes).map_err(|_| unreadable())?;
    match input.body {
        InputBody::Message(message) => Ok(message),
        InputBody::CustomerLeft { .. }
        | InputBody::PersonWanted { .. }
        | InputBody::Command(_)
        | InputBody::AgentConnected { .. }
        | InputBody::AgentDisconnected { .. }
        | InputBody::GatewayLost { .. }
        | InputBody::Config(_)
        | InputBody::Integration(_)
        | InputBody::Empowerment(_)
        | InputBody::Wish(_)
        | InputBody::Canary(_)
        | InputBody::ParkedDismissed { .. } => Err(not_a_message(input.body.name())),
    }
}

fn later_version() -> Problem {
    let detail = "upgrade this deployment to the version that wrote it, then replay it";
    conflict("later_version", "a later version wrote it, which this one does not read", detail)
}

fn unreadable() -> Problem {
    let detail = "GET /api/v1/parked/{id} shows its bytes: have whoever sent it write again, then dismiss it";
    conflict("unreadable", "there is no input in it that could be replayed", detail)
}

fn not_a_message(what: &str) -> Problem {
    let detail = format!("it holds {what}, of a moment that has passed: dismiss it");
    conflict("not_a_message", "only customers' messages are replayed", detail)
}

fn conflict(code: &'static str, title: &'static str, detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::CONFLICT, code, title, detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::formats::FIRST;
    use protocol::{Millis, NoticeId, ParkedId};
    use serde_json::{Value, json};

    fn code(bytes: &[u8]) -> &'static str {
        message_in(bytes).map_or_else(|problem| problem.code, |_| "a message")
    }

    #[test]
    fn what_cannot_be_replayed_says_why() {
        let id = NoticeId(uuid::Uuid::nil());
        let body = InputBody::ParkedDismissed { id, parked: ParkedId(uuid::Uuid::nil()), reason: None };
        let input = serde_json::to_value(Input { v: FIRST, made_at: Millis(1), body }).unwrap();
        let with = |field: &str, value: Value| {
            let mut input = input.clone();
            input[field] = value;
            serde_json::to_vec(&input).unwrap()
        };
        assert_eq!(code(&with("v", FIRST.into())), "not_a_message");
        assert_eq!(code(&with("v", (READS + 1).into())), "later_version");
        assert_eq!(code(&with("body", json!({"kind": "telepathy"}))), "unreadable");
        for bytes in [&b""[..], b"\x00\xff", b"{}", b"null"] {
            assert_eq!(code(bytes), "unreadable", "{bytes:?}");
        }
    }
}
