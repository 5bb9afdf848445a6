//! What the other system sends: `{"type": "message.created", "data": {...}}`, or several of them in a list.

use std::convert::Infallible;

use channel::known::{Known, PersonKey, said_in};
use channel::limits::{IDENTITY_BYTES_MAX, PROVIDER_ID_BYTES_MAX};
use channel::{
    Content, DeliveryState, Inbound, MessageId, Millis, Parsed, Rejected, Status, StatusOf, SubjectToken,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Largest request, bytes.
pub const BODY_BYTES_MAX: usize = 256 * 1024;
/// Most events in one request.
const EVENTS_MAX: usize = 100;

type Read = Result<Parsed<Infallible>, Rejected>;

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: String,
    data: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Created {
    id: String,
    from: From,
    text: String,
    thread: Option<String>,
    sent_at: Option<u64>,
    category: Option<String>,
    #[serde(default)]
    automatic: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct From {
    id: String,
    name: Option<String>,
    email: Option<String>,
    #[serde(default)]
    email_verified: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    id: String,
    state: DeliveryState,
    reason: Option<String>,
}

pub(crate) fn too_large() -> Rejected {
    let words = format!("a request has at most {BODY_BYTES_MAX} bytes: send fewer events at once");
    Rejected::refuse("body_too_large", words)
}

pub(crate) fn parse(body: &[u8]) -> Vec<Read> {
    if body.len() > BODY_BYTES_MAX {
        return vec![Err(too_large())];
    }
    let events = match serde_json::from_slice::<Value>(body) {
        Ok(Value::Array(events)) => events,
        Ok(event) => vec![event],
        // The parser's own message may quote what stands there.
        Err(error) => {
            let words = format!("not JSON: broken at line {} column {}", error.line(), error.column());
            return vec![Err(Rejected::refuse("malformed_json", words))];
        }
    };
    if events.is_empty() || events.len() > EVENTS_MAX {
        let words = format!("a list has 1 to {EVENTS_MAX} events");
        return vec![Err(Rejected::refuse("too_many_events", words))];
    }
    events.into_iter().map(event).collect()
}

/// The bytes of an event that cannot be used are kept: its sender may not look at our answer at all.
fn event(event: Value) -> Read {
    let Event { kind, data } = typed(event, "an event is {\"type\": ..., \"data\": {...}}")?;
    let about = data.get("id").and_then(Value::as_str).filter(|id| id.len() <= PROVIDER_ID_BYTES_MAX);
    let about = about.map(str::to_owned);
    let read = match kind.as_str() {
        "message.created" => created(data),
        "message.status" => told(data),
        // Our own words, shown to us again.
        "message.sent" => match &about {
            Some(id) => Ok(Parsed::Echo { provider_id: id.clone() }),
            None => Err(Rejected::park("missing_id", "data.id is missing")),
        },
        _ => Err(Rejected::park("unknown_type", "type is message.created, message.status or message.sent")),
    };
    read.map_err(|rejected| Rejected { about, ..rejected })
}

fn created(data: Value) -> Read {
    let created: Created =
        typed(data, "data of message.created has id, from.id and text; the README lists the rest")?;
    if created.id.is_empty() || created.id.len() > PROVIDER_ID_BYTES_MAX {
        return Err(Rejected::park("wrong_id", format!("data.id has 1 to {PROVIDER_ID_BYTES_MAX} bytes")));
    }
    let identity = created.from.id;
    if identity.is_empty() || identity.len() > IDENTITY_BYTES_MAX {
        return Err(Rejected::park(
            "wrong_sender",
            format!("data.from.id has 1 to {IDENTITY_BYTES_MAX} bytes"),
        ));
    }
    if created.thread.as_ref().is_some_and(|thread| thread.is_empty() || thread.len() > PROVIDER_ID_BYTES_MAX)
    {
        return Err(Rejected::park(
            "wrong_thread",
            format!("data.thread has 1 to {PROVIDER_ID_BYTES_MAX} bytes"),
        ));
    }
    let category = created.category.map(|name| SubjectToken::new(&name)).transpose();
    let Ok(category) = category else {
        return Err(Rejected::park("wrong_category", "data.category is a word of a-z, 0-9, - and _"));
    };
    let known = match created.from.email.as_deref().map(PersonKey::email) {
        Some(Some(by)) => vec![Known { by, verified: created.from.email_verified }],
        Some(None) => {
            return Err(Rejected::park("wrong_email", "data.from.email is a mail address, or left out"));
        }
        None => said_in(&created.text),
    };
    let content = Content { name: created.from.name, ..Content::words(created.text) };
    content.check().map_err(|error| Rejected::park("wrong_content", error.to_string()))?;
    Ok(Parsed::Message(Box::new(Inbound {
        provider_id: created.id,
        identity: Some(identity),
        known,
        content,
        sent_at: created.sent_at.map(Millis),
        category,
        thread: created.thread,
        automatic: created.automatic,
        ..Inbound::default()
    })))
}

fn told(data: Value) -> Read {
    let told: Told =
        typed(data, "data of message.status has id (ours) and state (sent, delivered, read or failed)")?;
    let Ok(message) = told.id.parse::<MessageId>() else {
        return Err(Rejected::park("wrong_id", "data.id of message.status is the id that we gave, msg_..."));
    };
    match told.state {
        state @ (DeliveryState::Sent
        | DeliveryState::Delivered
        | DeliveryState::Read
        | DeliveryState::Failed) => {
            let reason = told.reason.map(|reason| reason.chars().take(60).collect());
            Ok(Parsed::Status(Status { about: StatusOf::Ours(message), state, reason }))
        }
        DeliveryState::Queued | DeliveryState::Sending | DeliveryState::Accepted | DeliveryState::Unknown => {
            Err(Rejected::park("wrong_state", "data.state is sent, delivered, read or failed"))
        }
    }
}

fn typed<T: DeserializeOwned>(value: Value, words: &str) -> Result<T, Rejected> {
    // What serde says may quote what stands there.
    serde_json::from_value(value).map_err(|_| Rejected::park("malformed", words))
}
