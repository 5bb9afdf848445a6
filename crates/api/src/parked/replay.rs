//! `POST /api/v1/parked/{id}/replay`: what was parked, tried again as a new input that names it (law 9).

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use protocol::api::MessageTaken;
use protocol::audit::{About, Action};
use protocol::input::{CustomerMessage, WIRE_VERSION};
use protocol::parked::Parked;
use protocol::record::ParkReason;
use protocol::{Input, InputBody, MessageId};
use serde::Deserialize;
use service::Problem;

use super::{find, open, remove, unsealed};
use crate::door::Caller;
use crate::message::{Source, has_room, publish, take};
use crate::{Api, Shared, trail};

/// Tries a parked item again. It goes once the new input is durable; should the router park that too, it stands in PARKED
/// under an id of its own, which names this one.
pub(crate) async fn post(
    State(api): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<MessageTaken>), Problem> {
    let found = find(&api, &id).await?;
    let parked = &found.parked;
    let bytes = open(&api, &found).await?;
    trail::note(&api, &caller, Action::ParkedReplayed, About::parked(parked.id)).await?;
    let taken = if parked.inbound_seq.is_some() {
        again(&api, parked, &bytes).await?
    } else {
        // What did not come as far as INBOUND was parked by this API: no other adapter parks.
        take(&api, &bytes, Source::Parked { id: parked.id, at: parked.at }).await?
    };
    remove(&api, &found).await?;
    tracing::info!(parked = %parked.id, input_seq = taken.input_seq, "what was parked was replayed");
    Ok((StatusCode::ACCEPTED, Json(taken)))
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
fn message_in(bytes: &[u8]) -> Result<CustomerMessage, Problem> {
    if serde_json::from_slice(bytes).is_ok_and(|Versioned { v }| v > WIRE_VERSION) {
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
    use protocol::{Millis, NoticeId, ParkedId};
    use serde_json::{Value, json};

    fn code(bytes: &[u8]) -> &'static str {
        message_in(bytes).map_or_else(|problem| problem.code, |_| "a message")
    }

    #[test]
    fn what_cannot_be_replayed_says_why() {
        let id = NoticeId(uuid::Uuid::nil());
        let body = InputBody::ParkedDismissed { id, parked: ParkedId(uuid::Uuid::nil()) };
        let input = serde_json::to_value(Input { v: WIRE_VERSION, made_at: Millis(1), body }).unwrap();
        let with = |field: &str, value: Value| {
            let mut input = input.clone();
            input[field] = value;
            serde_json::to_vec(&input).unwrap()
        };
        assert_eq!(code(&with("v", WIRE_VERSION.into())), "not_a_message");
        assert_eq!(code(&with("v", (WIRE_VERSION + 1).into())), "later_version");
        assert_eq!(code(&with("body", json!({"kind": "telepathy"}))), "unreadable");
        for bytes in [&b""[..], b"\x00\xff", b"{}", b"null"] {
            assert_eq!(code(bytes), "unreadable", "{bytes:?}");
        }
    }
}
