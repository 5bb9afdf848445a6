//! How far a message of ours has come
//! (https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages/status).

use channel::{DeliveryState, MessageId, Parsed, Status, StatusOf};
use serde::Deserialize;
use serde_json::Value;

use super::answer;
use crate::reading::{Read, echo, typed};

/// What stands between our id of a message and the number of its part, from the second one on.
pub(super) const PART: char = '/';

#[derive(Deserialize)]
struct Head {
    id: String,
    status: String,
    /// What else there is with a state: a payment, a call.
    #[serde(rename = "type")]
    kind: Option<String>,
    recipient_type: Option<String>,
    /// What we gave it: the id of the message here.
    biz_opaque_callback_data: Option<String>,
}

pub(super) fn told(status: &Value) -> Read {
    let head: Head = typed(status, "a status has id and status")?;
    let is_of_message = head.kind.as_deref().is_none_or(|kind| kind == "message");
    let is_of_group = head.recipient_type.as_deref() == Some("group");
    let state = match head.status.as_str() {
        "sent" => Some(DeliveryState::Sent),
        "delivered" => Some(DeliveryState::Delivered),
        // What is heard was seen.
        "read" | "played" => Some(DeliveryState::Read),
        "failed" => Some(DeliveryState::Failed),
        _ => None,
    };
    let Some(state) = state.filter(|_| is_of_message && !is_of_group) else { return Ok(echo(head.id)) };
    let ours = head.biz_opaque_callback_data.unwrap_or_default();
    let (ours, is_first) = ours.split_once(PART).map_or((ours.as_str(), true), |(ours, _)| (ours, false));
    let ours = ours.parse::<MessageId>().ok();
    if !is_first && state != DeliveryState::Failed {
        // The whole has not come that far because a later part has.
        return Ok(echo(head.id));
    }
    let reason = (state == DeliveryState::Failed).then(|| reason(status).to_owned());
    Ok(Parsed::Status(Status {
        about: ours.map_or(StatusOf::Theirs(head.id), StatusOf::Ours),
        state,
        reason,
    }))
}

fn reason(status: &Value) -> &'static str {
    let code = status.pointer("/errors/0/code").and_then(Value::as_i64);
    code.and_then(answer::meaning).map_or("rejected", answer::Meaning::reason)
}
