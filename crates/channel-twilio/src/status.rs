//! How far a message of ours has come, in Twilio's words
//! (https://www.twilio.com/docs/messaging/guides/outbound-message-status-in-status-callbacks).

use channel::{DeliveryState, Status, StatusOf};

use crate::answer;
use crate::form::Form;

/// What a status of a message means; `None`: it is none of a message that was sent.
fn state(word: &str) -> Option<DeliveryState> {
    match word {
        // It is on its way within Twilio, which says no more than that it has it.
        "accepted" | "scheduled" | "queued" | "sending" => Some(DeliveryState::Accepted),
        // A part of it arrived, so that nobody can say that it did.
        "sent" | "partially_delivered" => Some(DeliveryState::Sent),
        "delivered" => Some(DeliveryState::Delivered),
        "read" => Some(DeliveryState::Read),
        "undelivered" | "failed" | "canceled" => Some(DeliveryState::Failed),
        _ => None,
    }
}

/// Reads a status of the message with this id.
pub(crate) fn read(form: &Form<'_>, id: &str, word: &str) -> Option<Status> {
    let state = state(word)?;
    let reason = match word {
        "canceled" => Some("canceled"),
        "undelivered" | "failed" => {
            let code = form.filled("ErrorCode").and_then(|code| code.parse().ok());
            Some(code.map_or("not_delivered", answer::reason))
        }
        _ => None,
    };
    Some(Status { about: StatusOf::Theirs(id.to_owned()), state, reason: reason.map(str::to_owned) })
}
